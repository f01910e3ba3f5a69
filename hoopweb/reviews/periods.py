"""Confining a member to the evidence of a period, and letting the vendor's operators in for hours, by the tenant's word.

Keeping to the period is the tables' own policies' matter (`hoopweb.period`). Called inside the tenant's transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.caller import Caller
from gateway.identity.models import ApiKey, Membership, User
from gateway.identity.problems import NotAMember
from gateway.identity.services import add_membership, issue_api_key
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role, rights_of
from hoopweb.reviews.models import EvidencePeriod, OperatorAccess
from hoopweb.reviews.problems import OperatorAccessNotFound, OperatorAccessRefused, PeriodRefused

# A working day: whoever needs longer asks again.
MOST_HOURS = 12
LARGEST_REASON = 500
# How an operator is called everywhere inside: no member can have such a name (see `_UNFIT` of arrivals and create).
OPERATOR = "operator/{}"


@transaction.atomic
def set_period(
    *,
    by: Caller,
    user_id: UUID,
    since: datetime | None,
    until: datetime | None,
    ends_at: datetime | None,
    now: datetime,
) -> EvidencePeriod:
    """Let a member see the evidence from `since` until `until` alone, and be one no longer once `ends_at` has come.

    None is open on that side. Raises NotAMember and PeriodRefused. Nobody sets his own.
    """
    by.must(Right.MEMBERS_WRITE)
    member: Membership | None = Membership.objects.for_tenant(by.tenant).filter(user_id=user_id).first()
    if member is None:
        raise NotAMember
    is_own = by.user is not None and by.user.pk == user_id
    if is_own or (since and until and since >= until) or (ends_at and ends_at <= now):
        raise PeriodRefused
    made = _keep(by.tenant, user_id, since=since, until=until, ends_at=ends_at, by_label=by.label, now=now)
    facts = {"by": by.label, "user": member.user.get_username(), "what": _words(since, until, ends_at)}
    append(tenant_id=by.tenant.pk, kind=EventKind.PERIOD_SET, at=now, subject=user_id, data=facts)
    return made


def _keep(
    tenant: Tenant,
    user_id: UUID,
    *,
    since: datetime | None,
    until: datetime | None,
    ends_at: datetime | None,
    by_label: str,
    now: datetime,
) -> EvidencePeriod:
    values = {"since": since, "until": until, "ends_at": ends_at, "set_by": by_label, "set_at": now}
    made: EvidencePeriod
    made, _ = EvidencePeriod.objects.update_or_create(tenant=tenant, user_id=user_id, defaults=values)
    return made


def _words(since: datetime | None, until: datetime | None, ends_at: datetime | None) -> str:
    told = {"from": since, "until": until, "member until": ends_at}
    return ", ".join(f"{name} {at.isoformat()}" for name, at in told.items() if at) or "no period"


@transaction.atomic
def ask_access(*, tenant: Tenant, operator: str, reason: str, hours: int, now: datetime) -> OperatorAccess:
    """Ask a tenant to let an operator of the vendor look inside; raises OperatorAccessRefused. Opens nothing by itself."""
    is_named = 0 < len(operator) <= 60 and operator.isascii() and operator.replace("-", "").isalnum()
    is_told = 0 < len(reason.strip()) <= LARGEST_REASON and reason.isprintable()
    if not (is_named and is_told and 1 <= hours <= MOST_HOURS):
        raise OperatorAccessRefused
    made: OperatorAccess = OperatorAccess.objects.create(
        tenant=tenant, operator=operator, reason=reason.strip(), hours=hours, asked_at=now
    )
    data = {"by": OPERATOR.format(operator), "reason": made.reason, "count": hours}
    append(tenant_id=tenant.pk, kind=EventKind.OPERATOR_ASKED, at=now, subject=made.pk, data=data)
    return made


@transaction.atomic
def answer_access(*, by: Caller, access_id: UUID, is_allowed: bool, now: datetime) -> OperatorAccess:
    """Let the operator read as an auditor for the hours asked for, or not; raises OperatorAccessNotFound."""
    by.must(Right.MEMBERS_WRITE)
    rows = OperatorAccess.objects.for_tenant(by.tenant).select_for_update(no_key=True)
    asked: OperatorAccess | None = rows.filter(pk=access_id, is_allowed=None).first()
    if asked is None:
        raise OperatorAccessNotFound
    asked.is_allowed, asked.answered_by, asked.answered_at = is_allowed, by.label, now
    asked.ends_at = now + timedelta(hours=asked.hours) if is_allowed else None
    asked.save(update_fields=("is_allowed", "answered_by", "answered_at", "ends_at"))
    if is_allowed:
        _let_in(by, asked, now)
    data = {
        "by": by.label,
        "user": OPERATOR.format(asked.operator),
        "result": "allowed" if is_allowed else "refused",
        "expires_at": asked.ends_at.isoformat() if asked.ends_at else None,
    }
    append(tenant_id=by.tenant.pk, kind=EventKind.OPERATOR_ANSWERED, at=now, subject=asked.pk, data=data)
    return asked


def _let_in(by: Caller, asked: OperatorAccess, now: datetime) -> None:
    name = f"{OPERATOR.format(asked.operator)}@{by.tenant.slug}"
    user = User.objects.filter(username=name).first()
    if user is None:
        user = User(id=uuid.uuid4(), username=name)
        user.set_unusable_password()
        user.save(force_insert=True)
    if not Membership.objects.for_tenant(by.tenant).filter(user=user).exists():
        roles = [Role.AUDITOR.value]
        add_membership(tenant=by.tenant, user=user, roles=roles, groups=(), by_label=by.label, now=now)
    _keep(by.tenant, user.pk, since=None, until=None, ends_at=asked.ends_at, by_label=by.label, now=now)


@transaction.atomic
def end_access(*, by: Caller, access_id: UUID, now: datetime) -> OperatorAccess:
    """Put an operator out before his hours are over, keys and all; raises OperatorAccessNotFound."""
    by.must(Right.MEMBERS_WRITE)
    rows = OperatorAccess.objects.for_tenant(by.tenant).select_for_update(no_key=True)
    found: OperatorAccess | None = rows.filter(pk=access_id, is_allowed=True, ends_at__gt=now).first()
    if found is None:
        raise OperatorAccessNotFound
    found.ends_at = now
    found.save(update_fields=("ends_at",))
    name = OPERATOR.format(found.operator)
    user = User.objects.filter(username=f"{name}@{by.tenant.slug}").first()
    if user is not None:
        _keep(by.tenant, user.pk, since=None, until=None, ends_at=now, by_label=by.label, now=now)
        ApiKey.objects.for_tenant(by.tenant).filter(user=user, revoked_at=None).update(revoked_at=now)
    data = {"by": by.label, "user": name}
    append(tenant_id=by.tenant.pk, kind=EventKind.OPERATOR_ENDED, at=now, subject=found.pk, data=data)
    return found


@transaction.atomic
def operator_key(*, tenant: Tenant, operator: str, now: datetime, random: Callable[[int], bytes]) -> str:
    """Return an API key that reads as the tenant allowed, until the allowed hours are over; raises OperatorAccessNotFound."""
    name = f"{OPERATOR.format(operator)}@{tenant.slug}"
    rows = OperatorAccess.objects.for_tenant(tenant).filter(operator=operator, is_allowed=True, ends_at__gt=now)
    open_now: OperatorAccess | None = rows.order_by("-ends_at").first()
    user = User.objects.filter(username=name).first()
    if open_now is None or open_now.ends_at is None or user is None:
        raise OperatorAccessNotFound
    # Not the prompts' exact words: those are read by the tenant's own people.
    scopes = rights_of([Role.AUDITOR]) - {Right.PROMPTS_READ}
    key, plaintext_key = issue_api_key(
        tenant=tenant,
        name=f"operator {operator}",
        user=user,
        scopes=[scope.value for scope in scopes],
        lifetime=open_now.ends_at - now,
        by_label=OPERATOR.format(operator),
        now=now,
        random=random,
    )
    data = {"by": OPERATOR.format(operator), "key": str(key.pk), "expires_at": key.expires_at.isoformat()}
    append(tenant_id=tenant.pk, kind=EventKind.OPERATOR_KEY_ISSUED, at=now, subject=open_now.pk, data=data)
    return plaintext_key
