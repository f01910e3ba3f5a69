"""Bytes on their way from a parser's callback to a coroutine, and never too many of them.

Sockets belong to `http1` and `upstream`; this file only holds chunks and says when to stop reading.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

# Two TLS records' worth: enough to keep a fast peer busy, small enough for a thousand connections.
HIGH_WATER_BYTES = 64 * 1024


class ByteStream:
    """One writer (a protocol's callbacks), one reader (a coroutine), with back-pressure towards the writer."""

    __slots__ = ("_chunks", "_error", "_is_finished", "_is_paused", "_pause", "_resume", "_size", "_waiter")

    def __init__(self, *, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._pause = pause
        self._resume = resume
        self._is_paused = False
        self._is_finished = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_finished(self) -> bool:
        """True once the sender has said its last byte (the reader may still have some to read)."""
        return self._is_finished

    @property
    def has_arrived(self) -> bool:
        """True once any byte, the end or an error is there to read."""
        return bool(self._chunks) or self._is_finished or self._error is not None

    def feed(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if self._size > HIGH_WATER_BYTES and not self._is_paused:
            self._is_paused = True
            self._pause()
        self._wake()

    def finish(self) -> None:
        self._is_finished = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """End the stream with an error; bytes not read yet are dropped, for they belong to nothing whole."""
        if self._error is None and not self._is_finished:
            self._error = error
            self._chunks.clear()
            self._wake()

    async def read(self) -> bytes:
        """Return the next chunk, or b"" at the end; raises what `fail` was given."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._is_finished:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = self._chunks.popleft()
        self._size -= len(data)
        if self._is_paused and self._size <= HIGH_WATER_BYTES // 2:
            self._is_paused = False
            self._resume()
        return data

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Gate:
    """Whether a transport takes more bytes: the `pause_writing` half of back-pressure as something to await."""

    __slots__ = ("_error", "_waiter")

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    def shut(self) -> None:
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()

    def open(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def break_with(self, error: Exception) -> None:
        """Nothing will be written any more: everybody who waits, now or later, gets the error."""
        self._error = error
        self.open()

    async def passed(self, *, seconds: float) -> None:
        """Wait until writing is welcome; raises TimeoutError when the peer does not read for so long."""
        if self._waiter is not None:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._waiter)
        if self._error is not None:
            raise self._error
