"""Masking jobs as pages: started, watched, cancelled, and what they found."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from gateway.connections import selectors as connections
from gateway.connections.models import ConnectionState
from gateway.identity.caller import Caller
from gateway.jobs import services
from gateway.jobs.models import OPEN, MaskingJob
from gateway.problems import Problem
from gateway.tenants.rights import Right
from hoopweb.api.errors import Malformed
from hoopweb.api.jobs import FINDINGS, ORDER, queue_soon
from hoopweb.ui.base import cursor_of, page, show

FIELDS = (
    "connection",
    "what",
    "bucket",
    "prefix",
    "table",
    "log_group",
    "percent",
    "region",
    "to_bucket",
    "to_prefix",
    "reason",
)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.POLICIES_READ, POST=Right.JOBS_RUN)
def job_list(request: HttpRequest, caller: Caller) -> HttpResponse:
    """All jobs, newest first; a POST starts one."""
    if request.method != "POST":
        return _page(request, caller)
    given = {name: request.POST.get(name, "")[: services.LONGEST_PREFIX + 1] for name in FIELDS}
    try:
        job = _started(request.POST.get("kind", ""), given, caller)
    except Problem as problem:
        return _page(request, caller, given=given, problem=problem)
    queue_soon(caller.tenant, job)
    return HttpResponseRedirect(reverse("ui:masking-job", args=(job.pk,)))


def _started(kind: str, given: dict[str, str], caller: Caller) -> MaskingJob:
    tenant, by, reason, now = caller.tenant, caller.label, given["reason"], timezone.now()
    match kind:
        case "remask":
            return services.start_remask(tenant=tenant, by_label=by, reason=reason, now=now)
        case "scan":
            target = {**given, "percent": _percent(given["percent"])}
            connection = _connection(given)
            return services.start_scan(
                tenant=tenant, connection_id=connection, target=target, by_label=by, reason=reason, now=now
            )
        case "copy":
            connection = _connection(given)
            return services.start_copy(
                tenant=tenant, connection_id=connection, target=given, by_label=by, reason=reason, now=now
            )
    raise Malformed("Choose what the job is to do")


def _connection(given: dict[str, str]) -> UUID:
    try:
        return UUID(given["connection"])
    except ValueError:
        raise Malformed("Choose a connection") from None


def _percent(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= 100):
        raise Malformed("A share is a whole number from 1 to 100")
    return int(text)


def _page(request: HttpRequest, caller: Caller, *, problem: Problem | None = None, **shown: object) -> HttpResponse:
    rows = connections.connections(caller.tenant).filter(state=ConnectionState.ACTIVE)
    found = ORDER.page(services.jobs(caller.tenant), **cursor_of(request))
    context = {
        "page": found,
        "jobs": [(job, services.described(job), services.told(job.counts)) for job in found.items],
        "connections": rows,
        "problem": problem,
        **shown,
    }
    status = problem.status if problem else 200
    return show(request, caller, "masking_jobs.html", context, here="policies", status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.POLICIES_READ, POST=Right.JOBS_RUN)
def job(request: HttpRequest, caller: Caller, job_id: UUID) -> HttpResponse:
    """One job with its progress and what it found; a POST cancels it."""
    found = services.job_of(caller.tenant, job_id)
    if request.method == "POST":
        services.cancel(tenant=caller.tenant, job_id=found.pk, by_label=caller.label, now=timezone.now())
        return HttpResponseRedirect(reverse("ui:masking-job", args=(found.pk,)))
    context = {
        "job": found,
        "about": services.described(found),
        "is_open": found.state in OPEN,
        "counts": sorted((name.replace("_", " "), count) for name, count in found.counts.items()),
        "page": FINDINGS.page(services.findings(found), **cursor_of(request)),
    }
    return show(request, caller, "masking_job.html", context, here="policies")
