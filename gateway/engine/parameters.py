"""A call's parameters as rules see them: scalars by their place, within bounds.

What they are put into is `gateway.engine.entities`; what they amount to is `gateway.engine.facts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Past either bound the call is refused where a rule would read its parameters: a rule must never see half of them.
MOST_PARAMETERS = 10_000
LARGEST_PARAMETERS = 1024 * 1024
_DEEPEST = 64


class TooManyParameters(ValueError):
    """The call's parameters pass what rules can be asked to look at."""


def leaves_of(parameters: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """All scalars as (path with positions, path with `[]`, text), depth first; raises TooManyParameters.

    `Tags[0].Key` addresses one element; `Tags[].Key` says "any of them". Null is absent, as it is on the wire.
    """
    found: list[tuple[str, str, str]] = []
    size = 0
    for leaf in _leaves(parameters, "", "", 0):
        found.append(leaf)
        size += sum(map(len, leaf))
        if len(found) > MOST_PARAMETERS or size > LARGEST_PARAMETERS:
            raise TooManyParameters(f"more than {MOST_PARAMETERS} parameters or {LARGEST_PARAMETERS} characters")
    return tuple(found)


def _leaves(value: Any, path: str, general: str, depth: int) -> Iterator[tuple[str, str, str]]:
    if depth > _DEEPEST:
        raise TooManyParameters(f"parameters nest deeper than {_DEEPEST}")
    match value:
        case Mapping():
            for key, child in value.items():
                dot = "." if path else ""
                yield from _leaves(child, f"{path}{dot}{key}", f"{general}{dot}{key}", depth + 1)
        case list() | tuple():
            for place, child in enumerate(value):
                yield from _leaves(child, f"{path}[{place}]", f"{general}[]", depth + 1)
        case None:
            return
        case _:
            yield path, general, _text(value)


def _text(scalar: Any) -> str:
    """JSON's spelling of a scalar, strings as they are; bytes only say that there are some."""
    match scalar:
        case bool():
            return "true" if scalar else "false"
        case bytes() | bytearray() | memoryview():
            return "(bytes)"
        case _:
            return str(scalar)
