"""Approvals: what waits, one request in full, and the form that votes. GET never votes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from approvals import selectors, services
from approvals.models import ApprovalRequest, ApprovalState, VoteAnswer
from gateway.identity.caller import Caller
from gateway.tenants.rights import Right
from hoopweb.api.approvals import ORDER, prompt_of
from hoopweb.api.errors import Malformed
from hoopweb.presence import signed_in_at
from hoopweb.ui.base import cursor_of, page, show

# An inbox longer than this is worked from the top.
_MOST_PENDING = 100


def _is_open(approval: ApprovalRequest, now: datetime) -> bool:
    return approval.state == ApprovalState.PENDING and now < approval.expires_at


@require_safe
@page(Right.APPROVALS_READ)
def inbox(request: HttpRequest, caller: Caller) -> HttpResponse:
    now = timezone.now()
    rows = selectors.listed(tenant=caller.tenant)
    pending = list(selectors.inbox(tenant=caller.tenant, now=now)[:_MOST_PENDING])
    decided = ORDER.page(rows.exclude(state=ApprovalState.PENDING, expires_at__gt=now), **cursor_of(request))
    context = {"pending": pending, "page": decided, "now": now, "mark": _inbox_mark(caller)}
    return show(request, caller, "approvals.html", context, here="approvals")


def _inbox_mark(caller: Caller) -> str:
    rows = ApprovalRequest.objects.for_tenant(caller.tenant).filter(state=ApprovalState.PENDING)
    return ".".join(str(pk)[:8] for pk in rows.order_by("opened_at").values_list("pk", flat=True)[:_MOST_PENDING])


@require_safe
@page(Right.APPROVALS_READ)
def inbox_pulse(request: HttpRequest, caller: Caller) -> HttpResponse:
    return JsonResponse({"mark": _inbox_mark(caller)})


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.APPROVALS_READ, POST=Right.APPROVALS_VOTE)
def detail(request: HttpRequest, caller: Caller, approval_id: UUID) -> HttpResponse:
    if request.method == "POST":
        return _vote(request, caller, approval_id)
    told = selectors.detail(tenant=caller.tenant, approval_id=approval_id)
    approval, now = told.approval, timezone.now()
    context = {
        "approval": approval,
        "votes": told.votes,
        "requirements": told.requirements,
        "prompt": prompt_of(approval),
        "is_open": _is_open(approval, now),
        "is_own": caller.user is not None and caller.user.pk == approval.asker_id,
        "now": now,
        "mark": _mark(approval),
    }
    return show(request, caller, "approval.html", context, here="approvals")


def _vote(request: HttpRequest, caller: Caller, approval_id: UUID) -> HttpResponse:
    answer = request.POST.get("answer", "")
    if answer not in VoteAnswer.values:
        raise Malformed("Choose approve or refuse")
    services.vote(
        tenant=caller.tenant,
        approval_id=approval_id,
        caller=caller,
        answer=VoteAnswer(answer),
        reason=request.POST.get("reason", "").strip(),
        now=timezone.now(),
        signed_in_at=signed_in_at(request),
    )
    return HttpResponseRedirect(reverse("ui:approval", kwargs={"approval_id": approval_id}))


def _mark(approval: ApprovalRequest) -> str:
    return f"{approval.state}.{approval.client_is_waiting}.{len(approval.votes.all())}"


@require_safe
@page(Right.APPROVALS_READ)
def pulse(request: HttpRequest, caller: Caller, approval_id: UUID) -> HttpResponse:
    return JsonResponse({"mark": _mark(selectors.detail(tenant=caller.tenant, approval_id=approval_id).approval)})
