"""A tenant's single sign-on: described by an owner, discovered from its issuer, sealed, switched off again.

Speaking the protocols is `oidc` and `saml`; what a person gets by them is `arrivals`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.door_models import IdentityProvider, ProviderKind
from gateway.identity.door_problems import ProviderRefused, ProviderUnknown
from gateway.identity.oidc import ALGORITHMS, Provider
from gateway.identity.problems import NameTaken
from gateway.sealing import services as sealing
from gateway.tenants.egress import check_url, fetch
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role

SECRET_COLUMN = "identity_identityprovider.sealed_secret"  # noqa: S105 - the name of a column
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_GROUP = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
MOST_MAPPED_GROUPS = 500
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_MORE_ENDPOINTS = ("userinfo_endpoint", "end_session_endpoint")


def providers(tenant: Tenant) -> QuerySet[IdentityProvider]:
    """All providers of a tenant by name, without what opens them."""
    found: QuerySet[IdentityProvider] = IdentityProvider.objects.for_tenant(tenant)
    return found.defer("sealed_secret").order_by("name")


def enabled_provider(tenant: Tenant, name: str, kind: ProviderKind) -> IdentityProvider:
    """One provider that may be used today; raises ProviderUnknown."""
    rows = IdentityProvider.objects.for_tenant(tenant)
    found: IdentityProvider | None = rows.filter(name=name, kind=kind, is_enabled=True).first()
    if found is None:
        raise ProviderUnknown
    return found


def has_single_sign_on(tenant: Tenant) -> bool:
    """Whether people of this tenant come in by a provider, so that local passwords are for emergencies alone."""
    return bool(IdentityProvider.objects.for_tenant(tenant).filter(is_enabled=True).exists())


def create_oidc_provider(
    *,
    tenant: Tenant,
    name: str,
    title: str,
    issuer: str,
    client_id: str,
    plaintext_client_secret: str,
    group_claim: str,
    group_map: Mapping[str, Any],
    default_roles: Sequence[str],
    by_label: str,
    now: datetime,
) -> IdentityProvider:
    """Discover an OpenID provider and keep it; raises ProviderRefused, NameTaken, DestinationRefused or -Unreachable."""
    endpoints = discovered(issuer)
    made = IdentityProvider(
        id=uuid.uuid4(),
        tenant=tenant,
        kind=ProviderKind.OIDC,
        name=name,
        title=title,
        issuer=issuer,
        client_id=client_id,
        sealed_secret=seal_secret(tenant, plaintext_client_secret.encode()),
        endpoints=endpoints,
        group_claim=group_claim,
        group_map=checked_map(group_map),
        default_roles=checked_roles(default_roles),
        created_at=now,
    )
    return keep(made, by_label=by_label, now=now)


@transaction.atomic
def keep(made: IdentityProvider, *, by_label: str, now: datetime) -> IdentityProvider:
    """Store a checked provider with its event; raises ProviderRefused for its name, or NameTaken."""
    if not _NAME.fullmatch(made.name):
        raise ProviderRefused("A provider's name is lower-case letters, digits and dashes, at most 40")
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        raise NameTaken(f"Provider `{made.name}`") from None
    _record(EventKind.PROVIDER_ADDED, made, by_label, now)
    return made


@transaction.atomic
def switch(*, tenant: Tenant, provider_id: UUID, is_enabled: bool, by_label: str, now: datetime) -> IdentityProvider:
    """Open or shut a provider for new sign-ins; raises ProviderUnknown. Doing it twice is one event."""
    rows = IdentityProvider.objects.for_tenant(tenant).select_for_update(no_key=True)
    found: IdentityProvider | None = rows.filter(pk=provider_id).first()
    if found is None:
        raise ProviderUnknown
    if found.is_enabled != is_enabled:
        found.is_enabled = is_enabled
        found.save(update_fields=("is_enabled",))
        _record(EventKind.PROVIDER_CHANGED, found, by_label, now)
    return found


def _record(kind: EventKind, provider: IdentityProvider, by_label: str, now: datetime) -> None:
    data = {"by": by_label, "name": provider.name, "what": provider.kind, "result": _standing(provider)}
    append(tenant_id=provider.tenant_id, kind=kind, at=now, subject=provider.pk, data=data)


def _standing(provider: IdentityProvider) -> str:
    return "enabled" if provider.is_enabled else "disabled"


def discovered(issuer: str) -> dict[str, Any]:
    """Return an issuer's endpoints from its own description (OpenID Connect Discovery 1.0); raises ProviderRefused."""
    answer = fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    try:
        told = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ProviderRefused(f"The issuer has no description at its place (answer {answer.status})")
    # Byte for byte: tokens will be compared with it, and a description may not speak for another issuer.
    if told.get("issuer") != issuer:
        raise ProviderRefused("The issuer calls itself by another name; use exactly the one it gives")
    return {
        **{name: _endpoint(told, name) for name in _ENDPOINTS},
        **{name: _endpoint(told, name) if told.get(name) else "" for name in _MORE_ENDPOINTS},
        "algorithm": _algorithm(told),
        "posts_secret": _posts_secret(told),
    }


def _endpoint(told: Mapping[str, Any], name: str) -> str:
    url = told.get(name)
    if not isinstance(url, str):
        raise ProviderRefused(f"The issuer's description lacks `{name}`")
    check_url(url)
    return url


def _algorithm(told: Mapping[str, Any]) -> str:
    offered = told.get("id_token_signing_alg_values_supported")
    challenges = told.get("code_challenge_methods_supported")
    if isinstance(challenges, list) and "S256" not in challenges:
        raise ProviderRefused("The issuer does not take PKCE with S256")
    for algorithm in ALGORITHMS:
        if isinstance(offered, list) and algorithm in offered:
            return algorithm
    raise ProviderRefused("The issuer signs with no algorithm we take")


def _posts_secret(told: Mapping[str, Any]) -> bool:
    # Silence means client_secret_basic (Discovery 1.0, section 3).
    offered = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if not isinstance(offered, list) or not {"client_secret_basic", "client_secret_post"} & set(map(str, offered)):
        raise ProviderRefused("The issuer takes neither client_secret_basic nor client_secret_post")
    return "client_secret_basic" not in offered


def checked_roles(roles: Sequence[str]) -> list[str]:
    if set(roles) - {role.value for role in Role}:
        raise ProviderRefused(f"Roles are {', '.join(Role)}")
    return list(dict.fromkeys(roles))


def checked_map(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group map in its one form; raises ProviderRefused."""
    if len(given) > MOST_MAPPED_GROUPS:
        raise ProviderRefused(f"At most {MOST_MAPPED_GROUPS} groups are mapped")
    return {str(name): _mapped(str(name), value) for name, value in given.items()}


def _mapped(name: str, value: Any) -> dict[str, list[str]]:
    if not 0 < len(name) <= 300 or not isinstance(value, dict) or set(value) - {"roles", "groups"}:
        raise ProviderRefused('A mapped group is {"roles": [...], "groups": [...]}')
    roles, groups = value.get("roles", []), value.get("groups", [])
    if not all(isinstance(one, str) for many in (roles, groups) if isinstance(many, list) for one in many):
        raise ProviderRefused("Roles and groups are lists of names")
    if not isinstance(roles, list) or not isinstance(groups, list) or not all(map(_GROUP.fullmatch, groups)):
        raise ProviderRefused("A group is lower-case letters, digits and . _ -, at most 80")
    return {"roles": checked_roles(roles), "groups": list(dict.fromkeys(groups))}


def seal_secret(tenant: Tenant, plaintext: bytes) -> bytes:
    return sealing.seal(tenant_id=tenant.pk, column=SECRET_COLUMN, plaintext=plaintext)


def open_secret(provider: IdentityProvider) -> bytes:
    return sealing.unseal(tenant_id=provider.tenant_id, column=SECRET_COLUMN, sealed=provider.sealed_secret)


def oidc_of(provider: IdentityProvider) -> Provider:
    """The provider as a flow needs it, its secret opened. Call inside the tenant's transaction."""
    endpoints = provider.endpoints
    return Provider(
        issuer=provider.issuer,
        client_id=provider.client_id,
        plaintext_client_secret=open_secret(provider).decode(),
        algorithm=endpoints["algorithm"],
        authorization_endpoint=endpoints["authorization_endpoint"],
        token_endpoint=endpoints["token_endpoint"],
        jwks_uri=endpoints["jwks_uri"],
        userinfo_endpoint=endpoints["userinfo_endpoint"],
        end_session_endpoint=endpoints["end_session_endpoint"],
        posts_secret=endpoints["posts_secret"],
    )
