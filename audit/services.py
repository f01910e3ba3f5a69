"""The one way into the ledger, and what opens sessions and stores recordings.

Append last in a transaction: it takes the tenant's head lock, which every other writer of the tenant waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from audit.kinds import RULES, EventKind
from audit.ledger.canonical import event_halves
from gateway.tenants.period import lifted

_APPEND = "SELECT sequence, leaf FROM audit_append(%s, %s::jsonb) ORDER BY sequence"


class UnknownFact(ValueError):
    """An event carries a member its kind does not list: a programming error, caught before it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to append. `data` holds JSON values under names its kind allows."""

    kind: EventKind
    at: datetime
    subject: UUID
    session_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.data) - RULES[self.kind].facts
        if unknown:
            raise UnknownFact(f"{self.kind}: {', '.join(sorted(unknown))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where an event stands in its tenant's ledger."""

    sequence: int
    leaf: bytes


def as_json(*, tenant_id: UUID, event: NewEvent) -> dict[str, Any]:
    """The event as the database's `audit_append` takes it: canonical text around a number it gives out itself."""
    halves = event_halves(
        tenant_id=tenant_id,
        kind=event.kind.value,
        at=event.at,
        subject=event.subject,
        session_id=event.session_id,
        data=event.data,
    )
    return {
        "kind": event.kind.value,
        "at": event.at,
        "subject": event.subject,
        "session": event.session_id,
        "before": halves.before,
        "after": halves.after,
    }


def append_all(*, tenant_id: UUID, events: Sequence[NewEvent]) -> list[Appended]:
    """Append events in order, gap-free, in the caller's transaction; the tenant must be entered already."""
    if not events:
        return []
    made = msgspec.json.encode([as_json(tenant_id=tenant_id, event=event) for event in events]).decode()
    with lifted(), connection.cursor() as cursor:
        cursor.execute(_APPEND, [tenant_id, made])
        return [Appended(sequence=sequence, leaf=bytes(leaf)) for sequence, leaf in cursor.fetchall()]


def append(
    *,
    tenant_id: UUID,
    kind: EventKind,
    at: datetime,
    subject: UUID,
    session_id: UUID | None = None,
    data: Mapping[str, Any] | None = None,
) -> Appended:
    """Append one event; raises UnknownFact for a member its kind does not list."""
    event = NewEvent(kind=kind, at=at, subject=subject, session_id=session_id, data=data or {})
    return append_all(tenant_id=tenant_id, events=[event])[0]
