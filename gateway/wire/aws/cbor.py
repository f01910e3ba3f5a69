"""Smithy's subset of CBOR (RFC 8949): strict decoding that refuses what two decoders could read differently.

Which values an operation expects is `gateway.wire.aws.values`.
"""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.wire.problems import DuplicateKey, MalformedBody

# Models nest a dozen deep; past this a body is made to exhaust the stack.
DEEPEST = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INDEFINITE = 31
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}


def decode(data: bytes) -> Any:
    """The one value `data` holds: maps with text keys, lists, text, bytes, int, float, bool, None, datetime.

    Raises DuplicateKey, or MalformedBody on anything outside Smithy's data model and on trailing bytes.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.at != len(data):
        raise MalformedBody("There are bytes after the CBOR value")
    return value


class _Reader:
    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise MalformedBody("The CBOR value is cut short")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def head(self) -> tuple[int, int]:
        first = self.take(1)[0]
        return first >> 5, first & 31

    def length(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise MalformedBody("A CBOR length has a reserved form")
        return int.from_bytes(self.take(1 << (info - 24)), "big")

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise MalformedBody("The CBOR value is nested too deeply")
        major, info = self.head()
        match major:
            case 0:
                return self.length(info)
            case 1:
                return -1 - self.length(info)
            case 2:
                return self.chunked(2, info)
            case 3:
                return _text(self.chunked(3, info))
            case 4:
                return self.array(info, depth)
            case 5:
                return self.mapping(info, depth)
            case 6:
                return self.tagged(info, depth)
            case _:
                return self.simple(info)

    def chunked(self, major: int, info: int) -> bytes:
        if info != _INDEFINITE:
            return self.take(self.length(info))
        parts = []
        while not self.is_break():
            inner, size = self.head()
            if inner != major or size == _INDEFINITE:
                raise MalformedBody("A CBOR string has a chunk of another type")
            parts.append(self.take(self.length(size)))
        return b"".join(parts)

    def is_break(self) -> bool:
        if self.at < len(self.data) and self.data[self.at] == 0xFF:
            self.at += 1
            return True
        return False

    def array(self, info: int, depth: int) -> list[Any]:
        if info != _INDEFINITE:
            # Each element is a byte at least, so `take` ends a lying length before memory does.
            return [self.value(depth + 1) for _ in range(self.length(info))]
        found = []
        while not self.is_break():
            found.append(self.value(depth + 1))
        return found

    def mapping(self, info: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        left = -1 if info == _INDEFINITE else self.length(info)
        while left != 0 and not (left < 0 and self.is_break()):
            key = self.value(depth + 1)
            if not isinstance(key, str):
                raise MalformedBody("A CBOR map has a key that is not text")
            if key in found:
                raise DuplicateKey(key[:64])
            found[key] = self.value(depth + 1)
            left -= 1
        return found

    def tagged(self, info: int, depth: int) -> datetime:
        tag, value = self.length(info), self.value(depth + 1)
        if tag != 1 or isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise MalformedBody("A CBOR tag other than a timestamp")
        try:
            return _EPOCH + timedelta(seconds=value)
        except OverflowError as error:
            raise MalformedBody("A CBOR timestamp outside the calendar") from error

    def simple(self, info: int) -> bool | float | None:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info in _FLOATS:
            return float(struct.unpack(_FLOATS[info], self.take(1 << (info - 24)))[0])
        raise MalformedBody("A CBOR value of an unknown simple type")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody("CBOR text that is not UTF-8") from error


def encode(value: dict[str, str]) -> bytes:
    """A map of text to text, which is all an error needs."""
    pairs = b"".join(_string(key) + _string(item) for key, item in value.items())
    return _head(5, len(value)) + pairs


def _string(value: str) -> bytes:
    data = value.encode()
    return _head(3, len(data)) + data


def _head(major: int, size: int) -> bytes:
    if size < 24:
        return bytes([major << 5 | size])
    width = 1 if size < 1 << 8 else 2 if size < 1 << 16 else 4
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26}[width]]) + size.to_bytes(width, "big")
