"""Single sign-on as pages: the tenant's providers with what each needs to be told, and the browsers inside.

What a provider must fulfil is `gateway.identity`'s; its secret goes in by a form and never comes out.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from gateway.identity import providers, saml, sign_ins
from gateway.identity.caller import Caller
from gateway.identity.door_models import ProviderKind
from gateway.identity.door_problems import ProviderRefused, ProviderUnknown
from gateway.problems import Problem
from gateway.tenants.rights import Right, Role
from hoopweb.api.errors import Malformed
from hoopweb.api.providers import ORDER, OidcProviderBody, SamlProviderBody
from hoopweb.api.sign_ins import ORDER as SIGN_INS_ORDER
from hoopweb.ui.base import cursor_of, page, show

# Fields as the browser gives them, shown again where they are refused. The secret is not among them.
_SHOWN_AGAIN = ("kind", "name", "title", "issuer", "client_id", "group_claim", "group_map", "metadata")


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.MEMBERS_READ, POST=Right.PROVIDERS_WRITE)
@sensitive_variables("secret")
def provider_list(request: HttpRequest, caller: Caller) -> HttpResponse:
    """All providers; a POST connects one more."""
    if request.method != "POST":
        return _listed(request, caller)
    given = {name: request.POST.get(name, "").strip() for name in _SHOWN_AGAIN}
    secret = request.POST.get("client_secret", "")
    try:
        _connect(caller, given, secret, request.POST.getlist("default_roles"))
    except Problem as problem:
        return _listed(request, caller, given=given, problem=problem)
    return HttpResponseRedirect(reverse("ui:providers"))


@sensitive_variables("secret", "told")
def _connect(caller: Caller, given: dict[str, str], secret: str, roles: list[str]) -> None:
    told: dict[str, Any] = {name: given[name] for name in ("name", "title")}
    told |= {"group_claim": given["group_claim"] or "groups", "group_map": _map(given["group_map"])}
    told |= {"default_roles": roles}
    by: dict[str, Any] = {"tenant": caller.tenant, "by_label": caller.label, "now": timezone.now()}
    if given["kind"] == ProviderKind.SAML:
        told |= {"metadata": given["metadata"]}
        saml.create_saml_provider(**by, **_checked(SamlProviderBody, told))
    else:
        told |= {"issuer": given["issuer"], "client_id": given["client_id"], "client_secret": secret}
        checked = _checked(OidcProviderBody, told)
        providers.create_oidc_provider(**by, plaintext_client_secret=checked.pop("client_secret"), **checked)


def _checked(body: type[OidcProviderBody] | type[SamlProviderBody], told: dict[str, Any]) -> dict[str, Any]:
    """What REST would take of the same words; raises ProviderRefused with the first that is wrong."""
    read = body(data=told)
    if not read.is_valid():
        name, wrong = next(iter(read.errors.items()))
        raise ProviderRefused(f"{str(name).replace('_', ' ').capitalize()}: {wrong[0]}")
    return dict(read.validated_data)


def _map(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderRefused("The groups are one JSON object")
    return found


def _listed(
    request: HttpRequest, caller: Caller, *, given: dict[str, str] | None = None, problem: Problem | None = None
) -> HttpResponse:
    found = ORDER.page(providers.providers(caller.tenant), **cursor_of(request))
    context = {
        "page": found,
        "given": given or {},
        "roles": [role.value for role in Role],
        "chosen": request.POST.getlist("default_roles"),
        "may_write": Right.PROVIDERS_WRITE in caller.rights,
        "problem": problem,
        "slug": caller.tenant.slug,
        "public_url": settings.PUBLIC_URL,
    }
    status = problem.status if problem else 200
    return show(request, caller, "providers.html", context, here="access", status=status)


@require_POST
@page(Right.PROVIDERS_WRITE)
def switch(request: HttpRequest, caller: Caller, provider_id: UUID) -> HttpResponse:
    """Open or shut one for new sign-ins."""
    wanted = request.POST.get("state")
    if wanted not in {"open", "shut"}:
        if not providers.providers(caller.tenant).filter(pk=provider_id).exists():
            raise ProviderUnknown
        raise Malformed("Choose open or shut")
    providers.switch(
        tenant=caller.tenant,
        provider_id=provider_id,
        is_enabled=wanted == "open",
        by_label=caller.label,
        now=timezone.now(),
    )
    return HttpResponseRedirect(reverse("ui:providers"))


@require_http_methods(["GET", "HEAD"])
@page(Right.MEMBERS_READ)
def sign_in_list(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Browsers inside the tenant, and those that were."""
    context = {
        "page": SIGN_INS_ORDER.page(sign_ins.sign_ins(caller.tenant), **cursor_of(request)),
        "own": caller.sign_in.pk if caller.sign_in is not None else None,
        "may_end": Right.KEYS_REVOKE in caller.rights,
        "now": timezone.now(),
    }
    return show(request, caller, "sign_ins.html", context, here="access")


@require_POST
@page(Right.KEYS_REVOKE)
def end_sign_in(request: HttpRequest, caller: Caller, sign_in_id: UUID) -> HttpResponse:
    """Put one browser out, at its next step."""
    sign_ins.end_sign_in(
        tenant=caller.tenant, sign_in_id=sign_in_id, by=None, by_label=caller.label, now=timezone.now()
    )
    return HttpResponseRedirect(reverse("ui:sign-ins"))
