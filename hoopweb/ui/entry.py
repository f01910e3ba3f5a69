"""The door of the pages for local people: password, one-time code, sign out, choose a tenant.

Who may enter is `gateway.identity`; single sign-on has its own pages in `sso`.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any
from uuid import UUID

import segno
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from gateway.identity import mfa
from gateway.identity.caller import Caller
from gateway.identity.door_models import ProofKind
from gateway.identity.door_problems import LocalSignInClosed, SecondFactorRefused
from gateway.identity.local_door import Way, first_with_code, ways_in
from gateway.identity.middleware import SIGN_INS_IN_SESSION, TENANT_IN_SESSION
from gateway.identity.models import Membership, User
from gateway.identity.problems import SignInRefused, SignInThrottled
from gateway.identity.sign_in import sign_in
from gateway.identity.sign_ins import end_sign_in
from gateway.problems import Problem
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from hoopweb.ui import sso
from hoopweb.ui.entering import enter, go_on, next_page

# Who gave the right password and has yet to give the code: {"user", "tenant", "way", "at", "next"}.
_PENDING = "awaits_code"
_PENDING_SECONDS = 600


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_page(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        # Whoever is inside goes on, unless another of his tenants asks for a proof of its own.
        is_inside = getattr(request, "caller", None) is not None and "again" not in request.GET
        return go_on(request) if is_inside else _form(request)
    username, password = request.POST.get("username", ""), request.POST.get("password", "")
    source = request.META.get("REMOTE_ADDR", "")
    now = timezone.now()
    try:
        user = sign_in(username=username, password=password, source=source, now=now)
        return _opened(request, user, now)
    except (SignInRefused, SignInThrottled, LocalSignInClosed) as problem:
        return _form(request, problem=problem, username=username[:150])


def _opened(request: HttpRequest, user: User, now: datetime) -> HttpResponse:
    """What the right password opens: at once, or after a code; raises LocalSignInClosed."""
    ways = ways_in(user)
    if at_once := [one.tenant for one in ways if one.way == Way.AT_ONCE]:
        enter(request, user, at_once, proof=ProofKind.PASSWORD, now=now)
        return go_on(request)
    asked = first_with_code(ways)
    if asked is None:
        raise LocalSignInClosed
    request.session.cycle_key()
    request.session[_PENDING] = {
        "user": str(user.pk),
        "tenant": str(asked.tenant.pk),
        "way": asked.way.value,
        "at": int(now.timestamp()),
        "next": next_page(request),
    }
    return HttpResponseRedirect(reverse("ui:sign-in-code"))


def _form(request: HttpRequest, *, problem: Problem | None = None, username: str = "") -> HttpResponse:
    context = {"problem": problem, "username": username, "next": next_page(request)}
    return render(request, "sign_in.html", context, status=problem.status if problem else 200)


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def code_page(request: HttpRequest) -> HttpResponse:
    """The second half of a local sign-in; the first time it shows the seed to enrol."""
    now = timezone.now()
    pending = request.session.get(_PENDING)
    if pending is None or now.timestamp() - pending["at"] > _PENDING_SECONDS:
        request.session.pop(_PENDING, None)
        return HttpResponseRedirect(reverse("ui:sign-in"))
    user = User.objects.get(pk=UUID(pending["user"]))
    with in_tenant(UUID(pending["tenant"])):
        tenant = Tenant.objects.get(pk=UUID(pending["tenant"]))
        if request.method != "POST":
            return _code_form(request, tenant, user, now)
        try:
            if not mfa.accepts(tenant=tenant, user=user, code=request.POST.get("code", "")[:20], now=now):
                return _code_form(request, tenant, user, now, problem=SecondFactorRefused())
        except SignInThrottled as problem:
            return _code_form(request, tenant, user, now, problem=problem)
    del request.session[_PENDING]
    proof = ProofKind.BREAK_GLASS if pending["way"] == Way.BREAK_GLASS else ProofKind.TOTP
    enter(request, user, [tenant], proof=proof, now=now)
    return go_on(request, pending["next"])


def _code_form(
    request: HttpRequest, tenant: Tenant, user: User, now: datetime, *, problem: Problem | None = None
) -> HttpResponse:
    context: dict[str, Any] = {"problem": problem, "tenant": tenant}
    if not mfa.is_enrolled(tenant, user):
        seed = mfa.seed_to_enrol(tenant=tenant, user=user, now=now, random=os.urandom)
        picture = segno.make(mfa.enrolment_uri(seed, username=user.get_username(), tenant=tenant), micro=False)
        context |= {"seed": seed, "picture": picture.svg_data_uri(scale=5, border=2, light="#fff")}
    return render(request, "sign_in_code.html", context, status=problem.status if problem else 200)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this browser here, and at the provider that let it in."""
    caller: Caller | None = getattr(request, "caller", None)
    onward = None
    if caller is not None and caller.sign_in is not None:
        onward = sso.provider_sign_out(request, caller.sign_in)
        end_sign_in(
            tenant=caller.tenant,
            sign_in_id=caller.sign_in.pk,
            by=caller.user,
            by_label=caller.label,
            now=timezone.now(),
        )
    logout(request)
    if onward is None:
        return HttpResponseRedirect(reverse("ui:sign-in"))
    # A page that moves on, no redirect: our policy lets a form lead nowhere but back to us.
    return render(request, "signed_out.html", {"onward": onward})


@require_POST
def switch_tenant(request: HttpRequest) -> HttpResponse:
    """Choose another of the person's own tenants. One he is no member of changes nothing.

    One this browser has proved nothing to asks for its own sign-in first.
    """
    caller: Caller | None = getattr(request, "caller", None)
    if caller is None or caller.user is None or caller.api_key is not None:
        return HttpResponseRedirect(reverse("ui:sign-in"))
    wanted = _uuid(request.POST.get("tenant", ""))
    rows = Membership.objects.filter(user=caller.user, is_active=True, tenant__is_suspended=False)
    found = rows.select_related("tenant").filter(tenant_id=wanted).first() if wanted is not None else None
    if found is None:
        return HttpResponseRedirect(reverse("ui:home"))
    if str(wanted) not in request.session.get(SIGN_INS_IN_SESSION, {}):
        return HttpResponseRedirect(reverse("ui:sso-organisation", kwargs={"organisation": found.tenant.slug}))
    request.session[TENANT_IN_SESSION] = str(wanted)
    return HttpResponseRedirect(reverse("ui:home"))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
