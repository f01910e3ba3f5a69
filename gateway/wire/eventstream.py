"""AWS's event stream (application/vnd.amazon.eventstream): frames read with their checksums, and written anew.

What an event carries, and masking it, is `gateway.masking.frames`'.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from enum import IntEnum

# AWS's own limit is 16 MiB of payload; nothing that can be masked needs half of it.
LARGEST_FRAME = 8 * 1024 * 1024
LARGEST_HEADERS = 128 * 1024
_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_OVERHEAD = _PRELUDE.size + 2 * _CRC.size


class HeaderType(IntEnum):
    """How a header's value is written."""

    TRUE = 0
    FALSE = 1
    BYTE = 2
    SHORT = 3
    INTEGER = 4
    LONG = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    UUID = 9


_FIXED = {
    HeaderType.TRUE: 0,
    HeaderType.FALSE: 0,
    HeaderType.BYTE: 1,
    HeaderType.SHORT: 2,
    HeaderType.INTEGER: 4,
    HeaderType.LONG: 8,
    HeaderType.TIMESTAMP: 8,
    HeaderType.UUID: 16,
}


class FrameMalformed(ValueError):
    """The bytes are no frame, or a checksum does not hold; the message never quotes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameHeader:
    """One header; `value` as its bytes on the wire, without the length that goes before it."""

    name: str
    kind: HeaderType
    value: bytes

    @property
    def text(self) -> str | None:
        """A string's text; None of any other type."""
        return self.value.decode() if self.kind is HeaderType.STRING else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message of the stream."""

    headers: tuple[FrameHeader, ...]
    payload: bytes

    def header(self, name: str) -> str:
        """The text of the first header of this name, or nothing."""
        return next((one.text or "" for one in self.headers if one.name == name), "")

    def with_payload(self, payload: bytes) -> Frame:
        """The same message around other bytes."""
        return replace(self, payload=payload)

    def encoded(self) -> bytes:
        """The message on the wire, with fresh checksums."""
        headers = b"".join(_encoded_header(one) for one in self.headers)
        prelude = _PRELUDE.pack(_OVERHEAD + len(headers) + len(self.payload), len(headers))
        body = prelude + _CRC.pack(zlib.crc32(prelude)) + headers + self.payload
        return body + _CRC.pack(zlib.crc32(body))


class FrameReader:
    """Takes a stream's bytes however they are cut; raises FrameMalformed, after which nothing more is read."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def held(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._data)

    def receive(self, data: bytes) -> list[Frame]:
        """The messages that are whole now."""
        self._data += data
        frames: list[Frame] = []
        place = 0
        while (size := self._size_at(place)) is not None and place + size <= len(self._data):
            frames.append(_decoded(bytes(self._data[place : place + size])))
            place += size
        del self._data[:place]
        return frames

    def end(self) -> None:
        """The stream is over; raises FrameMalformed amid a message."""
        if self._data:
            raise FrameMalformed("the stream ends amid a message")

    def _size_at(self, place: int) -> int | None:
        if len(self._data) - place < _PRELUDE.size + _CRC.size:
            return None
        size, headers = _PRELUDE.unpack_from(self._data, place)
        (checksum,) = _CRC.unpack_from(self._data, place + _PRELUDE.size)
        if zlib.crc32(self._data[place : place + _PRELUDE.size]) != checksum:
            raise FrameMalformed("a prelude's checksum does not hold")
        if size > LARGEST_FRAME or headers > LARGEST_HEADERS or size < _OVERHEAD + headers:
            raise FrameMalformed("a message's lengths make no sense")
        return int(size)


def _decoded(message: bytes) -> Frame:
    (checksum,) = _CRC.unpack_from(message, len(message) - _CRC.size)
    if zlib.crc32(message[: -_CRC.size]) != checksum:
        raise FrameMalformed("a message's checksum does not hold")
    _, size = _PRELUDE.unpack_from(message)
    begin = _PRELUDE.size + _CRC.size
    headers = _decoded_headers(message[begin : begin + size])
    return Frame(headers=headers, payload=message[begin + size : -_CRC.size])


def _decoded_headers(data: bytes) -> tuple[FrameHeader, ...]:
    found: list[FrameHeader] = []
    place = 0
    try:
        while place < len(data):
            name_end = place + 1 + data[place]
            name = _taken(data, place + 1, name_end).decode()
            kind = HeaderType(data[name_end])
            place = name_end + 1
            size = _FIXED.get(kind)
            if size is None:
                (size,) = _LENGTH.unpack_from(data, place)
                place += _LENGTH.size
            value = _taken(data, place, place + size)
            if kind is HeaderType.STRING:
                value.decode()
            found.append(FrameHeader(name=name, kind=kind, value=value))
            place += size
    except (IndexError, ValueError, struct.error):
        raise FrameMalformed("a header is not well-formed") from None
    # A reader that took the first of two and one that took the last would read two messages.
    if len({one.name for one in found}) != len(found):
        raise FrameMalformed("a header is given twice")
    return tuple(found)


def _taken(data: bytes, begin: int, end: int) -> bytes:
    if end > len(data):
        raise IndexError(end)
    return data[begin:end]


def _encoded_header(header: FrameHeader) -> bytes:
    name = header.name.encode()
    length = b"" if header.kind in _FIXED else _LENGTH.pack(len(header.value))
    return bytes([len(name)]) + name + bytes([header.kind]) + length + header.value
