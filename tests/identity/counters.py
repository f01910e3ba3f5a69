"""No guesses counted yet: what a test of signing in begins with."""

from __future__ import annotations

import redis
from django.conf import settings

from gateway.identity.throttle import throttle


def forget_guesses() -> None:
    """Empty every counter of this run: the process's own and those in its Valkey."""
    throttle.cache_clear()
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        for key in client.scan_iter("hoopweb:throttle:*"):
            client.delete(key)
