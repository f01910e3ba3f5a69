"""Build time: the sensitivity of shapes and members, from AWS's trait and the reviewed supplement.

How a mark travels down to the leaves is `gateway.wire.aws.masking_paths`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gateway.wire.contract import SensitivityClass

REVIEW = Path(__file__).parent / "aws" / "sensitive.toml"
_NONE = "none"
_TEXT_KINDS = ("string", "blob")


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityReview:
    """The reviewed file `aws/sensitive.toml`, as read."""

    bearer: re.Pattern[str]
    secret: re.Pattern[str]
    not_secret: frozenset[str]
    private_services: frozenset[str]
    shapes: Mapping[str, str]
    members: Mapping[str, str]

    @classmethod
    def load(cls) -> Self:
        """Read the reviewed file; raises tomllib.TOMLDecodeError, KeyError or re.error when it is not whole."""
        data = tomllib.loads(REVIEW.read_text())
        return cls(
            bearer=re.compile(data["names"]["bearer"]),
            secret=re.compile(data["names"]["secret"]),
            not_secret=frozenset(data["names"]["not_secret"]),
            private_services=frozenset(data["private"]["services"]),
            shapes=data["shapes"],
            members=data["members"],
        )

    def of_shape(self, service: str, name: str, shape: Mapping[str, Any]) -> SensitivityClass | None:
        """The mark of a shape: reviewed, or by the trait; None for one that is not marked."""
        reviewed = self.shapes.get(f"{service}.{name}")
        if reviewed is not None:
            return None if reviewed == _NONE else SensitivityClass(reviewed)
        if not shape.get("sensitive"):
            return None
        by_name = self._by_name(service, name.removesuffix("Type"))
        if by_name is not None:
            return by_name
        # Numbers and flags under the trait are ages, coordinates and counts: never what opens a door.
        is_text = shape["type"] in ("string", "blob", "structure", "list", "map")
        is_private = service in self.private_services or not is_text
        return SensitivityClass.PRIVATE if is_private else SensitivityClass.SECRET

    def of_member(
        self, service: str, structure: str, member: str, target: str, shapes: Mapping[str, Any]
    ) -> SensitivityClass | None:
        """The mark a member adds to its shape's own: reviewed, or by its name; None where it adds nothing."""
        reviewed = self.members.get(f"{service}.{structure}.{member}")
        if reviewed is not None:
            return None if reviewed == _NONE else SensitivityClass(reviewed)
        is_reviewed = f"{service}.{target}" in self.shapes
        if is_reviewed or shapes[target]["type"] not in _TEXT_KINDS or "enum" in shapes[target]:
            return None
        return self._by_name(service, member)

    def _by_name(self, service: str, name: str) -> SensitivityClass | None:
        if f"{service}.{name}" in self.not_secret or f"*.{name}" in self.not_secret:
            return None
        if self.bearer.fullmatch(name):
            return SensitivityClass.BEARER
        return SensitivityClass.SECRET if self.secret.fullmatch(name) else None
