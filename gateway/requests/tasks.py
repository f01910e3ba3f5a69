"""Celery tasks: publishing the outbox, running approved calls, ending what lapsed.

Delivery is at least once; the database decides what happens once (see `run` and `settle`).
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from celery import current_task, shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from approvals.services import expire_due
from gateway.requests import edges, replays, run, settle
from gateway.requests.models import ApprovedRun, RunState
from gateway.tenants.models import OutboxKind, OutboxMessage
from gateway.tenants.scope import all_tenant_ids, in_tenant

log = logging.getLogger("hoopweb.tasks")
# One sweep's share: a broker that was away for long is not flooded when it comes back.
LARGEST_SWEEP = 200


@shared_task
def take_grant(tenant_id: str, approval_id: str) -> None:
    """A grant was given: queue the run of the call that waits for it, if one does."""
    run.open_run(tenant_id=UUID(tenant_id), approval_id=UUID(approval_id), now=timezone.now())


@shared_task
def perform_run(tenant_id: str, run_id: str) -> None:
    """Perform a queued run; of several messages about one run, one does anything."""
    worker = str(current_task.request.hostname or "worker")
    kind = run.perform(tenant_id=UUID(tenant_id), run_id=UUID(run_id), worker=worker, now=timezone.now())
    log.info("run %s ended: %s", run_id, kind.value if kind else "another worker has it")


_TASK_OF: dict[OutboxKind, Any] = {OutboxKind.REQUEST_GRANTED: take_grant, OutboxKind.RUN_GRANTED: perform_run}


@shared_task
def sweep_outbox() -> None:
    """Publish every outbox row that is not published yet, and publish again what no worker began."""
    for tenant_id in all_tenant_ids():
        publish(tenant_id)
        _requeue(tenant_id)


@shared_task
def publish_outbox(tenant_id: str) -> None:
    """Publish one tenant's outbox now; told by whoever wrote to it, right after the commit."""
    publish(UUID(tenant_id))


def publish(tenant_id: UUID) -> int:
    """Publish one tenant's outbox; returns how many. A broker that is away leaves them for the next sweep."""
    with in_tenant(tenant_id):
        rows = OutboxMessage.objects.for_tenant(tenant_id).filter(published_at=None).order_by("created_at")
        # Skipping locked rows: two sweeps at once publish different rows, and a double would do no harm.
        found = list(rows.select_for_update(skip_locked=True)[:LARGEST_SWEEP])
        for message in found:
            if not _sent(message.kind, tenant_id, message.subject):
                return 0
            message.published_at, message.attempts = timezone.now(), message.attempts + 1
            message.save(update_fields=("published_at", "attempts"))
    return len(found)


def _sent(kind: str, tenant_id: UUID, subject: UUID) -> bool:
    task = _TASK_OF[OutboxKind(kind)]
    try:
        task.apply_async(args=(str(tenant_id), str(subject)), retry=False, queue="approved")
    except OperationalError as error:
        log.warning("the broker is away (%s); %s of %s is sent later", type(error).__name__, kind, subject)
        return False
    return True


def _requeue(tenant_id: UUID) -> None:
    """Runs still queued after a while: their message was lost with the broker; a second one does no harm."""
    now = timezone.now()
    with in_tenant(tenant_id):
        stale = ApprovedRun.objects.for_tenant(tenant_id).filter(state=RunState.QUEUED, queued_at__lt=now - run.STALE)
        found = list(stale.values_list("id", flat=True)[:LARGEST_SWEEP])
    for run_id in found:
        if not _sent(OutboxKind.RUN_GRANTED, tenant_id, run_id):
            return


@shared_task
def expire_approvals() -> None:
    """End what nobody will end: approvals whose time is up and calls that wait for them, runs, kept results."""
    for tenant_id in all_tenant_ids():
        now = timezone.now()
        with in_tenant(tenant_id):
            expire_due(tenant_id=tenant_id, now=now)
            replays.forget(tenant_id=tenant_id, now=now)
        settle.end_unanswerable(tenant_id=tenant_id, now=now)
        run.settle_lost(tenant_id=tenant_id, now=now)
        run.erase_results(tenant_id=tenant_id, now=now)


@shared_task
def fence_silent_edges() -> None:
    """Fence edges that went silent, and settle what fenced ones left."""
    now = timezone.now()
    edges.fence_silent(now=now)
    edges.settle_fenced(now=now)
