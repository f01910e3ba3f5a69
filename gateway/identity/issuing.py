"""API keys as their makers see them: who may make one for whom, and whose keys one may see and end.

Making the key itself, and what it may hold at most, is `gateway.identity.services`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from gateway.identity import selectors, services
from gateway.identity.caller import Caller
from gateway.identity.models import ApiKey, ServiceAccount, User
from gateway.identity.problems import (
    KeyUnknown,
    LifetimeRefused,
    NotAMember,
    RightMissing,
    ServiceAccountUnknown,
)
from gateway.identity.services import Random
from gateway.tenants.rights import Right

# What people may give themselves; for longer, somebody with the right makes the key.
LONGEST_OWN = timedelta(days=90)


def _sees_all(caller: Caller) -> bool:
    return Right.API_KEYS_WRITE in caller.rights


def must_make_keys(by: Caller) -> None:
    """Raise RightMissing unless the caller may make any key at all.

    A person does for himself; a key only with the right: else one that leaked would outlive its own revocation.
    """
    if by.user is None or by.api_key is not None:
        by.must(Right.API_KEYS_WRITE)


def visible_api_keys(caller: Caller) -> QuerySet[ApiKey]:
    """The caller's own API keys, or all of the tenant's with the right; raises RightMissing for neither."""
    rows = selectors.api_keys(caller.tenant)
    if _sees_all(caller):
        return rows
    if caller.user is None:
        raise RightMissing(f"The right `{Right.API_KEYS_WRITE}` is missing")
    return rows.filter(user=caller.user)


def visible_api_key(caller: Caller, key_id: UUID) -> ApiKey:
    """One of them; raises KeyUnknown, for another person's or tenant's as for none."""
    found = visible_api_keys(caller).filter(pk=key_id).first()
    if found is None:
        raise KeyUnknown
    return found


def issue_for_caller(
    *,
    by: Caller,
    name: str,
    scopes: Iterable[str],
    lifetime: timedelta,
    is_person_bound: bool,
    service_account_id: UUID | None,
    now: datetime,
    random: Random,
) -> tuple[ApiKey, str]:
    """Make a key of the caller's own, of a service account, or of nobody; the key is returned this once.

    None has a right the caller lacks, and one that a key makes ends no later than its maker. Raises what
    `services.issue_api_key` raises, RightMissing and ServiceAccountUnknown.
    """
    must_make_keys(by)
    if LONGEST_OWN < lifetime <= services.LONGEST_API_KEY:
        # A long-lived key is an administrator's to allow; he makes it, and is warned before it ends.
        by.must(Right.API_KEYS_WRITE)
    account, user = _service_account(by, service_account_id), None
    if account is None and is_person_bound:
        user = _person(by)
    else:
        by.must(Right.API_KEYS_WRITE)
    if by.api_key is not None and now + lifetime > by.api_key.expires_at:
        raise LifetimeRefused("A key made by a key ends no later than its maker")
    return services.issue_api_key(
        tenant=by.tenant,
        name=name,
        user=user,
        service_account=account,
        scopes=scopes,
        lifetime=lifetime,
        by_label=by.label,
        by_key=by.api_key.pk if by.api_key else None,
        granter_rights=by.rights,
        now=now,
        random=random,
    )


def _person(by: Caller) -> User:
    if by.user is None:
        raise NotAMember("This key is no person's own: ask for one with `person_bound` false")
    return by.user


def _service_account(by: Caller, account_id: UUID | None) -> ServiceAccount | None:
    if account_id is None:
        return None
    found = selectors.service_accounts(by.tenant).filter(pk=account_id).first()
    if found is None:
        raise ServiceAccountUnknown
    return found
