"""Values from outside made fit for PostgreSQL and the ledger, so that no caller's bytes can fail a transaction.

Pure. What is secret in a value is replaced elsewhere; this changes only what could not be stored as it is.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
# PostgreSQL's text and jsonb hold neither; canonical JSON refuses lone surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Past this JSON readers differ, and RFC 8785 refuses.
LARGEST_INTEGER = 2**53 - 1
# An edge's clock may be off, and a stolen edge may say anything.
WIDEST_CLOCK_DIFFERENCE = timedelta(days=1)


def text(value: str, longest: int | None = None) -> str:
    """The text with what cannot be stored spelled out (`\\u0000`), and cut at the column's length."""
    spelled = _UNSTORABLE.sub(_spelled, value)
    return spelled[:longest]


def _spelled(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def json_value(value: Any) -> Any:
    """A JSON value that jsonb can hold: names as text, no NUL, lone surrogate, NaN or infinity."""
    kind = type(value)
    # By exact type first: nearly every value is one of these, and this runs for each value of every call.
    if kind is str:
        return text(value) if _UNSTORABLE.search(value) else value
    if kind is bool or kind is int or value is None:
        return value
    if isinstance(value, dict):
        return {text(str(key)): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return text(str(value))


def is_storable(value: Any) -> bool:
    """Whether `json_value` would change nothing in a JSON value but the kind of its lists: nearly always so.

    Answered by the encoders, in a tenth of the time of looking at each value: one refuses what is no number to JSON,
    the other half surrogates. In doubt (the text `\\u0000`) it says no.
    """
    try:
        _ENCODER.encode(value)
        return rb"\u0000" not in msgspec.json.encode(value)
    except ValueError:
        return False


def number(value: int, largest: int = LARGEST_INTEGER) -> int:
    """A count between nothing and what its column holds."""
    return min(max(value, 0), largest)


def moment(seconds: float | None, *, now: datetime) -> datetime:
    """An edge's epoch seconds as a time, or `now` where they are no time near it."""
    if seconds is None or not math.isfinite(seconds) or abs(seconds - now.timestamp()) > _WIDEST_SECONDS:
        return now
    return datetime.fromtimestamp(seconds, tz=UTC)


_WIDEST_SECONDS = WIDEST_CLOCK_DIFFERENCE.total_seconds()
