"""Readiness checks: each asks the process itself, the way its users will.

How long to wait and what to do about a no is `hoopweb.stack.supervisor`'s.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

Check = Callable[[], bool]
ANSWER_SECONDS = 3.0


def http_answers(port: int, path: str, *, below: int = 300) -> Check:
    """Ready when a GET on loopback answers with a status under `below`."""

    def check() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < below
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check


def worker_answers(broker_url: str, node: str) -> Check:
    """Ready when the Celery worker of that name answers a ping through the broker."""

    def check() -> bool:
        with Celery(broker=broker_url, set_as_current=False) as client:
            try:
                replies = client.control.ping(destination=[node], timeout=1.0, limit=1)
            except (TimeoutError, OperationalError, RedisError):
                return False
        return bool(replies)

    return check


def file_appears(pattern: Path) -> Check:
    """Ready when the process has written a file of that name (any suffix); remove old ones before the start."""
    return lambda: any(pattern.parent.glob(f"{pattern.name}*"))
