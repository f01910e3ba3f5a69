"""Reading people, agents and keys, always inside their tenant's transaction."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from gateway.identity.models import Agent, ApiKey, GatewayKey, Membership, ServiceAccount, User
from gateway.identity.problems import AgentUnknown, NotAMember
from gateway.tenants.models import Tenant


def members(tenant: Tenant) -> QuerySet[Membership]:
    """All memberships with their people, by user name."""
    found: QuerySet[Membership] = Membership.objects.for_tenant(tenant).select_related("user")
    return found.order_by("user__username")


def active_membership(tenant: Tenant, user: User) -> Membership:
    """The membership of a person who may act today; raises NotAMember."""
    found: Membership | None = members(tenant).filter(user=user, is_active=True, user__is_active=True).first()
    if found is None:
        raise NotAMember
    return found


def agents(tenant: Tenant) -> QuerySet[Agent]:
    """All agents with their owners, by name."""
    found: QuerySet[Agent] = Agent.objects.for_tenant(tenant).select_related("owner").order_by("name")
    return found


def agent(tenant: Tenant, agent_id: UUID) -> Agent:
    """One agent; raises AgentUnknown, for another tenant's as for none."""
    found = agents(tenant).filter(pk=agent_id).first()
    if found is None:
        raise AgentUnknown
    return found


def service_accounts(tenant: Tenant) -> QuerySet[ServiceAccount]:
    """All service accounts, by name."""
    found: QuerySet[ServiceAccount] = ServiceAccount.objects.for_tenant(tenant).order_by("name")
    return found


def api_keys(tenant: Tenant) -> QuerySet[ApiKey]:
    """All API keys, newest first; digests are of no use to a reader."""
    found: QuerySet[ApiKey] = (
        ApiKey.objects.for_tenant(tenant).select_related("user", "service_account").defer("digest")
    )
    return found.order_by("-created_at", "-id")


def gateway_keys(tenant: Tenant) -> QuerySet[GatewayKey]:
    """All gateway keys, newest first, without what opens them."""
    found: QuerySet[GatewayKey] = GatewayKey.objects.for_tenant(tenant).select_related("user", "agent")
    return found.defer("sealed_secret", "token_digest").order_by("-issued_at", "-id")
