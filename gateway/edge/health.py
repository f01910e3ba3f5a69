"""Readiness for the supervisor, on a port of its own so that no client's path can reach or shadow it.

What ready means is `control`'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.edge.exchange import Exchange
from gateway.wire.contract import Answer

_TEXT = (("Content-Type", "text/plain; charset=utf-8"),)


def health_handler(is_ready: Callable[[], bool]) -> Callable[[Exchange], Awaitable[None]]:
    """Return a handler: /-/ready says 200 or 503, /-/live 200 while the process answers, all else 404."""

    async def handle(exchange: Exchange) -> None:
        path = exchange.head.target.partition("?")[0]
        if path == "/-/ready":
            status, body = (200, b"ready\n") if is_ready() else (503, b"not ready\n")
        elif path == "/-/live":
            status, body = 200, b"live\n"
        else:
            status, body = 404, b"unknown\n"
        await exchange.answer(Answer(status=status, headers=_TEXT, body=body))

    return handle
