"""Writing to the outbox. Publishing it is `gateway.requests.tasks`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from gateway.tenants.models import OutboxKind, OutboxMessage


def enqueue(*, tenant_id: UUID, kind: OutboxKind, subject: UUID, now: datetime) -> OutboxMessage:
    """Promise a consequence in the caller's transaction; it is published after the commit, at least once."""
    return OutboxMessage.objects.create(tenant_id=tenant_id, kind=kind, subject=subject, created_at=now)
