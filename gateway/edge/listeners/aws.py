"""The AWS listener: TLS (or loopback plain) sockets whose exchanges go to the walk.

It ends TLS itself: a proxy in between would swallow the interim answers of held calls.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.edge.exchange import Exchange
from gateway.edge.refusals import Refusals
from gateway.edge.server import ServerConfig, ServerConnection
from gateway.edge.settings import Address

NAME = "aws"
HANDSHAKE_SECONDS = 10.0
# How many clients may wait for accept; the kernel caps it at net.core.somaxconn.
BACKLOG = 512


class AwsListener:
    """All sockets of the AWS path; `drain` stops accepting and waits for the calls under way."""

    def __init__(
        self, *, handler: Callable[[Exchange], Awaitable[None]], refusals: Refusals, most_connections: int
    ) -> None:
        self._handler = handler
        self._refusals = refusals
        self._most_connections = most_connections
        self._connections: set[ServerConnection] = set()
        self._servers: list[asyncio.Server] = []

    async def listen(self, address: Address, *, tls: ssl.SSLContext | None) -> int:
        """Start accepting; return the port. Raises OSError when the address is taken."""
        config = ServerConfig(
            listener=NAME,
            handler=self._handler,
            refusals=self._refusals,
            connections=self._connections,
            most_connections=self._most_connections,
            is_tls=tls is not None,
        )
        server = await asyncio.get_running_loop().create_server(
            lambda: ServerConnection(config),
            address.host,
            address.port,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if tls is not None else None,
            backlog=BACKLOG,
            reuse_address=True,
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def drain(self, *, seconds: float) -> None:
        """Take no more calls; let those under way end, but no longer than `seconds`."""
        for server in self._servers:
            server.close()
        ends = [asyncio.ensure_future(connection.drain()) for connection in list(self._connections)]
        if ends:
            await asyncio.wait(ends, timeout=seconds)
        for connection in list(self._connections):
            connection.abort()


def server_tls(*, cert: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later, HTTP/1.1 only; raises OSError or ssl.SSLError when the files do not serve."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["http/1.1"])
    return context
