"""Build time: operations to IAM actions with their access class, from IAM's reference and the reviewed map.

What parameters add at run time is `gateway.wire.aws.actions`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gateway.terms import AccessClass
from gateway.wire.tables import Actions, IamTable

_TAGS = re.compile(r"Tag|[Uu]ntag")
# Operations that make something which may carry tags from the start.
_MAKES = re.compile(
    r"(Allocate|Copy|Create|Import|Publish|Put|Purchase|Register|Request|Restore|Run|Start|Upload)[A-Z]"
)
_TAG_MEMBERS = frozenset(("Tags", "tags", "TagList", "TagSpecifications", "TagSpecification", "tagSpecifications"))
REVIEW = Path(__file__).parent / "aws" / "actions.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """The actions of one operation; `is_mapped` is false when only the conservative default could be given."""

    actions: Actions
    is_mapped: bool
    is_reviewed: bool
    is_delegated: bool = False
    given: tuple[tuple[str, Actions], ...] = ()
    effective: tuple[tuple[str, Actions], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionReview:
    """The reviewed file `aws/actions.toml`, as read."""

    prefixes: Mapping[str, str]
    by_method: frozenset[str]
    credential: frozenset[str]
    delegated: frozenset[str]
    actions: Mapping[str, Mapping[str, list[str]]]
    given: Mapping[str, Mapping[str, list[str]]]
    effective: Mapping[str, Mapping[str, list[str]]]
    reviewed: frozenset[str]
    tagging: Mapping[str, str]

    @classmethod
    def load(cls) -> Self:
        """Read the reviewed file; raises tomllib.TOMLDecodeError or KeyError when it is not whole."""
        data = tomllib.loads(REVIEW.read_text())
        return cls(
            prefixes=data["prefixes"],
            by_method=frozenset(data["by_method"]["services"]),
            credential=frozenset(data["credential"]["operations"]),
            delegated=frozenset(data["delegated"]["operations"]),
            actions=data["actions"],
            given=data["given"],
            effective=data["effective"],
            reviewed=frozenset(data["reviewed"]["services"]),
            tagging=data["tagging"],
        )

    def prefix_of(self, service: str, signing_name: str, iam: IamTable) -> str:
        """The IAM prefix of a service model."""
        reviewed = self.prefixes.get(service)
        if reviewed is not None:
            return reviewed
        return signing_name if signing_name in iam.actions or service not in iam.actions else service

    def actions_of(
        self, service: str, prefix: str, operation: str, method: str, iam: IamTable, members: Collection[str] = ()
    ) -> Mapped:
        """The IAM actions one operation performs, each with its access class; `members` are its input's."""
        whole = f"{service}.{operation}"
        reviewed = self.actions.get(service, {}).get(operation)
        names = reviewed or self._default_names(service, prefix, operation, method, iam)
        mints = whole in self.credential
        return Mapped(
            actions=_classed(names, iam, mints=mints) if names else _unmapped(f"{prefix}:{operation}"),
            is_mapped=names is not None,
            is_reviewed=reviewed is not None,
            is_delegated=whole in self.delegated,
            given=_by_place(self._tags(whole, prefix, members, iam) | dict(self.given.get(whole, {})), iam),
            effective=_by_place(self.effective.get(whole, {}), iam),
        )

    def _tags(self, whole: str, prefix: str, members: Collection[str], iam: IamTable) -> dict[str, list[str]]:
        """Tags given to something new are tagged in IAM's eyes: a rule on tagging must see them."""
        if not _MAKES.match(whole.partition(".")[2]):
            return {}
        default = f"{prefix}:TagResource" if iam.spelled(prefix, "TagResource") else ""
        action = self.tagging.get(whole) or self.tagging.get(prefix) or default
        return {member: [action] for member in members if member in _TAG_MEMBERS} if action else {}

    def _default_names(self, service: str, prefix: str, operation: str, method: str, iam: IamTable) -> list[str] | None:
        if service in self.by_method:
            return [f"{prefix}:{method}"]
        name = iam.spelled(prefix, operation)
        if name is not None:
            return [f"{prefix}:{name}"]
        return [f"{prefix}:{operation}"] if f"{service}.{operation}" in self.credential else None


def _classed(names: list[str], iam: IamTable, *, mints: bool = False) -> Actions:
    return tuple((name, AccessClass.CREDENTIAL if mints else iam.access_of(name)) for name in names)


def _by_place(reviewed: Mapping[str, list[str]], iam: IamTable) -> tuple[tuple[str, Actions], ...]:
    return tuple((place, _classed(names, iam)) for place, names in reviewed.items())


def _unmapped(name: str) -> Actions:
    # Two entries, so that a rule on either class fires: nobody has said what this operation may not do.
    return ((name, AccessClass.WRITE), (name, AccessClass.PERMISSIONS))


def iam_table(data: Mapping[str, Mapping[str, Any]]) -> IamTable:
    """Every action IAM documents, with one class each, and those we class until it does."""
    found = {
        prefix: {entry["name"]: _class_of(entry["name"], entry["accessLevel"]) for entry in actions.values()}
        for prefix, actions in data.items()
    }
    for level, by_prefix in tomllib.loads(REVIEW.read_text())["classes"].items():
        for prefix, names in by_prefix.items():
            # IAM's own word comes first as soon as there is one.
            found[prefix] = {name: AccessClass(level) for name in names} | found[prefix]
    return IamTable(actions=found)


def _class_of(name: str, level: str) -> AccessClass:
    """One class for IAM's level. "Tagging, Write" is tagging only where the name says so: CreateChannel has it too."""
    levels = {part.strip() for part in level.split(",")}
    if AccessClass.PERMISSIONS in levels:
        return AccessClass.PERMISSIONS
    if AccessClass.TAGGING in levels:
        return AccessClass.TAGGING if _TAGS.search(name) else AccessClass.WRITE
    return AccessClass(level)
