"""Proving again who sits at this browser, for what asks for a fresh proof; then back to what one was doing.

By what opened the browser: the organisation's sign-in, the one-time code, or the password where that alone opens. Who came
by a provider may give a one-time code of his own instead (`second_factor`).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from gateway.identity import mfa
from gateway.identity.caller import Caller
from gateway.identity.door_models import ProofKind, SignIn
from gateway.identity.door_problems import SecondFactorRefused, SessionEnded
from gateway.identity.models import User
from gateway.identity.problems import SignInRefused, SignInThrottled
from gateway.identity.proof import UNTOLD, renew
from gateway.identity.sign_in import sign_in
from gateway.problems import Problem
from gateway.tenants.scope import in_tenant
from hoopweb.ui.base import page, show
from hoopweb.ui.entering import go_on, next_page

_BY_PROVIDER = (ProofKind.OIDC, ProofKind.SAML)
# How evidence names a code of the person's own on top of a provider's sign-in: `oidc+totp`.
OWN_CODE = "totp"


def to_prove(back_to: str) -> HttpResponse:
    """Send a person to prove himself and, having done so, back."""
    return HttpResponseRedirect(f"{reverse('ui:prove')}?{urlencode({'next': back_to})}")


@sensitive_post_parameters("password", "code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page(None)
def prove(request: HttpRequest, caller: Caller) -> HttpResponse:
    """The page that asks again."""
    user, opened = caller.user, caller.sign_in
    if user is None or opened is None:
        raise SessionEnded
    if request.method != "POST":
        return _form(request, caller, opened)
    now = timezone.now()
    try:
        _must_prove(request, caller, user, opened)
    except (SignInRefused, SignInThrottled, SecondFactorRefused) as problem:
        return _form(request, caller, opened, problem=problem)
    with in_tenant(caller.tenant):
        renew(sign_in=opened, label=caller.label, now=now, by=OWN_CODE if opened.proof in _BY_PROVIDER else "")
    # What was proved before the person was asked again is worth nothing in another's hands afterwards.
    request.session.cycle_key()
    return go_on(request)


def _must_prove(request: HttpRequest, caller: Caller, user: User, opened: SignIn) -> None:
    """Raises SignInRefused, SecondFactorRefused or SignInThrottled; who came by a provider proves himself there."""
    now = timezone.now()
    match opened.proof:
        case ProofKind.PASSWORD:
            source = request.META.get("REMOTE_ADDR", "")
            sign_in(username=user.get_username(), password=request.POST.get("password", ""), source=source, now=now)
        case ProofKind.TOTP | ProofKind.BREAK_GLASS:
            _must_give_code(request, caller, user)
        case _:
            # A code of his own, where he has one: an unconfirmed seed is nobody's yet.
            with in_tenant(caller.tenant):
                has_code = mfa.is_enrolled(caller.tenant, user)
            if not has_code:
                raise SignInRefused
            _must_give_code(request, caller, user)


def _must_give_code(request: HttpRequest, caller: Caller, user: User) -> None:
    with in_tenant(caller.tenant):
        code = request.POST.get("code", "")[:20]
        is_right = mfa.accepts(tenant=caller.tenant, user=user, code=code, now=timezone.now())
    if not is_right:
        raise SecondFactorRefused


def _form(request: HttpRequest, caller: Caller, opened: SignIn, *, problem: Problem | None = None) -> HttpResponse:
    is_by_provider = opened.proof in _BY_PROVIDER
    context: dict[str, Any] = {
        "next": next_page(request),
        "way": "provider" if is_by_provider else opened.proof,
        "provider_path": _provider_path(request, caller, opened),
        # Asked again, a provider that never tells when it asked would only be refused.
        "is_untold": is_by_provider and not opened.renewed_by and opened.proved_at == UNTOLD,
        "problem": problem,
    }
    with in_tenant(caller.tenant, user_id=caller.pk):
        if is_by_provider and caller.user is not None:
            context["has_code"] = mfa.is_enrolled(caller.tenant, caller.user)
        status = problem.status if problem else 200
        return show(request, caller, "prove.html", context, here="prove", status=status)


def _provider_path(request: HttpRequest, caller: Caller, opened: SignIn) -> str | None:
    if opened.provider is None or not opened.provider.is_enabled:
        return None
    start = reverse(f"ui:{opened.provider.kind}-start", args=(caller.tenant.slug, opened.provider.name))
    return f"{start}?{urlencode({'fresh': '1', 'next': next_page(request)})}"


# A password is checked, counted and told of in other transactions than the page's.
prove.works_outside_transactions = True  # type: ignore[attr-defined]  # CallerMiddleware reads it
