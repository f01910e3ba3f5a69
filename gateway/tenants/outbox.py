"""Writing to the outbox. Publishing it is `gateway.requests.tasks`, which is told by name after the commit."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from gateway.tenants.models import OutboxKind, OutboxMessage

log = logging.getLogger("hoopweb.outbox")
# By name: tenants lies below the room that publishes, and must not import it.
PUBLISH_TASK = "gateway.requests.tasks.publish_outbox"


def enqueue(*, tenant_id: UUID, kind: OutboxKind, subject: UUID, now: datetime) -> OutboxMessage:
    """Promise a consequence in the caller's transaction; it is published after the commit, at least once."""
    message = OutboxMessage.objects.create(tenant_id=tenant_id, kind=kind, subject=subject, created_at=now)
    transaction.on_commit(lambda: _announce(tenant_id))
    return message


def _announce(tenant_id: UUID) -> None:
    """Hurry the publisher. It is only a hint: what a lost broker does not hear, the sweep finds within seconds."""
    try:
        current_app.send_task(PUBLISH_TASK, args=(str(tenant_id),), queue="approved", retry=False)
    except OperationalError as error:
        log.warning("the broker is away (%s); the sweep will publish", type(error).__name__)
