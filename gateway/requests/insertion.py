"""Inserting request rows with their events and counters: one statement, since it stands before every call.

What the rows say is `rows`; the order of writes is `write`; the statement itself is a function of the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from django.db import connection

from audit.services import NewEvent, as_json
from audit.sessions import Added
from gateway.requests.draft_rows import DraftRow
from gateway.requests.replays import Seen

_ADMIT = "SELECT sequence, leaf FROM requests_admit(%s, %s::jsonb, %s::jsonb, %s::jsonb) ORDER BY sequence"
_ADMIT_CHANGES = "SELECT sequence, leaf FROM requests_admit_changes(%s, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb) ORDER BY sequence"


def insert(
    *,
    tenant_id: UUID,
    rows: Sequence[DraftRow],
    events: Sequence[NewEvent],
    added: Sequence[Added],
    seen: Sequence[Seen] = (),
) -> list[bytes]:
    """Insert the rows and append the events, of which the last are the rows' own; returns the leaf of each row's event.

    `seen` are the changes among them. Enters the tenant itself; raises IntegrityError when an id is known already, or
    where one is a copy of a change (`replays.is_replay`).
    """
    written = (added, [as_json(tenant_id=tenant_id, event=event) for event in events], rows)
    call = _ADMIT_CHANGES if seen else _ADMIT
    with connection.cursor() as cursor:
        parts = (*written, seen) if seen else written
        cursor.execute(call, [tenant_id, *(msgspec.json.encode(part).decode() for part in parts)])
        return [bytes(leaf) for _, leaf in cursor.fetchall()[len(events) - len(rows) :]]
