"""The scalar values of a decoded body in document order, each with the name that tells what it is.

Finding secrets in them is for `content`; putting replacements back into text is for `jsontext` and `xmltext`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.masking.paths import ANY, PAGINATION_NAMES, States, kind_of, step
from gateway.masking.replacement import Scalar

# In these wrappers a value's meaning is told by the parent's name (DynamoDB attributes, RDS-Data fields)...
_WRAPPERS = frozenset(
    [
        "S",
        "N",
        "B",
        "SS",
        "NS",
        "BS",
        "M",
        "L",
        "Value",
        "value",
        "Values",
        "values",
        "StringValue",
        "stringValue",
        "BinaryValue",
        "blobValue",
        "longValue",
    ]
)
# ...and in name/value pairs by the sibling's text (environment lists, parameters, tags, options).
_VALUES = frozenset(["Value", "value", "ParameterValue", "parameterValue", "StringValue", "stringValue", "OptionValue"])
_LABELS = ("Name", "name", "Key", "key", "ParameterKey", "parameterName", "ParameterName", "OptionName")
# Numbers below are counts, ports and flags, whatever their name says.
SMALLEST_SECRET_NUMBER = 1000
# Only a path masks these.
_NO_SECRETS = frozenset((float, bool, type(None)))


class Leaf(NamedTuple):
    """One scalar (or a member name that may itself hold a secret) at its place in document order.

    `place` counts every member name and scalar before it; `name` is the best label known; `kind` the
    structural mask type or None; `is_name` marks a member name.
    """

    place: int
    name: str
    value: Scalar
    kind: str | None = None
    is_name: bool = False


def leaves_of(value: object, states: States = (), *, name: str = "", is_modelled: bool = False) -> list[Leaf]:
    """Every scalar that is masked by path or may be scanned; `name` labels a bare value.

    Where the body is a modelled structure, its top-level pagination tokens are left out.
    """
    walk = _Walk()
    walk.visit(value, states, kind_of(states), name, is_top=is_modelled)
    return walk.leaves


def rebuild(value: object, replacements: Mapping[int, Scalar]) -> Any:
    """A copy of `value` with the leaves of these indexes replaced; indexes are those of `leaves_of`."""
    return _Rebuild(replacements).visit(value)


# What a member's name is: a plain label, a wrapper around what the parent's name tells, or somebody's data itself.
_PLAIN, _WRAPPER, _DATA = range(3)


@lru_cache(maxsize=8192)
def _sort_of(member: str) -> int:
    # Member names of models are short words; anything else in a name's place is somebody's data.
    if len(member) >= 12 and (not member.isalpha() or len(member) > 64):
        return _DATA
    return _WRAPPER if member in _WRAPPERS else _PLAIN


_new = tuple.__new__


class _Walk:
    __slots__ = ("index", "leaves")

    def __init__(self) -> None:
        self.leaves: list[Leaf] = []
        self.index = 0

    def visit(self, value: object, states: States, kind: str | None, name: str, *, is_top: bool = False) -> None:
        """Collect the leaves of one value; counts in the very order `_Rebuild` and the JSON splicer count."""
        if type(value) is str:
            # What `Leaf(...)` does, without its cost for each of a body's values.
            self.leaves.append(_new(Leaf, (self.index, name, value, kind, False)))
            self.index += 1
        elif isinstance(value, dict):
            self._visit_members(value, states, kind, name, is_top=is_top)
        elif isinstance(value, list):
            self._visit_elements(value, states, kind, name)
        else:
            is_number = type(value) is int and abs(value) >= SMALLEST_SECRET_NUMBER
            if isinstance(value, (str, bytes)) or kind is not None or is_number:
                self.leaves.append(Leaf(self.index, name, value, kind))  # type: ignore[arg-type]  # decoders yield scalars
            self.index += 1

    def _visit_members(
        self, value: dict[str, object], states: States, kind: str | None, name: str, *, is_top: bool
    ) -> None:
        label = _label_of(value)
        is_plain = not states and label is None
        add, index = self.leaves.append, self.index
        for member, child in value.items():
            sort = _sort_of(member)
            if sort is _DATA:
                add(Leaf(index, "", member, None, is_name=True))
            index += 1
            below: States = ()
            masked, called = kind, member
            if not is_plain or sort is _WRAPPER:
                below = step(states, member) if states else ()
                masked = kind or (kind_of(below) if below else None)
                called = _context(member, name, label) if label is not None or sort is _WRAPPER else member
            if is_top and masked is None and member in PAGINATION_NAMES and not below:
                index += _count(child)
            elif type(child) is str:
                # As in `visit`, without a call for each of a body's texts.
                add(_new(Leaf, (index, called, child, masked, False)))
                index += 1
            elif masked is None and (
                type(child) in _NO_SECRETS or (type(child) is int and abs(child) < SMALLEST_SECRET_NUMBER)
            ):
                index += 1
            else:
                self.index = index
                self.visit(child, below, masked, called)
                index = self.index
        self.index = index

    def _visit_elements(self, value: list[object], states: States, kind: str | None, name: str) -> None:
        below = step(states, ANY) if states else ()
        masked = kind or (kind_of(below) if below else None)
        context = name
        for child in value:
            self.visit(child, below, masked, context)
            # In an argument list `--password` names the element after it.
            context = child if isinstance(child, str) and child.startswith("-") and len(child) < 64 else name


def _context(member: str, parent: str, label: str | None) -> str:
    if label is not None and member in _VALUES:
        return label
    return (parent or member) if member in _WRAPPERS else member


def _label_of(value: dict[str, object]) -> str | None:
    """The text that names this mapping's value, where it is a name/value pair."""
    if len(value) > 12 or _VALUES.isdisjoint(value):
        return None
    for each in _LABELS:
        label = value.get(each)
        if isinstance(label, str):
            return label
    return None


def _count(value: object) -> int:
    """How many names and scalars `value` holds."""
    if isinstance(value, dict):
        return len(value) + sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list) else 1


class _Rebuild:
    __slots__ = ("index", "replacements")

    def __init__(self, replacements: Mapping[int, Scalar]) -> None:
        self.replacements = replacements
        self.index = 0

    def visit(self, value: object) -> Any:
        """The value with its replaced leaves, counted in document order."""
        if isinstance(value, dict):
            return {self._next(member): self.visit(child) for member, child in value.items()}
        if isinstance(value, list):
            return [self.visit(child) for child in value]
        return self._next(value)

    def _next(self, scalar: object) -> Any:
        self.index += 1
        return self.replacements.get(self.index - 1, scalar)
