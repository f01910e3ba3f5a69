"""Single sign-on pages: name your organisation, go to its provider, come back identified, leave again.

Protocols are `gateway.identity.oidc` and `saml`; a browser is opened by `entering`.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit.kinds import EventKind
from audit.services import append
from gateway.identity import oidc
from gateway.identity.arrivals import arrival_of_claims, arrive
from gateway.identity.door_models import IdentityProvider, ProofKind, ProviderKind, SignIn
from gateway.identity.door_problems import SignOnRefused
from gateway.identity.providers import enabled_provider, oidc_of, providers
from gateway.identity.sign_ins import id_token_of
from gateway.problems import Problem
from gateway.tenants.models import Tenant
from gateway.tenants.problems import TenantUnknown
from gateway.tenants.scope import in_tenant, tenant_named
from hoopweb.ui.base import problem_page
from hoopweb.ui.entering import enter, go_on, next_page

# Attempts under way in this browser, by state: a person may have several tabs, an attacker no more than these.
_FLOWS = "sso_flows"
_MOST_FLOWS = 10
_FLOW_SECONDS = 900
_MOST_REFUSALS, _REFUSAL_SECONDS = 20, 60
# Asked to prove himself again, the person must have done so within this.
FRESH_SECONDS = 60
View = Callable[..., HttpResponse]


def door(view: View) -> View:
    """A Problem becomes a page; nobody keeps a copy of what stands in the address."""

    @wraps(view)
    def checked(request: HttpRequest, **named: Any) -> HttpResponse:
        try:
            return view(request, **named)
        except Problem as problem:
            return problem_page(request, problem)

    return never_cache(checked)


def organisation_named(slug: str) -> Tenant:
    """The organisation in the address; raises TenantUnknown, for a suspended one as for none."""
    found = tenant_named(slug)
    if found is None or found.is_suspended:
        raise TenantUnknown
    return found


@require_safe
@door
def choose(request: HttpRequest) -> HttpResponse:
    """From the name a person typed to the page of his organisation."""
    slug = request.GET.get("organisation", "").strip().lower()
    if not slug:
        return HttpResponseRedirect(reverse("ui:sign-in"))
    tenant = organisation_named(slug[:40])
    return HttpResponseRedirect(
        f"{reverse('ui:sso-organisation', kwargs={'organisation': tenant.slug})}?{_onward(request)}"
    )


def _onward(request: HttpRequest) -> str:
    return urlencode({"next": next_page(request)})


@require_safe
@door
def organisation(request: HttpRequest, organisation: str) -> HttpResponse:
    """The ways into one organisation."""
    tenant = organisation_named(organisation)
    with in_tenant(tenant):
        ways = [
            (one.title or one.name, reverse(f"ui:{one.kind}-start", args=(tenant.slug, one.name)))
            for one in providers(tenant).filter(is_enabled=True)
        ]
    return render(request, "organisation.html", {"organisation": tenant, "ways": ways, "onward": _onward(request)})


@require_safe
@door
def oidc_start(request: HttpRequest, organisation: str, name: str) -> HttpResponse:
    """Send the browser to the provider, with a state, a nonce and a PKCE challenge that only this browser can redeem."""
    tenant = organisation_named(organisation)
    with in_tenant(tenant):
        provider = oidc_of(enabled_provider(tenant, name, ProviderKind.OIDC))
    flow = oidc.Flow(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=settings.PUBLIC_URL + reverse("ui:oidc-callback", args=(organisation, name)),
        max_age_seconds=FRESH_SECONDS if "fresh" in request.GET else None,
    )
    remember_flow(request, flow.state, nonce=flow.nonce, verifier=flow.verifier, max_age=flow.max_age_seconds)
    return HttpResponseRedirect(oidc.authorization_url(provider, flow))


def remember_flow(request: HttpRequest, state: str, **facts: Any) -> None:
    """Keep one attempt in the browser's session, bound to the door it began at."""
    flows = request.session.get(_FLOWS, {})
    kept = sorted(flows.items(), key=lambda item: item[1]["at"])[-(_MOST_FLOWS - 1) :]
    request.session[_FLOWS] = dict(kept) | {
        state: {**facts, "at": time.time(), "door": _door_of(request), "next": next_page(request)}
    }


def _door_of(request: HttpRequest) -> str:
    """`/sso/<organisation>/<name>/<protocol>`: an answer for one door opens no other."""
    return "/".join(request.path.split("/")[:5])


def spend_flow(request: HttpRequest, state: str) -> dict[str, Any]:
    """Take the attempt a provider answers, once; raises SignOnRefused when this browser began none such here."""
    flows: dict[str, dict[str, Any]] = request.session.get(_FLOWS, {})
    found = flows.pop(state, None)
    request.session[_FLOWS] = flows
    # Written now: whatever happens next, this state was used.
    request.session.save()
    if found is None or time.time() - found["at"] > _FLOW_SECONDS or found["door"] != _door_of(request):
        raise SignOnRefused("This browser did not ask for that answer, or asked too long ago")
    return found


@require_safe
@door
def oidc_callback(request: HttpRequest, organisation: str, name: str) -> HttpResponse:
    """What the provider sends the browser back with: verified, turned into a member, and let in."""
    tenant = organisation_named(organisation)
    flow = spend_flow(request, request.GET.get("state", ""))
    with in_tenant(tenant):
        row = enabled_provider(tenant, name, ProviderKind.OIDC)
        provider = oidc_of(row)
    now = timezone.now()
    try:
        # Outside every transaction: a provider that hangs must hold no connection's locks.
        identified = oidc.identify(provider, _flow_of(request, flow, provider), code=_code(request), now=now)
        with in_tenant(tenant):
            member = arrive(tenant=tenant, provider=row, arrival=arrival_of_claims(row, identified.claims), now=now)
    except SignOnRefused as problem:
        record_refusal(tenant, row, problem)
        raise
    enter(
        request,
        member.user,
        [tenant],
        proof=ProofKind.OIDC,
        now=now,
        provider=row,
        id_token=identified.id_token,
        proved_at=oidc.proved_at(identified.claims, now),
    )
    return go_on(request, flow["next"])


def _flow_of(request: HttpRequest, flow: dict[str, Any], provider: oidc.Provider) -> oidc.Flow:
    # RFC 9207: where a provider names itself, an answer of another one is a mix-up.
    told = request.GET.get("iss")
    if told is not None and not hmac.compare_digest(told.encode(), provider.issuer.encode()):
        raise SignOnRefused("The answer is of another provider")
    return oidc.Flow(
        state=request.GET.get("state", ""),
        nonce=flow["nonce"],
        verifier=flow["verifier"],
        redirect_uri=settings.PUBLIC_URL + request.path,
        max_age_seconds=flow["max_age"],
    )


def _code(request: HttpRequest) -> str:
    code = request.GET.get("code", "")
    if "error" in request.GET or not 0 < len(code) <= 4096:
        raise SignOnRefused("The provider did not let you in")
    return code


def record_refusal(tenant: Tenant, provider: IdentityProvider, problem: Problem) -> None:
    """An answer that was refused is evidence; its content is not: only which check it failed.

    Anybody can send such answers, so only so many are written down: nobody fills a tenant's ledger from outside.
    """
    counter = f"refused-answers:{provider.pk}"
    if not cache.add(counter, 1, timeout=_REFUSAL_SECONDS) and cache.incr(counter) > _MOST_REFUSALS:
        return
    with in_tenant(tenant):
        append(
            tenant_id=tenant.pk,
            kind=EventKind.PROVIDER_ANSWER_REFUSED,
            at=timezone.now(),
            subject=provider.pk,
            data={"name": provider.name, "reason": problem.detail},
        )


def provider_sign_out(request: HttpRequest, sign_in: SignIn) -> str | None:
    """Where to end the provider's own session too, or None where it has no such place. Inside the tenant's transaction."""
    if sign_in.provider is None or sign_in.provider.kind != ProviderKind.OIDC or not sign_in.provider.is_enabled:
        return None
    hint = id_token_of(sign_in)
    back_to = settings.PUBLIC_URL + reverse("ui:sign-in")
    return oidc.sign_out_url(oidc_of(sign_in.provider), id_token=hint, back_to=back_to) if hint else None
