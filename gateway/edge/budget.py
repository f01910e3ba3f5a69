"""One bound on all request bodies held in memory, so that many middling uploads cannot do what one large cannot.

Streams of payloads are bounded on their own (`streams`); what the masker buffers is counted here too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.edge import problems

# Longer than a burst takes to drain, shorter than an SDK's read timeout.
WAIT_SECONDS = 10.0


class Budget:
    """Bytes handed out first come, first served."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._limit = limit
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used(self) -> int:
        return self._limit - self._free

    async def take(self, size: int) -> None:
        """Take `size` bytes, waiting a while if need be; raises BuffersFull."""
        if not self._queue and size <= self._free:
            self._free -= size
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, waiter)
        self._queue.append(entry)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await waiter
        except (TimeoutError, asyncio.CancelledError) as error:
            self._leave(entry)
            if isinstance(error, TimeoutError):
                raise problems.BuffersFull() from error
            raise

    def give_back(self, size: int) -> None:
        self._free += size
        while self._queue and self._queue[0][0] <= self._free:
            wanted, waiter = self._queue.popleft()
            if not waiter.done():
                self._free -= wanted
                waiter.set_result(None)

    def _leave(self, entry: tuple[int, asyncio.Future[None]]) -> None:
        if entry in self._queue:
            self._queue.remove(entry)
            # Whoever stood behind it may ask for less.
            self.give_back(0)
        elif entry[1].done() and not entry[1].cancelled():
            # Granted in the same instant as the wait ended.
            self.give_back(entry[0])

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease]:
        """Hand out a lease that gives back all it took when the block ends."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            self.give_back(lease.size)


class Lease:
    """What one request has taken so far."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    async def grow(self, size: int) -> None:
        await self._budget.take(size)
        self.size += size
