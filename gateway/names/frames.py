"""What a process and its reader of names say to each other: length, then msgpack. Bounded both ways.

Who starts the reader and how long it may take is `reader`'s.
"""

from __future__ import annotations

import socket
import struct
from typing import TypeVar

import msgspec

# All that one body may have read, in the widest characters, with room for the frame.
LARGEST_FRAME = 1024 * 1024
_LENGTH = struct.Struct(">I")
Frame = TypeVar("Frame")


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The reader's first word: which model it has, or why it has none."""

    rule: str = ""
    trouble: str = ""


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    texts: tuple[str, ...]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    spans: tuple[tuple[tuple[int, int], ...], ...]


class Closed(OSError):
    """The other side has ended."""


def send(to: socket.socket, frame: msgspec.Struct) -> None:
    """Write one frame. Raises OSError, within the socket's timeout."""
    data = msgspec.msgpack.encode(frame)
    to.sendall(_LENGTH.pack(len(data)) + data)


def receive(from_: socket.socket, type_: type[Frame]) -> Frame:
    """Read one frame. Raises Closed or another OSError, and msgspec.DecodeError for what is none."""
    (size,) = _LENGTH.unpack(_exactly(from_, _LENGTH.size))
    if size > LARGEST_FRAME:
        raise msgspec.DecodeError("the frame is too large")
    return msgspec.msgpack.decode(_exactly(from_, size), type=type_)


def _exactly(from_: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = from_.recv(size - len(data))
        if not part:
            raise Closed("the other side has ended")
        data += part
    return bytes(data)
