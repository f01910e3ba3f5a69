"""Opening a browser: what every door does once it knows who stands there, and what a browser holds meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from gateway.identity.door_models import IdentityProvider, ProofKind, SignIn
from gateway.identity.middleware import SIGN_INS_IN_SESSION, TENANT_IN_SESSION
from gateway.identity.models import User
from gateway.identity.sign_ins import open_sign_in
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant

_BACKEND = "django.contrib.auth.backends.ModelBackend"


def enter(
    request: HttpRequest,
    user: User,
    tenants: Sequence[Tenant],
    *,
    proof: ProofKind,
    now: datetime,
    provider: IdentityProvider | None = None,
    id_token: str = "",
    proved_at: datetime | None = None,
) -> None:
    """Sign the browser in to these tenants by this proof, given at `proved_at` (now), and stand in the first of them.

    What it proved to other tenants before stays, if it was the same person.
    """
    held = request.session.get(SIGN_INS_IN_SESSION, {}) if request.user == user else {}
    opened = {
        str(tenant.pk): str(_open(request, tenant, user, proof, now, provider, id_token, proved_at or now).pk)
        for tenant in tenants
    }
    # Takes a fresh session id, so that one planted before the sign-in is worth nothing after it.
    login(request, user, backend=_BACKEND)
    request.session[SIGN_INS_IN_SESSION] = {**held, **opened}
    request.session[TENANT_IN_SESSION] = str(tenants[0].pk)


def _open(
    request: HttpRequest,
    tenant: Tenant,
    user: User,
    proof: ProofKind,
    now: datetime,
    provider: IdentityProvider | None,
    id_token: str,
    proved_at: datetime,
) -> SignIn:
    with in_tenant(tenant):
        return open_sign_in(
            tenant=tenant,
            user=user,
            proof=proof,
            source=request.META.get("REMOTE_ADDR", ""),
            browser=request.headers.get("User-Agent", ""),
            now=now,
            provider=provider,
            id_token=id_token,
            proved_at=proved_at,
        )


def next_page(request: HttpRequest, given: Any = None) -> str:
    """Where to go once inside: the page that sent us here, if it is one of ours."""
    wanted = given or request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours and wanted.startswith("/") else reverse("ui:home")


def go_on(request: HttpRequest, given: Any = None) -> HttpResponse:
    return HttpResponseRedirect(next_page(request, given))
