"""One worker's turn at one job: take the lease, work page by page, write each page down whole, hand back or end.

Nothing is lost with a worker: a page and its cursor are one transaction, and a lease that ran out is anybody's.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from audit.kinds import EventKind
from gateway.connections.models import ConnectionState
from gateway.connections.selectors import role_target
from gateway.connections.sts import RoleTarget
from gateway.jobs import services
from gateway.jobs.aws import Reach, bucket_arns
from gateway.jobs.copies import copy_page
from gateway.jobs.models import OPEN, JobFinding, JobKind, JobState, MaskingJob
from gateway.jobs.problems import JobStopped
from gateway.jobs.remasking import remask_page
from gateway.jobs.scans import scan_page
from gateway.jobs.steps import Found, Page
from gateway.masking.catalogue import ScannerFailed
from gateway.policy.detectors import live_detectors
from gateway.policy.models import Policy
from gateway.policy.services import compiled
from gateway.problems import Problem
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import AccessClass

log = logging.getLogger("hoopweb.jobs")
# Longer than any page takes; after it another worker goes on from the cursor.
LEASE = timedelta(minutes=5)
# One turn: then the job goes to the end of the queue, so that a long one does not keep the others waiting.
TURN = timedelta(seconds=30)
SYSTEM = "system"
_READS_S3 = ("s3:ListBucket", "s3:GetObject", "s3:GetObjectVersion")
_ACTIONS = {
    "bucket": _READS_S3,
    "table": ("dynamodb:DescribeTable", "dynamodb:Scan"),
    "log-group": ("logs:FilterLogEvents",),
}
_COPIES = (*_READS_S3, "s3:GetBucketPolicyStatus", "s3:PutObject", "s3:AbortMultipartUpload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one page needs, read in one transaction before it."""

    job: MaskingJob
    reach: Reach | None
    detectors: bytes


def perform(*, tenant_id: UUID, job_id: UUID, now: Callable[[], datetime]) -> bool:
    """Work on a job for a turn; returns whether there is more to do. Of two workers one does anything."""
    lease, until = uuid.uuid4(), now() + TURN
    if not _taken(tenant_id, job_id, lease, now()):
        return False
    while now() < until:
        try:
            turn = _turn(tenant_id, job_id, lease, now())
            if turn is None:
                return False
            if _page_done(turn, lease, now()):
                return False
        except (Problem, ScannerFailed) as problem:
            _fail(tenant_id, job_id, lease, problem, now())
            return False
    _handed_back(tenant_id, job_id, lease)
    return True


def _taken(tenant_id: UUID, job_id: UUID, lease: UUID, now: datetime) -> bool:
    with in_tenant(tenant_id):
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        rows = MaskingJob.objects.for_tenant(tenant_id).filter(free, pk=job_id, state__in=OPEN)
        taken = rows.update(lease=lease, lease_until=now + LEASE, state=JobState.RUNNING)
        MaskingJob.objects.for_tenant(tenant_id).filter(pk=job_id, lease=lease, began_at=None).update(began_at=now)
    return bool(taken)


def _handed_back(tenant_id: UUID, job_id: UUID, lease: UUID) -> None:
    with in_tenant(tenant_id):
        rows = MaskingJob.objects.for_tenant(tenant_id).filter(pk=job_id, lease=lease)
        rows.update(lease=None, lease_until=None)


def _turn(tenant_id: UUID, job_id: UUID, lease: UUID, now: datetime) -> Turn | None:
    """The job as of now, if it is still ours; raises JobStopped where it may not go on."""
    with in_tenant(tenant_id):
        rows = MaskingJob.objects.for_tenant(tenant_id).filter(pk=job_id, lease=lease, state=JobState.RUNNING)
        rows.update(lease_until=now + LEASE)
        job = rows.select_related("connection").first()
        if job is None:
            return None
        tenant = Tenant.objects.get(pk=tenant_id)
        if tenant.is_suspended:
            raise JobStopped("The tenant is suspended")
        return Turn(job=job, reach=_reach(tenant, job), detectors=live_detectors(tenant))


def _reach(tenant: Tenant, job: MaskingJob) -> Reach | None:
    if job.connection is None:
        return None
    if job.connection.state != ConnectionState.ACTIVE:
        raise JobStopped("The connection is suspended")
    current = Policy.objects.for_tenant(tenant).filter(name="main").values_list("current_id", flat=True).first()
    target = role_target(tenant, job.connection)
    is_copy = job.kind == JobKind.COPY
    return Reach(
        job_id=job.pk,
        target=target,
        connection_label=job.connection.name,
        region=job.target["region"],
        actions=_COPIES if is_copy else _ACTIONS[job.target["what"]],
        arns=_arns(job, target),
        revision=compiled(tenant.pk, current),
        access=AccessClass.WRITE if is_copy else AccessClass.READ,
    )


def _arns(job: MaskingJob, home: RoleTarget) -> tuple[str, ...]:
    what, target = job.target, f"{job.target.get('region')}:{home.end_account}"
    if job.kind == JobKind.COPY:
        return (*bucket_arns(what["bucket"], what["prefix"]), *bucket_arns(what["to_bucket"], what["to_prefix"]))
    match what["what"]:
        case "bucket":
            return tuple(bucket_arns(what["bucket"], what["prefix"]))
        case "table":
            return (f"arn:aws:dynamodb:{target}:table/{what['table']}",)
    return (
        f"arn:aws:logs:{target}:log-group:{what['log_group']}",
        f"arn:aws:logs:{target}:log-group:{what['log_group']}:*",
    )


def _page_done(turn: Turn, lease: UUID, now: datetime) -> bool:
    """Work one page and write it down; returns whether it was the last, or the job is no longer ours."""
    job = turn.job
    if turn.reach is None:
        with in_tenant(job.tenant_id):
            page = remask_page(
                tenant_id=job.tenant_id,
                job_id=job.pk,
                target=job.target,
                cursor=job.cursor,
                detectors=turn.detectors,
                rules=job.rules,
                now=now,
            )
            return _written(job, page, lease, now)
    if job.kind == JobKind.COPY:
        page = copy_page(turn.reach, job.target, job.cursor, turn.detectors, job.rules)
    else:
        page = scan_page(turn.reach, job.target, job.cursor, turn.detectors)
    with in_tenant(job.tenant_id):
        return _written(job, page, lease, now)


def _written(was: MaskingJob, page: Page, lease: UUID, now: datetime) -> bool:
    rows = MaskingJob.objects.for_tenant(was.tenant_id).select_for_update()
    job = rows.filter(pk=was.pk, lease=lease, state=JobState.RUNNING).first()
    if job is None:
        # Cancelled meanwhile, or another worker has it: what this page found is found again, or wanted by nobody.
        transaction.set_rollback(True)
        return True
    job.counts = dict(Counter(job.counts) + page.counts)
    job.cursor, job.pages = page.cursor, job.pages + 1
    job.save(update_fields=("counts", "cursor", "pages"))
    for place, found in page.findings.items():
        _kept(job, place, found)
    what = f"page {job.pages} of {services.described(job)}: {services.told(page.counts)}"
    services.record(EventKind.JOB_WORKED, job, what, by_label=SYSTEM, now=now, reason=f"started by {job.started_by}")
    if page.cursor is None:
        services.end(job, JobState.DONE, by_label=SYSTEM, now=now)
    return page.cursor is None


def _kept(job: MaskingJob, place: str, found: Found) -> None:
    row, _ = JobFinding.objects.for_tenant(job.tenant_id).get_or_create(
        job=job, place=place, defaults={"tenant": job.tenant, "types": {}, "rules": {}}
    )
    row.types = dict(Counter(row.types) + found.types)
    row.rules = dict(Counter(row.rules) + found.rules)
    row.save(update_fields=("types", "rules"))


def _fail(tenant_id: UUID, job_id: UUID, lease: UUID, problem: Problem | ScannerFailed, now: datetime) -> None:
    told = f"{problem.title}. {problem.detail}" if isinstance(problem, Problem) else "The rules did not load"
    log.warning("job %s stopped: %s", job_id, type(problem).__name__)
    with in_tenant(tenant_id):
        rows = MaskingJob.objects.for_tenant(tenant_id).select_for_update()
        job = rows.filter(pk=job_id, lease=lease).first()
        if job is not None:
            services.end(job, JobState.FAILED, by_label=SYSTEM, now=now, error=told)
