"""Typed scalars from their text forms: form fields, XML text, headers, path labels, JSON strings.

Structures around them are read by `structures`, `forms` and `xmlbody`.
"""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from gateway.wire.problems import UnreadableParameter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?\Z", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?\Z", re.ASCII)
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False}


def unreadable(where: str, kind: str) -> UnreadableParameter:
    """The problem for a parameter at `where` that is not a `kind`; never quotes the value."""
    return UnreadableParameter(f"{where[:200]} is not a {kind}")


def from_text(kind: str, text: str, where: str) -> Any:
    """The value of one scalar of botocore's type `kind` from its text form; raises UnreadableParameter."""
    match kind:
        case "string" | "character":
            return text
        case "integer" | "long" | "short" | "byte" | "bigInteger":
            return _integer(text, where)
        case "float" | "double" | "bigDecimal":
            return _number(text, where)
        case "boolean":
            if text not in _BOOLEANS:
                raise unreadable(where, kind)
            return _BOOLEANS[text]
        case "timestamp":
            return timestamp(text, where)
        case "blob":
            return blob(text, where)
        case _:
            raise unreadable(where, kind)


def _integer(text: str, where: str) -> int:
    if not _INTEGER.match(text):
        raise unreadable(where, "whole number")
    return int(text)


def _number(text: str, where: str) -> float:
    if text in _SPECIAL:
        return _SPECIAL[text]
    if not _NUMBER.match(text):
        raise unreadable(where, "number")
    return float(text)


def blob(text: str, where: str) -> bytes:
    """Bytes from base64, with or without line breaks; raises UnreadableParameter."""
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise unreadable(where, "base64 value") from error


def timestamp(value: str | float, where: str) -> datetime:
    """A UTC time from epoch seconds, ISO 8601 or an HTTP date; raises UnreadableParameter."""
    try:
        if not isinstance(value, str):
            return _EPOCH + timedelta(seconds=value)
        text = value.strip()
        if _NUMBER.match(text):
            return _EPOCH + timedelta(seconds=float(text))
        if _ISO.match(text):
            return _utc(datetime.fromisoformat(text))
        return _utc(parsedate_to_datetime(text))
    except (ValueError, OverflowError, TypeError) as error:
        raise unreadable(where, "timestamp") from error


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
