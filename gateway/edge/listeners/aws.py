"""The AWS listener: TLS (or loopback plain) sockets whose exchanges go to the walk.

It ends TLS itself: a proxy in between would swallow the interim answers of held calls.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog

from gateway.edge.exchange import Exchange
from gateway.edge.refusals import Refusals
from gateway.edge.server import ServerConfig, ServerConnection
from gateway.edge.settings import Address

NAME = "aws"
HANDSHAKE_SECONDS = 10.0
# How many clients may wait for accept; the kernel caps it at net.core.somaxconn.
BACKLOG = 512
# Clients amid their TLS handshake: real ones take milliseconds, so this is thousands a second; 60 KB each.
MOST_ARRIVING = 256
ACCEPT_AGAIN_SECONDS = 0.05

log = structlog.get_logger("edge.listener")


class AwsListener:
    """All sockets of the AWS path; `drain` stops accepting and waits for the calls under way."""

    def __init__(
        self, *, handler: Callable[[Exchange], Awaitable[None]], refusals: Refusals, most_connections: int
    ) -> None:
        self._handler = handler
        self._refusals = refusals
        self._most_connections = most_connections
        self._connections: set[ServerConnection] = set()
        self._waiting: dict[ServerConnection, None] = {}
        self._accepting: list[asyncio.Task[None]] = []
        # Whoever has taken longest comes first.
        self._arriving: dict[asyncio.Task[None], None] = {}

    async def listen(self, address: Address, *, tls: ssl.SSLContext | None) -> int:
        """Start accepting; return the port. Raises OSError when the address is taken."""
        config = ServerConfig(
            listener=NAME,
            handler=self._handler,
            refusals=self._refusals,
            connections=self._connections,
            most_connections=self._most_connections,
            is_tls=tls is not None,
            waiting=self._waiting,
        )
        listening = await _bound(address)
        self._accepting.append(asyncio.ensure_future(self._accept_forever(listening, config, tls)))
        return int(listening.getsockname()[1])

    async def drain(self, *, seconds: float) -> None:
        """Take no more calls; let those under way end, but no longer than `seconds`."""
        for task in (*self._accepting, *self._arriving):
            task.cancel()
        ends = [asyncio.ensure_future(connection.drain()) for connection in list(self._connections)]
        if ends:
            await asyncio.wait(ends, timeout=seconds)
        for connection in list(self._connections):
            connection.abort()

    async def _accept_forever(self, listening: socket.socket, config: ServerConfig, tls: ssl.SSLContext | None) -> None:
        """Accept by hand: a server of the loop's own holds any number of half-made TLS connections, 60 KB each."""
        with listening:
            while True:
                try:
                    accepted, _ = await _accept(listening)
                except OSError as error:
                    # Out of descriptors, or a client that was gone before it was let in.
                    log.warning("accept_failed", error=type(error).__name__, number=error.errno)
                    if error.errno in (errno.EMFILE, errno.ENFILE):
                        self._give_up_longest()
                    await asyncio.sleep(ACCEPT_AGAIN_SECONDS)
                    continue
                if len(self._arriving) >= MOST_ARRIVING:
                    self._give_up_longest()
                task = asyncio.get_running_loop().create_task(_welcome(accepted, config, tls))
                self._arriving[task] = None
                task.add_done_callback(lambda task: self._arriving.pop(task, None))

    def _give_up_longest(self) -> None:
        longest = next(iter(self._arriving), None)
        if longest is not None:
            self._arriving.pop(longest)
            longest.cancel()


async def _bound(address: Address) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, number, _, place = found[0]
    listening = socket.socket(family, kind, number)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


async def _accept(listening: socket.socket) -> tuple[socket.socket, Any]:
    return await asyncio.get_running_loop().sock_accept(listening)


async def _welcome(accepted: socket.socket, config: ServerConfig, tls: ssl.SSLContext | None) -> None:
    """Bring one client through its handshake. One that does not make it is nobody's call and leaves no trace."""
    try:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: ServerConnection(config),
            accepted,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls is not None else None,
        )
    except OSError:
        # ssl.SSLError is one too: a port scan, a browser that does not trust us, a client that went away.
        accepted.close()
    except asyncio.CancelledError:
        accepted.close()
        raise


def server_tls(*, cert: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later, HTTP/1.1 only; raises OSError or ssl.SSLError when the files do not serve."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
