"""Who sees how far: a member's period, the vendor's operators, and how fresh a human proof must be."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_POST

from gateway.identity import mfa
from gateway.identity.caller import Caller
from gateway.identity.models import Membership
from gateway.identity.problems import NotAMember
from gateway.identity.proof import LONGEST_MINUTES, choose_minutes
from gateway.tenants.rights import Right
from hoopweb.api.errors import Malformed
from hoopweb.api.periods import ORDER
from hoopweb.reviews import periods
from hoopweb.reviews.models import EvidencePeriod, OperatorAccess
from hoopweb.reviews.problems import OperatorAccessNotFound, PeriodRefused
from hoopweb.ui.base import cursor_of, page, show


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.MEMBERS_READ, POST=Right.PROVIDERS_WRITE)
def period(request: HttpRequest, caller: Caller, user_id: UUID) -> HttpResponse:
    """One member's period; a POST sets it, all of it."""
    if request.method == "POST":
        given = {name: _moment(request.POST.get(name, "")) for name in ("since", "until", "ends_at")}
        periods.set_period(by=caller, user_id=user_id, now=timezone.now(), **given)
        return HttpResponseRedirect(reverse("ui:member-period", args=(user_id,)))
    member = Membership.objects.for_tenant(caller.tenant).select_related("user").filter(user_id=user_id).first()
    if member is None:
        raise NotAMember
    context = {
        "member": member,
        "period": EvidencePeriod.objects.for_tenant(caller.tenant).filter(user_id=user_id).first(),
        "has_code": mfa.is_enrolled(caller.tenant, member.user),
        "is_self": caller.user is not None and caller.user.pk == user_id,
        "may_set": Right.PROVIDERS_WRITE in caller.rights,
    }
    return show(request, caller, "period.html", context, here="access")


def _moment(text: str) -> datetime | None:
    """What a browser's field for date and time gives, taken as UTC; None for an empty one."""
    if not text:
        return None
    try:
        found = parse_datetime(text if text.endswith("Z") or "+" in text else f"{text}Z")
    except ValueError:
        found = None
    if found is None:
        raise PeriodRefused
    return found


@require_POST
@page(Right.PROVIDERS_WRITE)
def remove_code(request: HttpRequest, caller: Caller, user_id: UUID) -> HttpResponse:
    """Forget a member's lost one-time code."""
    mfa.remove(by=caller, user_id=user_id, now=timezone.now())
    return HttpResponseRedirect(reverse("ui:member-period", args=(user_id,)))


@require_http_methods(["GET", "HEAD"])
@page(Right.MEMBERS_READ)
def operators(request: HttpRequest, caller: Caller) -> HttpResponse:
    rows = OperatorAccess.objects.for_tenant(caller.tenant)
    context = {
        "page": ORDER.page(rows, **cursor_of(request)),
        "may_answer": {Right.PROVIDERS_WRITE, Right.MEMBERS_WRITE} <= caller.rights,
        "now": timezone.now(),
    }
    return show(request, caller, "operators.html", context, here="access")


@require_POST
@page(Right.PROVIDERS_WRITE)
def answer_operator(request: HttpRequest, caller: Caller, access_id: UUID) -> HttpResponse:
    """Let an operator in for the hours asked, refuse, or put one out."""
    now = timezone.now()
    match request.POST.get("answer"):
        case "allow" | "refuse" as given:
            periods.answer_access(by=caller, access_id=access_id, is_allowed=given == "allow", now=now)
        case "end":
            periods.end_access(by=caller, access_id=access_id, now=now)
        case _:
            # Looked up first: a request of nobody is nowhere, whatever was answered to it.
            if not OperatorAccess.objects.for_tenant(caller.tenant).filter(pk=access_id).exists():
                raise OperatorAccessNotFound
            raise Malformed("Choose allow, refuse or end")
    return HttpResponseRedirect(reverse("ui:operators"))


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.SESSIONS_READ, POST=Right.PROVIDERS_WRITE)
def human_proof(request: HttpRequest, caller: Caller) -> HttpResponse:
    """How old the proof of a voting person may be."""
    if request.method == "POST":
        text = request.POST.get("minutes", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LONGEST_MINUTES):
            raise Malformed(f"Minutes are a number from 1 to {LONGEST_MINUTES}")
        choose_minutes(caller.tenant, int(text), by_label=caller.label, now=timezone.now())
        return HttpResponseRedirect(reverse("ui:human-proof"))
    context = {"longest": LONGEST_MINUTES, "may_set": Right.PROVIDERS_WRITE in caller.rights}
    return show(request, caller, "human_proof.html", context, here="access")
