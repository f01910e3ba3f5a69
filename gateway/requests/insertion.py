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
from gateway.requests.replays import Seen

_ADMIT = "SELECT sequence, leaf FROM requests_admit(%s, %s::jsonb, %s::jsonb, %s::jsonb) ORDER BY sequence"
_ADMIT_CHANGES = "SELECT sequence, leaf FROM requests_admit_changes(%s, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb) ORDER BY sequence"


@lru_cache(maxsize=1)
def _columns() -> tuple[tuple[str, str], ...]:
    """Attribute and column, for every column of the model."""
    return tuple((field.attname, str(field.column)) for field in ProxiedRequest._meta.concrete_fields)


def _values(row: ProxiedRequest) -> dict[str, Any]:
    values = {column: getattr(row, name) for name, column in _columns()}
    return {column: spelled(value) if isinstance(value, bytes) else value for column, value in values.items()}


def insert(
    *,
    tenant_id: UUID,
    rows: Sequence[ProxiedRequest],
    events: Sequence[NewEvent],
    added: Sequence[Added],
    seen: Sequence[Seen] = (),
) -> None:
    """Insert the rows and append the events, of which the last are the rows' own: each row learns its place.

    `seen` are the changes among them. Enters the tenant itself; raises IntegrityError when an id is known already, or
    where one is a copy of a change (`replays.is_replay`).
    """
    written = (added, [as_json(tenant_id=tenant_id, event=event) for event in events], [_values(row) for row in rows])
    call = _ADMIT_CHANGES if seen else _ADMIT
    with connection.cursor() as cursor:
        parts = (*written, seen) if seen else written
        cursor.execute(call, [tenant_id, *(msgspec.json.encode(part).decode() for part in parts)])
        appended = cursor.fetchall()[len(events) - len(rows) :]
    for row, (sequence, leaf) in zip(rows, appended, strict=True):
        row.event_sequence, row.event_leaf = sequence, bytes(leaf)
