"""The closed table of annotations: which exist, where they may stand, what they may say.

The rule they belong to is `gateway.engine.rules`; whether an approver group exists is asked at publish, elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.terms import Ask, RunWhen

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,119}")
_MASK = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([smhd])")
# At the end of a list of mask types: each of them as decoys; alone: every type that has decoys.
_DECOY = "decoy"
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
# Shorter and nobody can read the request; longer and the prompt that caused it is forgotten.
SHORTEST_EXPIRY_SECONDS, LONGEST_EXPIRY_SECONDS = 30, 7 * 86_400
LARGEST_QUORUM = 20
LONGEST_ADVICE = 500


class RuleKind(StrEnum):
    PERMIT = "permit"
    FORBID = "forbid"
    ASK = "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What a rule's annotations say, typed. `ask` stands exactly on ask rules."""

    id: str
    kind: RuleKind
    ask: Ask | None = None
    masks: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    advice: str = ""


class AnnotationError(ValueError):
    """One annotation that the table does not allow; the text is fit for the policy's author."""


def _identifier(value: str) -> str:
    if not _ID.fullmatch(value):
        raise AnnotationError("@id is 1 to 120 letters, digits and . _ : / -")
    return value


def _ask(value: str) -> str:
    if value != "ask":
        raise AnnotationError('@effect has one value: "ask"')
    return value


def _approvers(value: str) -> str:
    if not value.strip() or value != value.strip() or len(value) > 200 or not value.isprintable():
        raise AnnotationError("@approvers names one group")
    return value


def _quorum(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]?", value) or int(value) > LARGEST_QUORUM:
        raise AnnotationError(f"@quorum is a whole number from 1 to {LARGEST_QUORUM}")
    return int(value)


def _expires(value: str) -> int:
    span = _SPAN.fullmatch(value)
    seconds = int(span[1]) * _SECONDS[span[2]] if span else 0
    if not SHORTEST_EXPIRY_SECONDS <= seconds <= LONGEST_EXPIRY_SECONDS:
        raise AnnotationError('@expires is a time from "30s" to "7d", like "60m" or "24h"')
    return seconds


def _run(value: str) -> RunWhen:
    if value not in tuple(RunWhen):
        raise AnnotationError('@run is "return" or "approval"')
    return RunWhen(value)


def _mask_types(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(","))
    if not all(_MASK.fullmatch(name) for name in names) or len(set(names)) != len(names):
        raise AnnotationError('@mask and @clear list mask types once each, like "email, iban"')
    return names


def _masks(value: str) -> tuple[str, ...]:
    """Mask types, each spelt out with how its values are written: `"password, decoy"` is `password-decoy`."""
    *names, last = _mask_types(value)
    if last != _DECOY:
        if _DECOY in names:
            raise AnnotationError('@mask says "decoy" behind the types it is for')
        return (*names, last)
    if any(name.endswith(("-token", "-last4", "-decoy")) for name in names):
        raise AnnotationError('@mask says one way of writing for each type: "email-token", or "email, decoy"')
    return tuple(f"{name}-{_DECOY}" for name in names or ("all",))


def _advice(value: str) -> str:
    if not value.strip() or len(value) > LONGEST_ADVICE or not value.isprintable():
        raise AnnotationError(f"@advice is one line of at most {LONGEST_ADVICE} characters")
    return value.strip()


_ASK_ONLY = frozenset({RuleKind.ASK})
_PERMIT_ONLY = frozenset({RuleKind.PERMIT})
_REFUSALS = frozenset({RuleKind.FORBID, RuleKind.ASK})

# key -> (where it may stand, how its value is read)
TABLE: Mapping[str, tuple[frozenset[RuleKind], Callable[[str], Any]]] = {
    "id": (frozenset(RuleKind), _identifier),
    "effect": (_ASK_ONLY, _ask),
    "approvers": (_ASK_ONLY, _approvers),
    "quorum": (_ASK_ONLY, _quorum),
    "expires": (_ASK_ONLY, _expires),
    "run": (_ASK_ONLY, _run),
    "mask": (_PERMIT_ONLY, _masks),
    "clear": (_PERMIT_ONLY, _mask_types),
    "advice": (_REFUSALS, _advice),
}
_PLACES = {_ASK_ONLY: 'a forbid with @effect("ask")', _PERMIT_ONLY: "a permit", _REFUSALS: "a forbid"}


def kind_of(effect: str, annotations: Collection[str]) -> RuleKind:
    """Which kind of rule this is: an ask is a forbid that carries @effect."""
    if effect == "permit":
        return RuleKind.PERMIT
    return RuleKind.ASK if "effect" in annotations else RuleKind.FORBID


def read(annotations: Mapping[str, str | None], kind: RuleKind) -> tuple[Notes | None, tuple[str, ...]]:
    """Read one rule's annotations; returns notes, or None and every complaint."""
    values: dict[str, Any] = {}
    complaints = list(_missing(annotations, kind))
    for key, text in annotations.items():
        try:
            values[key] = _value(key, text or "", kind)
        except AnnotationError as error:
            complaints.append(str(error))
    if both := sorted(mask_types(values.get("mask", ())) & set(values.get("clear", ()))):
        complaints.append(f"one rule cannot both mask and clear {', '.join(both)}")
    return (None, tuple(complaints)) if complaints else (_notes(values, kind), ())


def mask_types(masks: Iterable[str]) -> frozenset[str]:
    """The types these masks are for, however their values are written."""
    return frozenset(re.sub("-(?:token|last4|decoy)$", "", name) for name in masks)


def _missing(annotations: Mapping[str, str | None], kind: RuleKind) -> Iterator[str]:
    if "id" not in annotations:
        yield "every rule has an @id"
    if kind is RuleKind.ASK and "approvers" not in annotations:
        yield "an ask rule names its @approvers"


def _value(key: str, text: str, kind: RuleKind) -> Any:
    if key not in TABLE:
        raise AnnotationError(f"@{key} is not an annotation; there are {', '.join('@' + name for name in TABLE)}")
    places, reader = TABLE[key]
    if kind not in places:
        raise AnnotationError(f"@{key} stands only on {_PLACES[places]}")
    return reader(text)


def _notes(values: Mapping[str, Any], kind: RuleKind) -> Notes:
    return Notes(
        id=values["id"],
        kind=kind,
        ask=_ask_of(values) if kind is RuleKind.ASK else None,
        masks=values.get("mask", ()),
        clear=values.get("clear", ()),
        advice=values.get("advice", ""),
    )


def _ask_of(values: Mapping[str, Any]) -> Ask:
    return Ask(
        rule_id=values["id"],
        approvers=values["approvers"],
        quorum=values.get("quorum", 1),
        expires_seconds=values.get("expires", 3_600),
        run=values.get("run", RunWhen.RETURN),
    )
