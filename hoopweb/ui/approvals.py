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
from approvals.problems import SignInTooOld
from gateway.identity.caller import Caller
from gateway.identity.proof import is_fresh
from gateway.tenants.rights import Right
from hoopweb.api.approvals import ORDER, prompt_of
from hoopweb.api.errors import Malformed
from hoopweb.presence import signed_in_at
from hoopweb.ui.base import cursor_of, page, show
from hoopweb.ui.proving import to_prove

# An inbox longer than this is worked from the top.
_MOST_PENDING = 100
_DRAFT = "vote_draft"


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
        "is_fresh": is_fresh(caller.tenant, signed_in_at(request), now),
        "draft": _draft(request, approval_id),
        "now": now,
        "mark": _mark(approval),
    }
    return show(request, caller, "approval.html", context, here="approvals")


def _vote(request: HttpRequest, caller: Caller, approval_id: UUID) -> HttpResponse:
    answer = request.POST.get("answer", "")
    if answer not in VoteAnswer.values:
        raise Malformed("Choose approve or refuse")
    here = reverse("ui:approval", kwargs={"approval_id": approval_id})
    reason = request.POST.get("reason", "").strip()
    try:
        services.vote(
            tenant=caller.tenant,
            approval_id=approval_id,
            caller=caller,
            answer=VoteAnswer(answer),
            reason=reason,
            now=timezone.now(),
            signed_in_at=signed_in_at(request),
        )
    except SignInTooOld:
        # Written already, it is not to be written again. The answer itself is given once more: no GET votes.
        request.session[_DRAFT] = {"approval": str(approval_id), "reason": reason}
        return to_prove(here)
    return HttpResponseRedirect(here)


def _draft(request: HttpRequest, approval_id: UUID) -> str | None:
    """The reason written before the person was sent to prove himself; None where he was not."""
    kept = request.session.get(_DRAFT)
    if kept is None or kept["approval"] != str(approval_id):
        return None
    del request.session[_DRAFT]
    return str(kept["reason"])


def _mark(approval: ApprovalRequest) -> str:
    return f"{approval.state}.{approval.client_is_waiting}.{len(approval.votes.all())}"


@require_safe
@page(Right.APPROVALS_READ)
def pulse(request: HttpRequest, caller: Caller, approval_id: UUID) -> HttpResponse:
    return JsonResponse({"mark": _mark(selectors.detail(tenant=caller.tenant, approval_id=approval_id).approval)})
