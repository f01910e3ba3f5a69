"""Asking the local broker: one frame there, one frame back, over the profile's own unix socket.

The broker is started where none answers (`starting`); what it does is `broker`'s. This is the whole way of a warm
`hoopweb credentials`, so nothing slow is imported here: the interpreter's own `_socket` rather than `socket`, which makes
enumerations of three hundred constants first, a third of the command's time.
"""

from __future__ import annotations

import _socket
import os
import struct
import sys

from gateway.client import places
from gateway.client.errors import BrokerFailed, ClientError, GatewayUnreachable, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

# A broker of another version ends itself and makes room for one of ours.
PROTOCOL = "2"
# A prompt of an agent with all its attachments' names; the gateway takes no larger one.
LARGEST_FRAME = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_PEER = struct.Struct("3i")
GOOD, REFUSED, UNREACHABLE, FAILED, OTHER_VERSION = "ok", "refused", "unreachable", "failed", "version"
# Longer than the broker itself waits for the gateway.
USUAL_SECONDS = 15.0
_ATTEMPTS = 3


def ask(home: str, profile: str, fields: Mapping[str, str], *, seconds: float = USUAL_SECONDS) -> str:
    """Return the broker's answer; raises BrokerFailed, or what kept the broker from answering well.

    A value holds no NUL. The broker is started if need be; where it died before it answered, only what records
    nothing is asked again.
    """
    is_repeatable = fields.get("op") == "credentials" or fields.get("method") == "GET"
    for left in reversed(range(_ATTEMPTS)):
        connection = _connected(home, profile)
        try:
            connection.settimeout(seconds)
            reply = _exchange(connection, {"protocol": PROTOCOL, **fields})
        finally:
            connection.close()
        if reply and reply[0] != OTHER_VERSION:
            return _good(reply)
        if not reply and not (is_repeatable and left):
            raise BrokerFailed("The local broker ended before it answered: run the command again.")
    raise BrokerFailed("The local broker keeps changing its version: end it with `hoopweb broker --stop`.")


def ask_over(connection: _socket.socket, fields: Mapping[str, str], *, seconds: float = USUAL_SECONDS) -> str:
    """The same on a connection there is, and asked once."""
    connection.settimeout(seconds)
    reply = _exchange(connection, {"protocol": PROTOCOL, **fields})
    if not reply:
        raise BrokerFailed("The local broker ended before it answered: run the command again.")
    return _good(reply)


def _exchange(connection: _socket.socket, fields: Mapping[str, str]) -> list[str]:
    """The broker's answer, or nothing where it died."""
    try:
        _send(connection, [f"{name}={value}" for name, value in fields.items()])
        return read_frame(connection)
    except TimeoutError:
        raise BrokerFailed("The local broker did not answer in time: end it with `hoopweb broker --stop`.") from None
    except ValueError as error:
        raise BrokerFailed(f"The local broker cannot be asked this: {error}.") from None
    except OSError:
        return []


def _send(connection: _socket.socket, pieces: list[str]) -> None:
    try:
        write_frame(connection, pieces)
    except (BrokenPipeError, ConnectionResetError):
        # A broker that refuses the account says so and closes, unasked: what it said can still be read.
        return


def _good(reply: list[str]) -> str:
    """The text of a good answer; raises the error the broker met, in its own words."""
    kind, told, http_status, code = (*reply, "", "", "")[:4]
    if kind == GOOD:
        return told
    if kind == REFUSED:
        raise Refused(told, http_status=int(http_status or 0), code=code)
    if kind == UNREACHABLE:
        raise GatewayUnreachable(told)
    raise ClientError(told)


def _connected(home: str, profile: str) -> _socket.socket:
    path = places.socket_path(home, profile)
    connection = connect(path)
    if connection is None:
        from gateway.client import starting  # only where there is no broker

        connection = starting.start_and_connect(home, profile)
    peer_uid = peer_of(connection)[1]
    if peer_uid != os.getuid():
        from gateway.client import starting

        starting.check_other_account(home, profile, peer_uid)
    return connection


def try_connect(path: str) -> socket.socket | None:
    """The same as `connect`, as the module `socket` has it."""
    import socket

    opened = connect(path)
    return socket.socket(fileno=opened.detach()) if opened is not None else None


def connect(path: str) -> _socket.socket | None:
    """A connection, or None where nobody listens."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise BrokerFailed(f"The local broker's socket cannot be used ({error.strerror}).") from None
    return connection


def peer_of(connection: _socket.socket) -> tuple[int, int]:
    """Process id and account of who is at the other end, by the kernel's word."""
    if sys.platform != "linux":
        raise BrokerFailed("hoopweb's local broker needs Linux (WSL is one).")
    raw = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _PEER.size)
    pid, uid, _ = _PEER.unpack(raw)
    return pid, uid


def write_frame(connection: _socket.socket, pieces: list[str]) -> None:
    """Send one frame; raises ValueError where a piece holds a NUL or all is too long."""
    data = "\0".join(pieces).encode("utf-8", "surrogateescape")
    if data.count(b"\0") != len(pieces) - 1 or len(data) > LARGEST_FRAME:
        raise ValueError("it is too long, or holds a NUL")
    connection.sendall(_LENGTH.pack(len(data)) + data)


def read_frame(connection: _socket.socket) -> list[str]:
    """The pieces of one frame, or none where the other end closed; raises ValueError for a frame too long."""
    head = _read(connection, _LENGTH.size)
    if len(head) < _LENGTH.size:
        return []
    (length,) = _LENGTH.unpack(head)
    if length > LARGEST_FRAME:
        raise ValueError("the answer is too long")
    data = _read(connection, length)
    return data.decode("utf-8", "surrogateescape").split("\0") if len(data) == length else []


def _read(connection: _socket.socket, length: int) -> bytes:
    parts = []
    while length > 0 and (part := connection.recv(min(length, 65536))):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)
