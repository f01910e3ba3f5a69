"""Copies of changes, whichever edge they come by: each signature is remembered where every admission looks.

What a copy is, `gateway.wire.replay` says; the database says it again where it records a call, in the same statement. An
edge's own memory refuses most of them before (`gateway.edge.walk`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import IntegrityError

from audit.recordings import spelled
from gateway.requests.entries import Allowed, Entry, Refused
from gateway.requests.models import Sighting
from gateway.terms import AccessClass
from gateway.wire.problems import RequestReplayed
from gateway.wire.replay import REMEMBERED, SAME_SECOND, sighting_of

_CONSTRAINT = "requests_replayed"
# Longer than a signature is believed: an edge's clock and ours may differ.
KEPT = REMEMBERED + timedelta(minutes=2)


class Seen(msgspec.Struct, frozen=True):
    """One arrival of a change's signature, as `requests_admit_changes` takes it."""

    request_id: UUID
    signature: str
    occurrence: str
    is_named: bool
    at: datetime
    same: str = f"{int(SAME_SECOND.total_seconds())} seconds"


def seen(entries: Iterable[Entry]) -> list[Seen]:
    """What is to be remembered of these: of each change that is let through now, and is no presigned URL."""
    made = (_seen(entry) for entry in entries if isinstance(entry, Allowed))
    return [one for one in made if one is not None]


def _seen(entry: Allowed) -> Seen | None:
    if entry.examined.primary.access in (AccessClass.LIST, AccessClass.READ):
        return None
    sighting = sighting_of(entry.examined.request, entry.examined.claim)
    if sighting is None:
        return None
    name = sighting.occurrence
    return Seen(
        request_id=entry.admission.id,
        signature=spelled(sighting.signature),
        occurrence=hashlib.sha256(name.encode()).hexdigest() if name else "",
        is_named=sighting.is_named,
        # When it came, not when it was decided: an edge may have waited for us.
        at=datetime.fromtimestamp(entry.admission.received_at, UTC),
    )


def is_replay(error: IntegrityError) -> bool:
    """Whether a batch was undone because one of it was a copy."""
    diagnostics: Any = getattr(error.__cause__, "diag", None)
    return getattr(diagnostics, "constraint_name", None) == _CONSTRAINT


def refused(entry: Entry) -> Entry:
    """The copy as it is recorded: refused, in its tenant's ledger."""
    if not isinstance(entry, Allowed):
        return entry
    claim = entry.examined.claim
    return Refused(
        admission=entry.admission,
        key=entry.examined.key,
        problem=RequestReplayed(),
        signing_name=claim.service,
        region=claim.region,
        examined=entry.examined,
    )


def forget(*, tenant_id: UUID, now: datetime) -> int:
    """Forget what nobody would believe any more. Call inside the tenant's transaction; returns how many."""
    gone, _ = Sighting.objects.for_tenant(tenant_id).filter(at__lt=now - KEPT).delete()
    return gone
