"""Masking jobs: started and cancelled by people, read with what they found. The work itself is `work`'s.

Who may start one is asked by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from audit.kinds import EventKind
from audit.services import append
from gateway.connections.models import Connection
from gateway.connections.selectors import active_connection
from gateway.jobs.models import OPEN, JobFinding, JobKind, JobState, MaskingJob
from gateway.jobs.problems import JobOver, JobRefused, JobUnknown
from gateway.masking.recorded import mask_text
from gateway.masking.versions import rules_version
from gateway.tenants.models import Tenant

# More at once would only wait for each other, and for the tenant's own calls.
MOST_OPEN = 10
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_LOG_GROUP = re.compile(r"[A-Za-z0-9_/.#-]{1,512}")
LONGEST_PREFIX = 900


@transaction.atomic
def start_remask(*, tenant: Tenant, by_label: str, reason: str, now: datetime) -> MaskingJob:
    """Mask every recording there is now again, with the rules of today."""
    return _start(tenant, JobKind.REMASK, None, {"until": now.isoformat()}, by_label, reason, now)


@transaction.atomic
def start_scan(
    *, tenant: Tenant, connection_id: UUID, target: Mapping[str, Any], by_label: str, reason: str, now: datetime
) -> MaskingJob:
    """Look where secrets lie: `target` is {what, region, percent} and bucket and prefix, table, or log_group.

    Raises ConnectionUnknown, JobRefused.
    """
    connection = active_connection(tenant, connection_id)
    kept = {"what": target["what"], "region": _region(connection, target), "percent": target["percent"]}
    match target["what"]:
        case "bucket":
            kept |= {"bucket": _named(target, "bucket", _BUCKET), "prefix": _prefix(target, "prefix")}
        case "table":
            kept |= {"table": _named(target, "table", _TABLE)}
        case "log-group":
            kept |= {"log_group": _named(target, "log_group", _LOG_GROUP)}
        case _:
            raise JobRefused("A scan is of a bucket, a table or a log-group")
    return _start(tenant, JobKind.SCAN, connection, kept, by_label, reason, now)


@transaction.atomic
def start_copy(
    *, tenant: Tenant, connection_id: UUID, target: Mapping[str, Any], by_label: str, reason: str, now: datetime
) -> MaskingJob:
    """Copy what lies below a prefix, masked: `target` is {region, bucket, prefix, to_bucket, to_prefix}.

    Raises ConnectionUnknown, JobRefused.
    """
    connection = active_connection(tenant, connection_id)
    kept = {
        "region": _region(connection, target),
        **{name: _named(target, name, _BUCKET) for name in ("bucket", "to_bucket")},
        **{name: _prefix(target, name) for name in ("prefix", "to_prefix")},
    }
    if kept["bucket"] == kept["to_bucket"] and (
        kept["to_prefix"].startswith(kept["prefix"]) or kept["prefix"].startswith(kept["to_prefix"])
    ):
        raise JobRefused("Source and copy lie one inside the other: the copies would be copied again")
    return _start(tenant, JobKind.COPY, connection, kept, by_label, reason, now)


@transaction.atomic
def cancel(*, tenant: Tenant, job_id: UUID, by_label: str, now: datetime) -> MaskingJob:
    """End a job before its end; the page at work is the last. Raises JobUnknown, JobOver."""
    job = _locked(tenant, job_id)
    if job.state not in OPEN:
        raise JobOver
    end(job, JobState.CANCELLED, by_label=by_label, now=now)
    return job


def end(job: MaskingJob, state: JobState, *, by_label: str, now: datetime, error: str = "") -> None:
    """Write a locked job's end, with its event."""
    job.state, job.error, job.ended_at, job.progress = state, error[:400], now, None
    job.lease = job.lease_until = None
    job.save(update_fields=("state", "error", "ended_at", "progress", "lease", "lease_until"))
    record(EventKind.JOB_ENDED, job, f"{state.value}: {told(job.counts)}", by_label=by_label, now=now, reason=error)


def record(kind: EventKind, job: MaskingJob, what: str, *, by_label: str, now: datetime, reason: str = "") -> None:
    """One event of a job, in the ledger of its tenant."""
    data = {"by": by_label, "name": str(job.kind), "what": what[:400], **({"reason": reason[:400]} if reason else {})}
    append(tenant_id=job.tenant_id, kind=kind, at=now, subject=job.pk, data=data)


def told(counts: Mapping[str, int]) -> str:
    """Counts as a line."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items())) or "nothing"


def jobs(tenant: Tenant) -> QuerySet[MaskingJob]:
    """All jobs, newest first, with their connections."""
    found: QuerySet[MaskingJob] = MaskingJob.objects.for_tenant(tenant).select_related("connection")
    return found.order_by("-created_at", "-id")


def job_of(tenant: Tenant, job_id: UUID) -> MaskingJob:
    """One job; raises JobUnknown, for another tenant's as for none."""
    found = jobs(tenant).filter(pk=job_id).first()
    if found is None:
        raise JobUnknown
    return found


def findings(job: MaskingJob) -> QuerySet[JobFinding]:
    """What a job found, by place."""
    rows: QuerySet[JobFinding] = JobFinding.objects.for_tenant(job.tenant_id).filter(job=job)
    return rows.order_by("place", "id")


def _locked(tenant: Tenant, job_id: UUID) -> MaskingJob:
    job_of(tenant, job_id)
    found: MaskingJob = MaskingJob.objects.for_tenant(tenant).select_for_update().get(pk=job_id)
    return found


def _start(
    tenant: Tenant,
    kind: JobKind,
    connection: Connection | None,
    target: dict[str, Any],
    by_label: str,
    reason: str,
    now: datetime,
) -> MaskingJob:
    # One at a time for the whole tenant, so that the bound holds.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if MaskingJob.objects.for_tenant(tenant).filter(state__in=OPEN).count() >= MOST_OPEN:
        raise JobRefused(f"{MOST_OPEN} jobs are open already: wait for one, or cancel one")
    made: MaskingJob = MaskingJob.objects.create(
        tenant=tenant,
        kind=kind,
        connection=connection,
        target=target,
        rules=rules_version(),
        started_by=by_label,
        reason=mask_text(reason).text[:400],
        created_at=now,
    )
    record(EventKind.JOB_STARTED, made, described(made), by_label=by_label, now=now, reason=made.reason)
    return made


def described(job: MaskingJob) -> str:
    """What a job is about, in words."""
    target = job.target
    match job.kind:
        case JobKind.REMASK:
            return f"all recordings until {target['until']}"
        case JobKind.COPY:
            return f"s3://{target['bucket']}/{target['prefix']} to s3://{target['to_bucket']}/{target['to_prefix']}"
    match target["what"]:
        case "bucket":
            return f"s3://{target['bucket']}/{target['prefix']}, {target['percent']} % of the objects"
        case "table":
            return f"table {target['table']}, {target['percent']} % of the items"
    return f"log group {target['log_group']}, {target['percent']} % of the events"


def _region(connection: Connection, target: Mapping[str, Any]) -> str:
    region = str(target["region"] or connection.regions[0])
    if region not in connection.regions:
        raise JobRefused(f"The connection does not reach {region}")
    return region


def _named(target: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = str(target.get(name) or "")
    if not form.fullmatch(value):
        raise JobRefused(f"`{name}` is not a name AWS would take")
    return value


def _prefix(target: Mapping[str, Any], name: str) -> str:
    value = str(target.get(name) or "")
    # `*` and `?` would stand for more in the session's own policy.
    if len(value) > LONGEST_PREFIX or not value.isprintable() or set("*?$") & set(value):
        raise JobRefused(f"`{name}` is too long, or holds characters that stand for others")
    if mask_text(value).text != value:
        raise JobRefused(f"`{name}` holds what looks like a secret")
    return value
