"""API keys as a page: one's own, or all with the right; made here, shown once, ended here."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from gateway.identity import issuing
from gateway.identity.caller import Caller
from gateway.identity.problems import LifetimeRefused
from gateway.identity.services import LONGEST_API_KEY, revoke_api_key
from gateway.problems import Problem
from gateway.tenants.rights import Right
from hoopweb.api.api_keys import ORDER
from hoopweb.ui.base import cursor_of, page, show

USUAL_DAYS = 90


@require_http_methods(["GET", "HEAD", "POST"])
@page(None)
@sensitive_variables("key")
def api_keys(request: HttpRequest, caller: Caller) -> HttpResponse:
    if request.method != "POST":
        return _list(request, caller, {"days": str(USUAL_DAYS)})
    given = {name: request.POST.get(name, "").strip()[:200] for name in ("name", "days", "bound")}
    try:
        made, key = issuing.issue_for_caller(
            by=caller,
            name=given["name"],
            scopes=request.POST.getlist("scopes"),
            lifetime=_lifetime(given["days"]),
            is_person_bound=given["bound"] != "nobody",
            service_account_id=None,
            now=timezone.now(),
            random=os.urandom,
        )
    except Problem as problem:
        return _list(request, caller, given, problem=problem)
    # Shown by the answer itself: a redirect would have to keep it somewhere.
    return _list(request, caller, {"days": str(USUAL_DAYS)}, made=made, key=key)


def _lifetime(days: str) -> timedelta:
    if not days.isascii() or not days.isdigit() or len(days) > 4:
        raise LifetimeRefused(f"Days are a number up to {LONGEST_API_KEY.days}")
    return timedelta(days=int(days))


def _list(
    request: HttpRequest, caller: Caller, given: dict[str, str], *, problem: Problem | None = None, **shown: Any
) -> HttpResponse:
    found = ORDER.page(issuing.visible_api_keys(caller), **cursor_of(request))
    context = {
        "page": found,
        "given": given,
        "chosen": request.POST.getlist("scopes"),
        "rights": sorted(right.value for right in caller.rights),
        "problem": problem,
        "now": timezone.now(),
        "sees_all": Right.API_KEYS_WRITE in caller.rights,
        **shown,
    }
    status = problem.status if problem else 200
    return show(request, caller, "api_keys.html", context, here="api-keys", status=status)


@require_POST
@page(None)
def revoke(request: HttpRequest, caller: Caller, key_id: UUID) -> HttpResponse:
    key = issuing.visible_api_key(caller, key_id)
    revoke_api_key(tenant=caller.tenant, key_id=key.pk, by_label=caller.label, now=timezone.now())
    return HttpResponseRedirect(reverse("ui:api-keys"))
