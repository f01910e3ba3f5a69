"""The one way into the ledger, and what opens sessions and stores recordings.

Append last in a transaction: it takes the tenant's head lock, which every other writer of the tenant waits for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from audit.kinds import RULES, EventKind
from audit.ledger.canonical import event_bytes

_INSERT = "INSERT INTO audit_event (tenant_id, sequence, kind, at, subject, session_id, body, leaf) VALUES "


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


def append_all(*, tenant_id: UUID, events: Sequence[NewEvent]) -> list[Appended]:
    """Append events in order, gap-free, in the caller's transaction; the tenant must be entered already."""
    if not events:
        return []
    with connection.cursor() as cursor:
        # Taken inside the lock: two events with one number would break every later proof.
        cursor.execute(
            "INSERT INTO audit_ledgerhead (tenant_id, next_sequence) VALUES (%s, %s) ON CONFLICT (tenant_id) "
            "DO UPDATE SET next_sequence = audit_ledgerhead.next_sequence + EXCLUDED.next_sequence "
            "RETURNING next_sequence",
            [tenant_id, len(events)],
        )
        first = cursor.fetchone()[0] - len(events)
        made = [
            event_bytes(
                tenant_id=tenant_id,
                sequence=first + offset,
                kind=event.kind.value,
                at=event.at,
                subject=event.subject,
                session_id=event.session_id,
                data=event.data,
            )
            for offset, event in enumerate(events)
        ]
        rows = [
            (tenant_id, first + n, event.kind.value, event.at, event.subject, event.session_id, one.body, one.leaf)
            for n, (event, one) in enumerate(zip(events, made, strict=True))
        ]
        cursor.execute(
            _INSERT + ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * len(rows)),
            [value for row in rows for value in row],
        )
    return [Appended(sequence=first + n, leaf=one.leaf) for n, one in enumerate(made)]


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
