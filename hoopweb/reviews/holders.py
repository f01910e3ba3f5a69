"""Who holds which right in a tenant today, and when it was last used: what a review puts before people.

Reading only; what stands suspended, revoked or expired holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import Max

from gateway.identity.devices import devices
from gateway.identity.door_models import AccountSecret, SignIn
from gateway.identity.models import ApiKey
from gateway.identity.selectors import api_keys, members, service_accounts
from gateway.identity.workload_rules import workload_rules
from gateway.tenants.models import Tenant
from hoopweb.reviews.groups import held_by_groups
from hoopweb.reviews.lines import Holder
from hoopweb.reviews.models import HolderKind


def holders(tenant: Tenant, now: datetime) -> Iterator[Holder]:
    """Everything that holds a right in the tenant, kind by kind."""
    yield from _members(tenant)
    yield from _api_keys(tenant, now)
    yield from _service_accounts(tenant)
    yield from _devices(tenant)
    for rule in workload_rules(tenant).filter(revoked_at=None).select_related("service_account"):
        yield Holder(
            kind=HolderKind.WORKLOAD_RULE,
            subject=rule.pk,
            label=f"{rule.subject} of {rule.issuer}"[:300],
            access=_words("is service account", [rule.service_account.name], rule.scopes),
            since=rule.created_at,
        )

    yield from held_by_groups(tenant)


def _words(what: str, names: Iterable[str], more: Iterable[str] = ()) -> str:
    return "; ".join(part for part in (f"{what} {', '.join(sorted(names)) or 'none'}", ", ".join(sorted(more))) if part)


def _members(tenant: Tenant) -> Iterator[Holder]:
    seen = dict(
        SignIn.objects.for_tenant(tenant).values("user").annotate(at=Max("last_seen_at")).values_list("user", "at")
    )
    by_key = ApiKey.objects.for_tenant(tenant).exclude(user=None).values("user").annotate(at=Max("last_used_at"))
    keyed = dict(by_key.values_list("user", "at"))
    for member in members(tenant).filter(is_active=True):
        groups = [f"group {group}" for group in member.groups]
        yield Holder(
            kind=HolderKind.MEMBER,
            subject=member.user_id,
            label=member.user.get_username(),
            access=_words("roles", member.roles, groups),
            since=member.created_at,
            last_used_at=max((at for at in (seen.get(member.user_id), keyed.get(member.user_id)) if at), default=None),
        )


def _api_keys(tenant: Tenant, now: datetime) -> Iterator[Holder]:
    for key in api_keys(tenant).filter(revoked_at=None, expires_at__gt=now):
        owner = key.user.get_username() if key.user else key.service_account.name if key.service_account else "nobody"
        yield Holder(
            kind=HolderKind.API_KEY,
            subject=key.pk,
            label=f"{key.name} of {owner}"[:300],
            access=_words("scopes", key.scopes),
            since=key.created_at,
            last_used_at=key.last_used_at,
        )


def _service_accounts(tenant: Tenant) -> Iterator[Holder]:
    secrets = AccountSecret.objects.for_tenant(tenant).values("service_account").annotate(at=Max("last_used_at"))
    used = dict(secrets.values_list("service_account", "at"))
    for account in service_accounts(tenant).filter(is_suspended=False):
        scopes = {scope for secret in account.secrets.filter(revoked_at=None) for scope in secret.scopes}
        yield Holder(
            kind=HolderKind.SERVICE_ACCOUNT,
            subject=account.pk,
            label=account.name,
            access=_words("client secrets with scopes", scopes),
            since=account.created_at,
            last_used_at=used.get(account.pk),
        )


def _devices(tenant: Tenant) -> Iterator[Holder]:
    for device in devices(tenant).filter(revoked_at=None):
        used = ApiKey.objects.for_tenant(tenant).filter(device=device).aggregate(at=Max("last_used_at"))["at"]
        yield Holder(
            kind=HolderKind.DEVICE,
            subject=device.pk,
            label=f"{device.name} of {device.user.get_username()}"[:300],
            access="asks for AWS keys and signs prompts as its person",
            since=device.enrolled_at,
            last_used_at=used,
        )
