"""Reading JSON bodies strictly: bounded, no duplicate members, no depth that would exhaust the stack.

What the members mean is the serializers' matter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from hoopweb.api.errors import TooLarge

# Far above any document we take, far below CPython's recursion limit.
DEEPEST = 64


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Two readers of one document could take different members for the truth.
        raise ValueError("a member appears twice in one object")
    return members


def _must_be_shallow(text: str) -> None:
    depth = deepest = 0
    in_string = is_escaped = False
    for character in text:
        if in_string:
            if is_escaped:
                is_escaped = False
            elif character == "\\":
                is_escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    if deepest > DEEPEST:
        raise ValueError(f"nested deeper than {DEEPEST}")


def read_json(data: bytes) -> Any:
    """Return the document; raises ValueError for anything but one strict JSON document in UTF-8."""
    text = data.decode("utf-8")
    # json.loads refuses nothing by depth before the stack is gone; the scan costs only large bodies.
    if text.count("[") + text.count("{") > DEEPEST:
        _must_be_shallow(text)
    return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


class StrictJSONParser(JSONParser):
    """DRF's own parser reads any length, takes the last of two members and dies of depth."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise TooLarge(f"The limit is {limit} bytes")
        try:
            return read_json(data)
        except ValueError as error:
            raise ParseError(f"Not strict JSON: {_safe(error)}") from None


def _safe(error: ValueError) -> str:
    # json's and the codec's own messages tell positions, never content.
    match error:
        case json.JSONDecodeError():
            return f"{error.msg} at character {error.pos}"
        case UnicodeDecodeError():
            return f"not UTF-8 at byte {error.start}"
        case _:
            return str(error)
