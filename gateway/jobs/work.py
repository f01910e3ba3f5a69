"""One worker's turn at one job: take the lease, work page by page, write each page down whole, hand back or end.

Nothing is lost with a worker: a page and its cursor are one transaction, and a lease that ran out is anybody's.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from audit.kinds import EventKind
from gateway.connections.models import ConnectionState
from gateway.connections.selectors import role_target
from gateway.connections.sts import RoleTarget
from gateway.jobs import services
from gateway.jobs.aws import Reach, bucket_arns
from gateway.jobs.copies import How, copy_page
from gateway.jobs.models import OPEN, JobFinding, JobKind, JobState, MaskingJob
from gateway.jobs.problems import JobDelayed, JobStopped
from gateway.jobs.remasking import remask_page
from gateway.jobs.scans import scan_page
from gateway.jobs.steps import Beat, Found, Page
from gateway.masking.catalogue import ScannerFailed
from gateway.policy.detectors import live_detectors
from gateway.policy.models import Policy
from gateway.policy.services import compiled
from gateway.problems import Problem
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import AccessClass

log = logging.getLogger("hoopweb.jobs")
# Kept by a beat while a page is worked; after it another worker goes on from the cursor.
LEASE = timedelta(minutes=5)
BEAT = timedelta(seconds=1)
# One turn: then the job goes to the end of the queue, so that a long one does not keep the others waiting.
TURN = timedelta(seconds=30)
# A place at which workers die, or AWS stays busy, ends the job after so many turns in vain.
MOST_TRIES = 8
SHORTEST_DELAY, LONGEST_DELAY = timedelta(seconds=5), timedelta(minutes=5)
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
            if turn is None or _page_done(turn, lease, now, until):
                return False
        except Lost:
            return False
        except JobDelayed as problem:
            _delayed(tenant_id, job_id, lease, problem, now())
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
        taken = rows.update(lease=lease, lease_until=now + LEASE, state=JobState.RUNNING, tries=F("tries") + 1)
        MaskingJob.objects.for_tenant(tenant_id).filter(pk=job_id, lease=lease, began_at=None).update(began_at=now)
    return bool(taken)


def _handed_back(tenant_id: UUID, job_id: UUID, lease: UUID) -> None:
    with in_tenant(tenant_id):
        rows = MaskingJob.objects.for_tenant(tenant_id).filter(pk=job_id, lease=lease)
        rows.update(lease=None, lease_until=None, progress=None)


def _delayed(tenant_id: UUID, job_id: UUID, lease: UUID, problem: JobDelayed, now: datetime) -> None:
    """AWS is busy: the job waits a while, longer each time, until anything was done again."""
    with in_tenant(tenant_id):
        rows = MaskingJob.objects.for_tenant(tenant_id).filter(pk=job_id, lease=lease)
        tries = rows.values_list("tries", flat=True).first() or 0
        wait = min(LONGEST_DELAY, SHORTEST_DELAY * 2 ** max(0, tries - 1))
        # What the sweep takes for a lease that ran out.
        rows.update(lease=None, lease_until=now + wait, progress=None)
    log.warning("job %s waits %s s: %s", job_id, wait.total_seconds(), problem.detail)


def _turn(tenant_id: UUID, job_id: UUID, lease: UUID, now: datetime) -> Turn | None:
    """The job as of now, if it is still ours; raises JobStopped where it may not go on."""
    with in_tenant(tenant_id):
        rows = MaskingJob.objects.for_tenant(tenant_id).filter(pk=job_id, lease=lease, state=JobState.RUNNING)
        rows.update(lease_until=now + LEASE)
        job = rows.select_related("connection").first()
        if job is None:
            return None
        _check_standing(job)
        if job.tries > MOST_TRIES:
            raise JobStopped(f"It was begun {MOST_TRIES} times at the same place, and nothing came of it")
        tenant = Tenant.objects.get(pk=tenant_id)
        return Turn(job=job, reach=_reach(tenant, job), detectors=live_detectors(tenant))


def _check_standing(job: MaskingJob) -> None:
    """Raise JobStopped where the kill switch was thrown."""
    if Tenant.objects.filter(pk=job.tenant_id, is_suspended=True).exists():
        raise JobStopped("The tenant is suspended")
    if job.connection is not None and job.connection.state != ConnectionState.ACTIVE:
        raise JobStopped("The connection is suspended")


class Lost(Exception):
    """The job is somebody else's by now, or over: whoever notices stops where it is."""


class Heart:
    """Beats while a page is worked: keeps the lease, tells how far it is, and stops what may not go on."""

    def __init__(self, job: MaskingJob, lease: UUID, now: Callable[[], datetime]) -> None:
        self._job, self._lease, self._now = job, lease, now
        self._due = now() + BEAT

    def beat(self, place: str, done: int) -> None:
        """Called as often as one likes. Raises Lost, and JobStopped where the kill switch was thrown."""
        now = self._now()
        if now < self._due:
            return
        self._due = now + BEAT
        with in_tenant(self._job.tenant_id):
            rows = MaskingJob.objects.for_tenant(self._job.tenant_id).filter(
                pk=self._job.pk, lease=self._lease, state=JobState.RUNNING
            )
            job = rows.select_related("connection").first()
            if job is None:
                raise Lost
            _check_standing(job)
            rows.update(lease_until=now + LEASE, progress={"place": place, "bytes": done})


def _reach(tenant: Tenant, job: MaskingJob) -> Reach | None:
    if job.connection is None:
        return None
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


def _page_done(turn: Turn, lease: UUID, now: Callable[[], datetime], until: datetime) -> bool:
    """Work one page and write it down object by object; returns whether the job is over, or no longer ours.

    Raises what AWS, policy and the kill switch have to say; what was written stays.
    """
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
                now=now(),
            )
            return _written(job, page, lease, now())
    for part in _parts(turn, turn.reach, Heart(job, lease, now).beat):
        with in_tenant(job.tenant_id):
            if _written(job, part, lease, now()):
                return True
        if now() >= until:
            break
    return False


def _parts(turn: Turn, reach: Reach, beat: Beat) -> Iterator[Page]:
    job = turn.job
    if job.kind == JobKind.COPY:
        return copy_page(reach, job.target, job.cursor, How(detectors=turn.detectors, rules=job.rules, beat=beat))
    return scan_page(reach, job.target, job.cursor, turn.detectors, beat)


def _written(was: MaskingJob, page: Page, lease: UUID, now: datetime) -> bool:
    rows = MaskingJob.objects.for_tenant(was.tenant_id).select_for_update()
    job = rows.filter(pk=was.pk, lease=lease, state=JobState.RUNNING).first()
    if job is None:
        # Cancelled meanwhile, or another worker has it: what this page found is found again, or wanted by nobody.
        transaction.set_rollback(True)
        return True
    job.counts = dict(Counter(job.counts) + page.counts)
    job.cursor, job.tries, job.progress, job.lease_until = page.cursor, 0, None, now + LEASE
    for place, found in page.findings.items():
        _kept(job, place, found)
    if page.ends:
        fresh = Counter(job.counts) - Counter(job.told)
        job.pages, job.told = job.pages + 1, job.counts
        what = f"page {job.pages} of {services.described(job)}: {services.told(fresh)}"
        reason = f"started by {job.started_by}"
        services.record(EventKind.JOB_WORKED, job, what, by_label=SYSTEM, now=now, reason=reason)
    job.save(update_fields=("counts", "cursor", "pages", "tries", "progress", "told", "lease_until"))
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
