"""The kill switch: taking people, agents, service accounts and whole tenants out of service, and letting them back.

Whoever is out is refused at the next admission, and the edges' feeds end what waits for him; that is
`gateway.requests`. Connections have their own switch in `gateway.connections.services`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity import selectors
from gateway.identity.caller import Caller
from gateway.identity.models import Agent, Membership, ServiceAccount
from gateway.identity.problems import (
    AgentUnknown,
    NotAMember,
    ReasonRefused,
    ServiceAccountUnknown,
    WouldLockOut,
)
from gateway.tenants.models import Tenant, TenantScoped
from gateway.tenants.rights import Right

LARGEST_REASON = 500
M = TypeVar("M", bound=TenantScoped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Which way the switch is thrown, and why: the reason is kept as evidence."""

    is_suspended: bool
    reason: str = ""

    def __post_init__(self) -> None:
        has_hidden = any(unicodedata.category(one) in {"Cc", "Cs"} for one in self.reason)
        if len(self.reason) > LARGEST_REASON or has_hidden:
            raise ReasonRefused


@transaction.atomic
def switch_member(*, by: Caller, user_id: UUID, switch: Switch, confirm: str = "", now: datetime) -> Membership:
    """Take a person out of this tenant, or let him back; raises NotAMember, or WouldLockOut without a confirmation.

    Whoever would suspend himself must confirm with his own user name: nobody locks himself out by a slip.
    """
    by.must(Right.MEMBERS_SUSPEND)
    found = _locked(Membership, by.tenant, user_id=user_id)
    if found is None:
        raise NotAMember
    username = found.user.get_username()
    if switch.is_suspended and by.user is not None and user_id == by.user.pk:
        _must_be_confirmed(confirm, username)
    if found.is_active == switch.is_suspended:
        found.is_active = not switch.is_suspended
        found.save(update_fields=("is_active",))
        kind = EventKind.MEMBER_SUSPENDED if switch.is_suspended else EventKind.MEMBER_RESUMED
        _record(by, kind, user_id, switch, now, user=username)
    return found


@transaction.atomic
def switch_agent(*, by: Caller, agent_id: UUID, switch: Switch, now: datetime) -> Agent:
    """Stop everything the agent does, in every conversation, or let it go on; raises AgentUnknown."""
    by.must(Right.AGENTS_WRITE)
    agent = _locked(Agent, by.tenant, pk=agent_id)
    if agent is None:
        raise AgentUnknown
    if _is_thrown(agent, switch):
        kind = EventKind.AGENT_SUSPENDED if switch.is_suspended else EventKind.AGENT_RESUMED
        _record(by, kind, agent.pk, switch, now, agent=agent.name)
    # With its owner, as every reader of agents expects.
    return selectors.agent(by.tenant, agent_id)


@transaction.atomic
def switch_service_account(*, by: Caller, account_id: UUID, switch: Switch, now: datetime) -> ServiceAccount:
    """Stop a workload, its API keys included, or let it go on; raises ServiceAccountUnknown."""
    by.must(Right.AGENTS_WRITE)
    account = _locked(ServiceAccount, by.tenant, pk=account_id)
    if account is None:
        raise ServiceAccountUnknown
    if _is_thrown(account, switch):
        suspended, resumed = EventKind.SERVICE_ACCOUNT_SUSPENDED, EventKind.SERVICE_ACCOUNT_RESUMED
        _record(by, suspended if switch.is_suspended else resumed, account.pk, switch, now, name=account.name)
    return account


@transaction.atomic
def switch_tenant(*, by: Caller, switch: Switch, confirm: str = "", now: datetime) -> Tenant:
    """Stop every call and every person of the tenant, or lift that; suspending asks for the tenant's name.

    Afterwards only this switch still opens to whoever holds the right to it. Raises WouldLockOut.
    """
    by.must(Right.TENANT_SUSPEND)
    tenant = Tenant.objects.select_for_update(no_key=True).get(pk=by.tenant.pk)
    if switch.is_suspended:
        _must_be_confirmed(confirm, tenant.slug)
    return _switch_tenant(tenant, by.label, switch, now)


def resume_as_operator(*, tenant: Tenant, reason: str, now: datetime) -> Tenant:
    """Lift a tenant's suspension from the machine itself, where nobody inside is left who could."""
    with transaction.atomic():
        found = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
        return _switch_tenant(found, "operator", Switch(is_suspended=False, reason=reason), now)


def _switch_tenant(tenant: Tenant, by_label: str, switch: Switch, now: datetime) -> Tenant:
    if tenant.is_suspended != switch.is_suspended:
        tenant.is_suspended = switch.is_suspended
        tenant.save(update_fields=("is_suspended",))
        kind = EventKind.TENANT_SUSPENDED if switch.is_suspended else EventKind.TENANT_RESUMED
        data = {"by": by_label, "name": tenant.slug, "reason": switch.reason}
        append(tenant_id=tenant.pk, kind=kind, at=now, subject=tenant.pk, data=data)
    return tenant


def _locked(model: type[M], tenant: Tenant, **named: object) -> M | None:
    # Not against references: a transaction at the ledger's head may still have to check its own to this row.
    rows: Any = model.objects.for_tenant(tenant).select_for_update(no_key=True)
    found: M | None = rows.filter(**named).first()
    return found


def _is_thrown(row: Agent | ServiceAccount, switch: Switch) -> bool:
    """Set the row's standing; False where it stood so already, since throwing a switch twice is one event."""
    if row.is_suspended == switch.is_suspended:
        return False
    row.is_suspended = switch.is_suspended
    row.save(update_fields=("is_suspended",))
    return True


def _must_be_confirmed(confirm: str, name: str) -> None:
    if confirm != name:
        raise WouldLockOut(f"Confirm with `{name}`")


def _record(by: Caller, kind: EventKind, subject: UUID, switch: Switch, now: datetime, **facts: str) -> None:
    data = {"by": by.label, "reason": switch.reason, **facts}
    if by.api_key is not None:
        data["key"] = str(by.api_key.pk)
    append(tenant_id=by.tenant.pk, kind=kind, at=now, subject=subject, data=data)
