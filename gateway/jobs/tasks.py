"""Celery tasks of masking jobs. Delivery is at least once; the lease decides who works."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from gateway.jobs import work
from gateway.jobs.models import OPEN, MaskingJob
from gateway.tenants.scope import all_tenant_ids, in_tenant

log = logging.getLogger("hoopweb.jobs")
# A job nobody has worked on for so long lost its message, or its worker.
STALE = timedelta(seconds=10)


# One object may take long; the lease and its beat, and not the task, say who works and whether it may go on.
LONGEST_TURN_SECONDS = 6 * 3600


@shared_task(time_limit=LONGEST_TURN_SECONDS)
def perform_job(tenant_id: str, job_id: str) -> None:
    """One turn at a job; what is left is queued again."""
    if work.perform(tenant_id=UUID(tenant_id), job_id=UUID(job_id), now=timezone.now):
        queue(UUID(tenant_id), UUID(job_id))


@shared_task
def sweep_jobs() -> None:
    """Queue every open job that no worker has."""
    now = timezone.now()
    for tenant_id in all_tenant_ids():
        with in_tenant(tenant_id):
            free = Q(lease_until=None, created_at__lt=now - STALE) | Q(lease_until__lt=now)
            rows = MaskingJob.objects.for_tenant(tenant_id).filter(free, state__in=OPEN)
            waiting = list(rows.values_list("id", flat=True))
        for job_id in waiting:
            queue(tenant_id, job_id)


def queue(tenant_id: UUID, job_id: UUID) -> None:
    """Tell a worker; a broker that is away is made good by the next sweep."""
    try:
        perform_job.apply_async(args=(str(tenant_id), str(job_id)), retry=False, queue="jobs")
    except OperationalError as error:
        log.warning("the broker is away (%s); job %s begins later", type(error).__name__, job_id)
