"""Wrong API keys and client secrets, counted by key and source: past a few, the next is refused before it is hashed.

Counting itself is `throttle`. A right key costs one look into this process's memory, and no step over the network.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from gateway.identity.problems import SignInThrottled
from gateway.identity.throttle import throttle

# By key and source: nobody shuts a key to its owner from elsewhere.
MOST_WRONG, WINDOW = 10, timedelta(minutes=1)


def must_be_few(*, key_id: UUID, source: str, now: datetime) -> None:
    """Raise SignInThrottled where this source was wrong about this key too often; nothing is asked of the database."""
    if throttle().is_full(_counter(key_id, source), now=now):
        raise SignInThrottled


def count_wrong(*, key_id: UUID, source: str, now: datetime) -> None:
    """One more that did not match; how many there were is told to whoever comes next."""
    with suppress(SignInThrottled):
        throttle().count(_counter(key_id, source), most=MOST_WRONG - 1, window=WINDOW, now=now)


def _counter(key_id: UUID, source: str) -> str:
    return f"wrong-key:{key_id}\n{source}"
