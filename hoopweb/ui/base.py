"""What every page shares: who may see it, the frame around it, and how a problem looks to a person."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from approvals.models import ApprovalRequest, ApprovalState
from approvals.notify.selectors import unseen
from gateway.identity.caller import Caller
from gateway.identity.door_problems import SessionEnded
from gateway.identity.models import Membership
from gateway.identity.problems import NotSignedIn
from gateway.problems import Problem
from gateway.tenants.rights import Right
from hoopweb.api.errors import nothing_changes
from hoopweb.api.pagination import USUAL_PAGE

# Past this the badge says "99+": counting further tells nobody more.
_MOST_COUNTED = 100
View = Callable[..., Any]


def page(right: Right | None, **by_method: Right) -> Callable[[View], View]:
    """Open a page to signed-in people with `right` (or, for POST, the one named by `POST=`; None: to each of them).

    The view gets the caller. A Problem it raises becomes a page, and nothing it did is kept.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, **named: Any) -> Any:
            caller: Caller | None = getattr(request, "caller", None)
            # Keys are for programs: a page would hand them what only a person's session may do.
            if caller is None or caller.api_key is not None:
                return _not_inside(request)
            try:
                needed = by_method.get(str(request.method), right)
                if needed is not None:
                    caller.must(needed)
                return view(request, caller, **named)
            except Problem as problem:
                return problem_page(request, problem)

        # What opens it, for whoever lists the pages: each method the one named, or else the page's own.
        checked.right, checked.rights = right, dict(by_method)  # type: ignore[attr-defined]  # our own attributes
        return checked

    return decorate


def _not_inside(request: HttpRequest) -> HttpResponse:
    told = getattr(request, "caller_problem", NotSignedIn())
    if request.user.is_authenticated and not isinstance(told, SessionEnded):
        # Signed in but nobody's member, or of a suspended tenant: the sign-in page would only lead back here.
        return problem_page(request, told)
    query = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
    return HttpResponseRedirect(f"{reverse('ui:sign-in')}?{query}")


def problem_page(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Tell a person what went wrong; the request's transaction is rolled back."""
    answer = render(request, "problem.html", {"problem": problem}, status=problem.status)
    nothing_changes(request)
    return answer


def show(
    request: HttpRequest, caller: Caller, template: str, context: dict[str, Any], *, here: str, status: int = 200
) -> HttpResponse:
    """Render a page in its frame: who is signed in, which tenants he may switch to, what waits for an answer."""
    frame = {
        "caller": caller,
        "here": here,
        "may": {right.name: right in caller.rights for right in Right},
        "pending_approvals": _pending(caller),
        "unseen_notices": unseen(caller),
        "tenants": _tenants(caller),
    }
    answer = render(request, template, {**frame, **context}, status=status)
    # The back button of a shared machine must not show what its next user may not read.
    answer["Cache-Control"] = "no-store"
    return answer


def _pending(caller: Caller) -> int:
    if Right.APPROVALS_READ not in caller.rights:
        return 0
    rows = ApprovalRequest.objects.for_tenant(caller.tenant).filter(state=ApprovalState.PENDING)
    return len(rows.values_list("pk")[:_MOST_COUNTED])


def _tenants(caller: Caller) -> list[tuple[UUID, str]]:
    """The tenants the person is a member of; the look-up policy opens exactly his own memberships."""
    rows = Membership.objects.filter(user=caller.user, is_active=True).order_by("tenant__title")
    return list(rows.values_list("tenant_id", "tenant__title"))


def cursor_of(request: HttpRequest) -> dict[str, Any]:
    """Return the paging arguments of a page: its cursor from the address, and the usual length."""
    return {"cursor": request.GET.get("cursor") or None, "limit": USUAL_PAGE}
