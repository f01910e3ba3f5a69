"""Tokens for workloads by client secrets, two of which may live at once (RFC 6749, 4.4). Outside tokens: `web_identity`.

A token is an API key of the service account that lives an hour at most: it is checked, listed and ended as any other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity import key_guesses, keys
from gateway.identity.door_models import AccountSecret
from gateway.identity.door_problems import AccountUnknown, TooManySecrets
from gateway.identity.models import ApiKey, ServiceAccount
from gateway.identity.problems import LifetimeRefused, ScopeRefused
from gateway.identity.services import issue_api_key
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right

TOKEN_LIFETIME = timedelta(hours=1)
LONGEST_SECRET = timedelta(days=180)
MOST_SECRETS = 2
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    api_key: ApiKey
    plaintext_token: str


def _account(tenant: Tenant, account_id: UUID) -> ServiceAccount:
    """One service account, locked; raises AccountUnknown, for another tenant's as for none."""
    rows = ServiceAccount.objects.for_tenant(tenant).select_for_update(no_key=True)
    found: ServiceAccount | None = rows.filter(pk=account_id).first()
    if found is None:
        raise AccountUnknown
    return found


def workload_scopes(wanted: Iterable[str], ceiling: frozenset[Right]) -> list[str]:
    """Scopes a workload may be given; raises ScopeRefused for one beyond the ceiling, an unknown one, none, or a vote."""
    named = set(wanted)
    rights = {right for right in Right if right.value in named} & ceiling - {Right.APPROVALS_VOTE}
    if not named or len(rights) != len(named):
        raise ScopeRefused("Scopes are rights its maker has; no workload votes")
    return sorted(right.value for right in rights)


@transaction.atomic
def issue_secret(
    *,
    tenant: Tenant,
    account_id: UUID,
    scopes: Iterable[str],
    granter_rights: frozenset[Right],
    lifetime: timedelta,
    by_label: str,
    now: datetime,
    random: Random,
) -> tuple[AccountSecret, str]:
    """Make a client secret, returned once; raises TooManySecrets, AccountUnknown, LifetimeRefused or ScopeRefused."""
    if not timedelta(hours=1) <= lifetime <= LONGEST_SECRET:
        raise LifetimeRefused("A client secret lives from an hour to 180 days")
    account = _account(tenant, account_id)
    live = AccountSecret.objects.for_tenant(tenant).filter(service_account=account, revoked_at=None, expires_at__gt=now)
    if live.count() >= MOST_SECRETS:
        raise TooManySecrets
    secret_id = uuid.uuid4()
    issued = keys.issue_api_key(tenant_id=tenant.pk, key_id=secret_id, random=random)
    made: AccountSecret = AccountSecret.objects.create(
        id=secret_id,
        tenant=tenant,
        service_account=account,
        digest=issued.digest,
        scopes=workload_scopes(scopes, granter_rights),
        created_at=now,
        expires_at=now + lifetime,
    )
    _record(EventKind.ACCOUNT_CREDENTIAL_ISSUED, account, secret_id, by_label, now)
    return made, issued.plaintext_key


@transaction.atomic
def revoke_secret(*, tenant: Tenant, account_id: UUID, secret_id: UUID, by_label: str, now: datetime) -> None:
    """End a client secret; raises AccountUnknown. Twice is one event. Tokens it got live out their hour or are revoked."""
    account = _account(tenant, account_id)
    rows = AccountSecret.objects.for_tenant(tenant).filter(pk=secret_id, service_account=account)
    if not rows.exists():
        raise AccountUnknown
    if rows.filter(revoked_at=None).update(revoked_at=now):
        _record(EventKind.ACCOUNT_CREDENTIAL_REVOKED, account, secret_id, by_label, now)


def _record(kind: EventKind, account: ServiceAccount, subject: UUID, by_label: str, now: datetime) -> None:
    data = {"by": by_label, "name": account.name}
    append(tenant_id=account.tenant_id, kind=kind, at=now, subject=subject, data=data)


@transaction.atomic
def token_for_secret(
    *, tenant: Tenant, client_id: str, client_secret: str, source: str, now: datetime, random: Random
) -> Issued | None:
    """Return a token for a live secret of that account, or None; raises SignInThrottled after wrong ones from there."""
    named = keys.read_api_key(client_secret)
    if named is None:
        return None
    key_guesses.must_be_few(key_id=named.key_id, source=source, now=now)
    rows = AccountSecret.objects.for_tenant(tenant).select_related("service_account")
    secret: AccountSecret | None = rows.filter(pk=named.key_id).first()
    if secret is not None and not keys.matches(client_secret, secret.digest):
        key_guesses.count_wrong(key_id=named.key_id, source=source, now=now)
        return None
    if secret is None or not secret.is_live(now):
        return None
    account = secret.service_account
    if str(account.pk) != client_id or account.is_suspended:
        return None
    AccountSecret.objects.for_tenant(tenant).filter(pk=secret.pk).update(last_used_at=now)
    return issue_token(
        tenant=tenant,
        account=account,
        scopes=secret.scopes,
        how="client secret",
        by_label="client secret",
        now=now,
        random=random,
    )


def issue_token(
    *,
    tenant: Tenant,
    account: ServiceAccount,
    scopes: Iterable[str],
    how: str,
    by_label: str,
    now: datetime,
    random: Random,
) -> Issued:
    """An account's token of an hour; who asked for it has been checked."""
    key, plaintext = issue_api_key(
        tenant=tenant,
        name=f"{account.name} by {how}"[:80],
        user=None,
        service_account=account,
        scopes=scopes,
        lifetime=TOKEN_LIFETIME,
        by_label=by_label,
        now=now,
        random=random,
    )
    return Issued(api_key=key, plaintext_token=plaintext)
