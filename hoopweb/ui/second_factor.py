"""A one-time code of one's own, on top of the organisation's sign-in: enrolled here, given at `proving`.

Local people enrol theirs as they sign in (`entry`).
"""

from __future__ import annotations

import os
from typing import Any

import segno
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from gateway.identity import mfa
from gateway.identity.caller import Caller
from gateway.identity.door_problems import SecondFactorRefused, SessionEnded
from gateway.identity.models import User
from gateway.identity.problems import SignInThrottled
from gateway.identity.proof import may_enrol
from gateway.problems import Problem
from hoopweb.ui.base import page, show
from hoopweb.ui.entering import go_on, next_page


@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@page(None)
def second_factor(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Shows a seed to whoever may enrol one; the first right code confirms it. One confirmed is changed by no page."""
    user, now = caller.user, timezone.now()
    if user is None or caller.sign_in is None:
        raise SessionEnded
    if request.method != "POST" or mfa.is_enrolled(caller.tenant, user) or not may_enrol(caller, now):
        return _form(request, caller, user)
    try:
        if not mfa.accepts(tenant=caller.tenant, user=user, code=request.POST.get("code", "")[:20], now=now):
            return _form(request, caller, user, problem=SecondFactorRefused())
    except SignInThrottled as problem:
        return _form(request, caller, user, problem=problem)
    return go_on(request) if request.POST.get("next") else _form(request, caller, user)


def _form(request: HttpRequest, caller: Caller, user: User, *, problem: Problem | None = None) -> HttpResponse:
    now, is_enrolled = timezone.now(), mfa.is_enrolled(caller.tenant, user)
    context: dict[str, Any] = {
        "is_enrolled": is_enrolled,
        "may_enrol": may_enrol(caller, now),
        "next": next_page(request) if request.GET.get("next") or request.POST.get("next") else "",
        "problem": problem,
    }
    if not is_enrolled and context["may_enrol"]:
        seed = mfa.seed_to_enrol(tenant=caller.tenant, user=user, now=now, random=os.urandom)
        picture = segno.make(mfa.enrolment_uri(seed, username=user.get_username(), tenant=caller.tenant), micro=False)
        context |= {"seed": seed, "picture": picture.svg_data_uri(scale=5, border=2, light="#fff")}
    return show(request, caller, "second_factor.html", context, here="prove", status=problem.status if problem else 200)
