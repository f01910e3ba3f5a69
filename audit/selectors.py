"""Reading the record: sessions, prompts, events with their proofs, refusal counts. Nothing here changes a row.

Callers order and page the query sets; opening recordings is `audit.recordings`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from audit.ledger.tree import inclusion_proof, root
from audit.models import Event, LedgerHead, Prompt, RefusalCount, Session
from audit.problems import EventNotFound, LedgerTooLong
from gateway.tenants.models import Tenant

# Proofs are made from every leaf of the tenant: past this many the answer would take seconds and tens of megabytes.
MOST_PROVEN_LEAVES = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class EventProof:
    """An event, the path from its leaf to the root of the tree of `size` leaves, and that root."""

    event: Event
    size: int
    path: tuple[bytes, ...]
    root: bytes


def sessions(
    *, tenant: Tenant | UUID, person_id: UUID | None = None, agent_id: UUID | None = None
) -> QuerySet[Session]:
    """Return a tenant's sessions, those with the latest calls first."""
    given = {"person_id": person_id, "agent_id": agent_id}
    rows: QuerySet[Session] = Session.objects.for_tenant(tenant)
    return rows.filter(**{name: value for name, value in given.items() if value}).order_by("-last_at", "-id")


def prompts_of(*, tenant: Tenant | UUID, conversation: str) -> QuerySet[Prompt]:
    """Return a conversation's prompts, newest first, without their sealed texts."""
    rows: QuerySet[Prompt] = Prompt.objects.for_tenant(tenant).defer("sealed_text", "sealed_salt")
    return rows.filter(conversation=conversation).order_by("-recorded_at", "-id")


def events(
    *,
    tenant: Tenant | UUID,
    kind: str | None = None,
    subject: UUID | None = None,
    session_id: UUID | None = None,
    after: int | None = None,
) -> QuerySet[Event]:
    """Return a tenant's events in the ledger's order that match every filter; `after` is a sequence number."""
    given = {"kind": kind, "subject": subject, "session_id": session_id, "sequence__gt": after}
    rows: QuerySet[Event] = Event.objects.for_tenant(tenant)
    return rows.filter(**{name: value for name, value in given.items() if value is not None}).order_by("sequence")


def facts_of(event: Event) -> Mapping[str, Any]:
    """Return an event's `data` as it was hashed."""
    return dict(json.loads(bytes(event.body))["data"])


def proven(*, tenant: Tenant | UUID, sequence: int) -> EventProof:
    """Return one event with its inclusion proof; raises EventNotFound, and LedgerTooLong past MOST_PROVEN_LEAVES."""
    event: Event | None = Event.objects.for_tenant(tenant).filter(sequence=sequence).first()
    if event is None:
        raise EventNotFound
    size = LedgerHead.objects.get(tenant=event.tenant_id).next_sequence
    if size > MOST_PROVEN_LEAVES:
        raise LedgerTooLong
    rows = Event.objects.for_tenant(tenant).filter(sequence__lt=size).order_by("sequence")
    leaves = [bytes(leaf) for leaf in rows.values_list("leaf", flat=True)]
    return EventProof(event=event, size=size, path=tuple(inclusion_proof(leaves, sequence)), root=root(leaves))


def refusal_counts(*, since: datetime) -> QuerySet[RefusalCount]:
    """Return the installation's counts of refusals without a verified tenant, newest minute first."""
    return RefusalCount.objects.filter(minute__gte=since).order_by("-minute", "-count", "source", "code")
