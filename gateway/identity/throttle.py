"""Counting guesses, in all processes together: in Valkey, and in each process besides, for when Valkey is away.

A guess is counted before it is looked at, so that many at once win nothing; what counts as one is the caller's matter.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from functools import cache

import redis
from django.conf import settings

from gateway.identity.problems import SignInThrottled

log = logging.getLogger("hoopweb.throttle")
# Sign-in waits for this count, and goes on without it where it does not come.
_SECONDS = 0.5
# Counters one process keeps; the one begun first goes first, and Valkey still has it.
MOST_KEPT = 50_000
_PREFIX = "hoopweb:throttle:"


class Throttle:
    """Counters of guesses by name, each for one window from its first guess. Thread-safe."""

    def __init__(self, url: str, *, most_kept: int = MOST_KEPT) -> None:
        self._shared = redis.Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, health_check_interval=30
        )
        self._own: OrderedDict[str, tuple[datetime, int]] = OrderedDict()
        self._full: OrderedDict[str, datetime] = OrderedDict()
        self._most_kept = most_kept
        self._lock = threading.Lock()

    def count(self, name: str, *, most: int, window: timedelta, now: datetime) -> None:
        """Count one guess; raises SignInThrottled where there were `most` of this name in the window already."""
        # Hashed: a key takes no free text, and whoever reads Valkey learns no names.
        key = _key(name)
        # Both, always: the process's own count stands ready when Valkey goes, and bounds what gets through then.
        if max(self._counted_here(key, window, now), self._counted_by_all(key, window)) > most:
            with self._lock:
                self._full[key] = now + window
                while len(self._full) > self._most_kept:
                    self._full.popitem(last=False)
            raise SignInThrottled

    def is_full(self, name: str, *, now: datetime) -> bool:
        """Whether this process has told somebody, within a window, that it is too often; Valkey is not asked."""
        with self._lock:
            until = self._full.get(_key(name))
        return until is not None and now < until

    def forget(self, name: str) -> None:
        """The guess was right: earlier wrong ones count no more."""
        key = _key(name)
        with self._lock:
            self._own.pop(key, None)
            self._full.pop(key, None)
        try:
            self._shared.delete(key)
        except redis.RedisError as error:
            log.warning("a counter of guesses was not forgotten in Valkey: %s", type(error).__name__)

    def _counted_here(self, key: str, window: timedelta, now: datetime) -> int:
        with self._lock:
            until, number = self._own.get(key, (now, 0))
            if until <= now:
                until, number = now + window, 0
                self._own.pop(key, None)
            self._own[key] = (until, number + 1)
            while len(self._own) > self._most_kept:
                self._own.popitem(last=False)
            return number + 1

    def _counted_by_all(self, key: str, window: timedelta) -> int:
        try:
            with self._shared.pipeline(transaction=True) as pipeline:
                # The window begins with the first guess, and no later one makes it longer.
                pipeline.set(key, 0, nx=True, ex=int(window.total_seconds()))
                pipeline.incr(key)
                return int(pipeline.execute()[1])
        except redis.RedisError as error:
            log.warning("guesses are counted by this process alone: %s", type(error).__name__)
            return 0


def _key(name: str) -> str:
    return _PREFIX + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def throttle() -> Throttle:
    """This process's throttle, at the Valkey its jobs come from."""
    return Throttle(settings.CELERY_BROKER_URL)
