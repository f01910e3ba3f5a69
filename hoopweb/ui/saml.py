"""The pages of SAML: metadata to download, the way out to the provider, its POST, and the browser collecting its answer.

Two steps back, because the provider's POST comes from another site and carries no cookie: it is verified and kept; the
browser then fetches it with its own cookie, which proves that it was the one that asked.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from gateway.identity import saml
from gateway.identity.arrivals import arrive
from gateway.identity.door_models import ProofKind, ProviderKind
from gateway.identity.door_problems import SignOnRefused
from gateway.identity.providers import enabled_provider
from gateway.tenants.scope import in_tenant
from hoopweb.ui.entering import enter, go_on
from hoopweb.ui.sso import FRESH_SECONDS, door, organisation_named, record_refusal, remember_flow, spend_flow

# With room for two clocks, and for the two steps back.
_FRESH = timedelta(seconds=FRESH_SECONDS + 60)


@require_safe
@door
def metadata(request: HttpRequest, organisation: str, name: str) -> HttpResponse:
    tenant = organisation_named(organisation)
    with in_tenant(tenant):
        text = saml.metadata_of(tenant, enabled_provider(tenant, name, ProviderKind.SAML))
    return HttpResponse(text, content_type="application/samlmetadata+xml")


@require_safe
@door
def start(request: HttpRequest, organisation: str, name: str) -> HttpResponse:
    tenant = organisation_named(organisation)
    with in_tenant(tenant):
        provider = enabled_provider(tenant, name, ProviderKind.SAML)
        address, request_id = saml.request_to_sign_on(tenant, provider, is_fresh="fresh" in request.GET)
    remember_flow(request, request_id, is_fresh="fresh" in request.GET)
    return HttpResponseRedirect(address)


# Cross-site by design: the signature says who speaks, and nothing is opened by it yet.
@csrf_exempt
@require_POST
@door
def consume(request: HttpRequest, organisation: str, name: str) -> HttpResponse:
    tenant = organisation_named(organisation)
    with in_tenant(tenant):
        provider = enabled_provider(tenant, name, ProviderKind.SAML)
    try:
        with in_tenant(tenant):
            encoded = request.POST.get("SAMLResponse", "")
            seen = saml.accept(tenant=tenant, provider=provider, encoded=encoded, now=timezone.now())
    except SignOnRefused as problem:
        record_refusal(tenant, provider, problem)
        raise
    answer = HttpResponseRedirect(reverse("ui:saml-finish", args=(organisation, name, seen.pk)))
    # 303: whatever the provider's method was, the browser's next one is GET, which may carry its cookie.
    answer.status_code = 303
    return answer


@require_safe
@door
def finish(request: HttpRequest, organisation: str, name: str, seen_id: UUID) -> HttpResponse:
    tenant = organisation_named(organisation)
    now = timezone.now()
    with in_tenant(tenant):
        provider = enabled_provider(tenant, name, ProviderKind.SAML)
        told = saml.collect(tenant=tenant, provider=provider, seen_id=seen_id, now=now)
    try:
        flow = spend_flow(request, told.request_id)
        if flow["is_fresh"] and now - told.proved_at > _FRESH:
            raise SignOnRefused("The provider did not ask the person again")
        with in_tenant(tenant):
            member = arrive(tenant=tenant, provider=provider, arrival=told.arrival, now=now)
    except SignOnRefused as problem:
        record_refusal(tenant, provider, problem)
        raise
    enter(request, member.user, [tenant], proof=ProofKind.SAML, now=now, provider=provider, proved_at=told.proved_at)
    return go_on(request, flow["next"])
