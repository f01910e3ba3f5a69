"""Opening sessions and keeping their counters. Called inside the tenant's transaction.

What a call adds to the counters is decided by `gateway.requests`; listing sessions is `audit.selectors`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from audit.kinds import EventKind
from audit.models import Session
from audit.services import NewEvent

# What is kept of one session, some 70 bytes each: rules about bulk speak of thousands. The migration says the same.
MOST_RESOURCES = 10_000


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction adds to one session's counters; `now` is when its newest call was."""

    id: UUID
    now: datetime
    calls: int = 0
    refused: int = 0
    held: int = 0
    deletes: int = 0
    secrets_masked: int = 0
    bytes_out: int = 0
    taint: tuple[str, ...] = ()
    # Digests of what its calls touched, as text of UUIDs; those known already count nothing.
    resources: tuple[str, ...] = ()


def name_of(*, conversation: str, key_id: UUID) -> str:
    """Return what makes a session one: the conversation, or the key where none was named."""
    return conversation or f"key:{key_id}"


def session_for(
    *,
    tenant_id: UUID,
    person_id: UUID | None,
    person_label: str,
    agent_id: UUID | None,
    agent_label: str,
    connection_id: UUID,
    connection_label: str,
    conversation: str,
    key_id: UUID,
    now: datetime,
) -> tuple[Session, bool]:
    """Return the session of this conversation on this connection, and whether it was opened just now.

    The one who opened it appends `opened_event` with the rest of its transaction's events.
    """
    name = name_of(conversation=conversation, key_id=key_id)
    rows = Session.objects.for_tenant(tenant_id).filter(
        connection_id=connection_id, conversation=name, person_id=person_id
    )
    found: Session | None = rows.first()
    if found is not None:
        return found, False
    made = Session(
        id=uuid.uuid4(),
        tenant_id=tenant_id,
        person_id=person_id,
        person_label=person_label,
        agent_id=agent_id,
        agent_label=agent_label,
        connection_id=connection_id,
        connection_label=connection_label,
        conversation=name,
        opened_at=now,
        last_at=now,
    )
    # Two first calls at once: the second waits for the first one's commit, inserts nothing and reads its row.
    Session.objects.bulk_create([made], ignore_conflicts=True)
    session = rows.get()
    return session, session.pk == made.pk


def opened_event(session: Session, *, key_id: UUID) -> NewEvent:
    """Return the event of a session just opened, with labels as of then."""
    return NewEvent(
        kind=EventKind.SESSION_OPENED,
        at=session.opened_at,
        subject=session.pk,
        session_id=session.pk,
        data={
            "person": session.person_label,
            "agent": session.agent_label,
            "key": str(key_id),
            "connection": session.connection_label,
            "conversation": session.conversation,
        },
    )


def bump_counters(*, tenant_id: UUID, added: Sequence[Added]) -> None:
    """Add to the sessions' counters, locking them by ascending id, so that none wait in a ring."""
    if added:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT audit_bump_sessions(%s, %s::jsonb)", [tenant_id, msgspec.json.encode(added).decode()]
            )
