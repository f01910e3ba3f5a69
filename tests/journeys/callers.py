"""Agents that keep calling while something dies, as their SDKs would: again and again until an answer comes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

# The storms' own table: the demo's story counts what is in the others.
TABLE = "journey-storms"
AT_ONCE = 6
# Longer than any part of the product takes to come back.
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.2


class Storm:
    """Calls from several threads at once. `done` counts those answered well; `errors`, what the others were told."""

    def __init__(self, act: Callable[[int], Any], count: int, *, at_once: int = AT_ONCE) -> None:
        self.done = 0
        self.errors: Counter[str] = Counter()
        self.gave_up: list[str] = []
        self._act = act
        self._left = iter(range(count))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(at_once)]

    def __enter__(self) -> Storm:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def wait_for(self, done: int) -> None:
        """Return when so many calls were answered, or when all that could be were."""
        while self.done < done and any(thread.is_alive() for thread in self._threads):
            time.sleep(0.01)

    def _work(self) -> None:
        while True:
            with self._lock:
                number = next(self._left, None)
            if number is None:
                return
            self._until_answered(number)

    def _until_answered(self, number: int) -> None:
        ends_at = time.monotonic() + PATIENCE_SECONDS
        told = ""
        while time.monotonic() < ends_at:
            try:
                self._act(number)
            except (ClientError, BotoCoreError) as error:
                told = code_of(error)
                with self._lock:
                    self.errors[told] += 1
                time.sleep(PAUSE_SECONDS)
            else:
                with self._lock:
                    self.done += 1
                return
        self.gave_up.append(told)


def code_of(error: ClientError | BotoCoreError) -> str:
    """What a caller was told: the service's error code, or the name of the transport's failure."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
