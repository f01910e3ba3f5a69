"""Several threads doing something at the same moment, each on a database connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
# Past this a test hangs on a lock that nobody gives up: a finding, not a slow machine.
LONGEST_WAIT_SECONDS = 30


def at_once(acts: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    """Run every act in its own thread, all let go together; returns each one's result or what it raised."""
    barrier = Barrier(len(acts), timeout=LONGEST_WAIT_SECONDS)

    def run(act: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            barrier.wait()
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=len(acts)) as pool:
        futures = [pool.submit(run, act) for act in acts]
        return [future.exception(LONGEST_WAIT_SECONDS) or future.result() for future in futures]
