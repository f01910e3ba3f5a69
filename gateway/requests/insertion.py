"""Inserting request rows with their events and counters: one statement, since it stands before every call.

What the rows say is `rows`; the order of writes is `write`; the statement itself is a function of the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from audit.recordings import spelled
from audit.services import NewEvent, as_json
from audit.sessions import Added
from gateway.requests.models import ProxiedRequest


@lru_cache(maxsize=1)
def _columns() -> tuple[tuple[str, str], ...]:
    """Attribute and column, for every column of the model."""
    return tuple((field.attname, str(field.column)) for field in ProxiedRequest._meta.concrete_fields)


def _values(row: ProxiedRequest) -> dict[str, Any]:
    values = {column: getattr(row, name) for name, column in _columns()}
    return {column: spelled(value) if isinstance(value, bytes) else value for column, value in values.items()}


def insert(
    *, tenant_id: UUID, rows: Sequence[ProxiedRequest], events: Sequence[NewEvent], added: Sequence[Added]
) -> None:
    """Insert the rows and append the events, of which the last are the rows' own: each row learns its place.

    Enters the tenant itself; raises IntegrityError when an id is known already.
    """
    written = (added, [as_json(tenant_id=tenant_id, event=event) for event in events], [_values(row) for row in rows])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sequence, leaf FROM requests_admit(%s, %s::jsonb, %s::jsonb, %s::jsonb) ORDER BY sequence",
            [tenant_id, *(msgspec.json.encode(part).decode() for part in written)],
        )
        appended = cursor.fetchall()[len(events) - len(rows) :]
    for row, (sequence, leaf) in zip(rows, appended, strict=True):
        row.event_sequence, row.event_leaf = sequence, bytes(leaf)
