"""Strict JSON, and replacing scalars inside JSON text without touching any other byte of it.

What to replace is decided elsewhere; this file only knows the grammar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from gateway.masking.replacement import Scalar


class Malformed(ValueError):
    """The body is not what its protocol says; the message never quotes it."""


# Only for text that already parsed: names, strings and literals in document order.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[-0-9tfn][-+.0-9A-Za-z]*', re.DOTALL)


def parse(text: str) -> Any:
    """Decode one JSON text; duplicate members, NaN and trailing data raise Malformed, as parsers differ on them."""
    try:
        return _DECODER.decode(text)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("not JSON, or nested too deeply") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a JSON member is given twice")
    return members


def _no_constant(_: str) -> NoReturn:
    raise Malformed("a number JSON does not know")


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_constant)


def splice(text: str, replacements: Mapping[int, Scalar]) -> str:
    """`text` with the tokens of these indexes (names and scalars counted in order) replaced; the rest untouched."""
    return "".join(_pieces(text, replacements))


def _pieces(text: str, replacements: Mapping[int, Scalar]) -> Iterator[str]:
    done = 0
    for index, token in enumerate(_TOKEN.finditer(text)):
        if index in replacements:
            yield text[done : token.start()]
            yield json.dumps(replacements[index])
            done = token.end()
    yield text[done:]
