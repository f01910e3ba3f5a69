"""Counting refusals that belong to no verified tenant: per edge, source and minute, in bounded room.

Refusals of a tenant's own calls are events; see `gateway.requests`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from audit.models import RefusalCount
from gateway.wire.contract import Refusal

# Rows one edge can fill in a minute: a scan from many addresses costs one more row, not one a source.
MOST_ROWS_PER_MINUTE = 256
OTHER_SOURCES = "other"
OTHER_CODES = "other"
LARGEST_COUNT = 2_147_483_647


@transaction.atomic
def count(*, edge_id: UUID, items: Iterable[Refusal], now: datetime) -> None:
    """Add these refusals to the minute's counts. What has no room of its own counts under `other`."""
    minute = now.replace(second=0, microsecond=0)
    added = _bounded(_known(edge_id, minute), items)
    if not added:
        return
    # Sorted: two processes counting the same sources must lock their rows in one order.
    rows = [(edge_id, minute, source, code, number, LARGEST_COUNT) for (source, code), number in sorted(added.items())]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO audit_refusalcount AS kept (edge_id, minute, source, code, count) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (edge_id, minute, source, code) "
            "DO UPDATE SET count = LEAST(kept.count::bigint + EXCLUDED.count, %s)",
            rows,
        )


def _known(edge_id: UUID, minute: datetime) -> set[tuple[str, str]]:
    rows = RefusalCount.objects.filter(edge_id=edge_id, minute=minute)
    return set(rows.values_list("source", "code"))


def _bounded(known: set[tuple[str, str]], items: Iterable[Refusal]) -> Counter[tuple[str, str]]:
    """Sum per row; `known` grows by the rows made. Codes come from an edge, and a stolen one may invent any."""
    added: Counter[tuple[str, str]] = Counter()
    for item in items:
        if item.count < 1:
            continue
        row = (_plain(item.source, 64), _plain(item.code, 80))
        if row not in known and len(known) >= MOST_ROWS_PER_MINUTE:
            row = (OTHER_SOURCES, OTHER_CODES)
        known.add(row)
        added[row] = min(added[row] + item.count, LARGEST_COUNT)
    return added


def _plain(text: str, longest: int) -> str:
    return "".join(character if " " < character <= "~" else "?" for character in text[:longest])
