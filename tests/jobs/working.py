"""Starting jobs and working them to their end, as a worker would."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from audit.models import Event
from audit.selectors import facts_of
from gateway.connections.models import Connection
from gateway.jobs import services, work
from gateway.jobs.models import MaskingJob
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant

BY = {"by_label": "olga", "reason": "a test"}


def scan(connection: Connection, **target: Any) -> MaskingJob:
    with in_tenant(connection.tenant_id):
        return services.start_scan(
            tenant=connection.tenant,
            connection_id=connection.pk,
            target={"region": "", "percent": 100, **target},
            now=timezone.now(),
            **BY,
        )


def copy(connection: Connection, **target: Any) -> MaskingJob:
    with in_tenant(connection.tenant_id):
        return services.start_copy(
            tenant=connection.tenant,
            connection_id=connection.pk,
            target={"region": "", **target},
            now=timezone.now(),
            **BY,
        )


def remask(tenant: Tenant) -> MaskingJob:
    with in_tenant(tenant):
        return services.start_remask(tenant=tenant, now=timezone.now(), **BY)


def worked(job: MaskingJob) -> MaskingJob:
    """The job after all its turns."""
    while work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=timezone.now):
        continue
    return read(job)


def read(job: MaskingJob) -> MaskingJob:
    with in_tenant(job.tenant_id):
        return services.job_of(job.tenant, job.pk)


def found(job: MaskingJob) -> dict[str, dict[str, int]]:
    """Counts by type, by place."""
    with in_tenant(job.tenant_id):
        return {one.place: one.types for one in services.findings(job)}


def told(job: MaskingJob) -> list[tuple[str, str, str]]:
    """The job's events: kind, by whom, what."""
    with in_tenant(job.tenant_id):
        rows = Event.objects.for_tenant(job.tenant_id).filter(subject=job.pk).order_by("sequence")
        return [(row.kind, facts_of(row)["by"], facts_of(row)["what"]) for row in rows]
