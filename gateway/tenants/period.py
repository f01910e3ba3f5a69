"""Confining a transaction to the evidence of a period: the setting that the evidence tables' policies read.

Whose period it is, is `hoopweb.period`'s to say. What is written while confined is not: a reading leaves its event.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connection

_SET = "SELECT set_config('app.evidence_since', %s, true), set_config('app.evidence_until', %s, true)"
_OPEN = ("", "")
_period: ContextVar[tuple[str, str]] = ContextVar("period", default=_OPEN)


def _set(period: tuple[str, str]) -> None:
    # What is rolled back takes the setting with it, and takes no query any more.
    if connection.in_atomic_block and not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute(_SET, period)


@contextmanager
def confined(since: str, until: str) -> Iterator[None]:
    """Within, this transaction reads only evidence from `since` until `until` (ISO times, "" for open)."""
    token = _period.set((since, until))
    _set((since, until))
    try:
        yield
    finally:
        _period.reset(token)
        # A test's one transaction outlives the request.
        _set(_OPEN)


@contextmanager
def lifted() -> Iterator[None]:
    """Within, the ledger may be written: the database returns the new line, which lies outside a period that is over."""
    period = _period.get()
    if period == _OPEN:
        yield
        return
    _set(_OPEN)
    try:
        yield
    finally:
        _set(period)
