"""Keys a device asks for on behalf of an agent at work: three minutes, one connection, and given again while they live.

How firmly they tie a call to a prompt is `proving` at the issue and `gateway.requests.intent` at each call.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection as database

from gateway.identity import keys, services
from gateway.identity.caller import Caller
from gateway.identity.keys import IssuedGatewayKey
from gateway.identity.models import Agent, Device, GatewayKey, User
from gateway.identity.problems import AgentSuspended, NameRefused, NameTaken, NotAMember
from gateway.identity.proving import Cap
from gateway.identity.services import SECRET_COLUMN, Random
from gateway.sealing.services import unseal
from gateway.tenants.models import Tenant

LIFETIME = timedelta(minutes=3)
# With less than this left, new keys are issued: a caller signs at once, and is checked within seconds.
NEAR_EXPIRY = timedelta(minutes=1)
_KIND = re.compile(r"[a-z0-9-]{1,40}")


def agent_of(tenant: Tenant, *, owner: User, kind: str, now: datetime) -> Agent | None:
    """A person's agent of this kind, made known when it first shows up; None where none is named.

    So that it can be suspended like any other. Raises NameRefused.
    """
    if not kind:
        return None
    if not _KIND.fullmatch(kind):
        raise NameRefused("An agent's kind is lower-case letters, digits and -, at most 40")
    rows = Agent.objects.for_tenant(tenant).filter(owner=owner, kind=kind).order_by("created_at", "id")
    return rows.first() or _made(tenant, owner, kind, now)


def _made(tenant: Tenant, owner: User, kind: str, now: datetime) -> Agent:
    person = re.sub(r"[^A-Za-z0-9._-]", "-", owner.get_username())[:30]
    # The second name is for another person whose name reads alike.
    for name in (f"{kind} {person}", f"{kind} {person} {owner.pk.hex[:6]}"):
        try:
            return services.create_agent(
                tenant=tenant, name=name, kind=kind, owner=owner, by_label=owner.get_username(), now=now
            )
        except NameTaken:
            found: Agent | None = Agent.objects.for_tenant(tenant).filter(owner=owner, kind=kind).first()
            if found is not None:
                return found
    raise NameTaken(f"Agent `{kind} {person}`")


def issue(
    *,
    by: Caller,
    agent: Agent | None,
    connection_id: UUID,
    conversation: str,
    generation: str,
    prompt_id: UUID | None,
    cap: Cap,
    how: str,
    now: datetime,
    random: Random,
) -> tuple[GatewayKey, IssuedGatewayKey]:
    """Return the keys of this (connection, conversation, generation): those that live, or new ones near their end.

    `how` is the first asker's: keys that are given again keep theirs. Raises AgentSuspended, NameRefused or NotAMember.
    """
    if by.user is None or by.device is None:
        raise NotAMember("These keys are issued to a person's enrolled device")
    if agent is not None and agent.is_suspended:
        raise AgentSuspended(f"Agent `{agent.name}`")
    name = (by.device.pk, agent.pk if agent else None, connection_id, conversation, generation, cap.level)
    _one_at_a_time("/".join(str(part) for part in name))
    found = _living(by.tenant, by.device, agent, connection_id, conversation, generation, cap, now)
    if found is not None:
        return found, _again(found)
    return services.issue_gateway_key(
        tenant=by.tenant,
        user=by.user,
        agent=agent,
        connection_id=connection_id,
        conversation=conversation,
        generation=generation,
        prompt_id=prompt_id,
        lifetime=LIFETIME,
        by_label=by.label,
        issued_by_key=None,
        now=now,
        random=random,
        device=by.device,
        cap=cap,
        how=how,
    )


def _one_at_a_time(name: str) -> None:
    """Of several helpers that ask for the same at once, one issues and the others find what it issued."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _living(
    tenant: Tenant,
    device: Device,
    agent: Agent | None,
    connection_id: UUID,
    conversation: str,
    generation: str,
    cap: Cap,
    now: datetime,
) -> GatewayKey | None:
    rows = GatewayKey.objects.for_tenant(tenant).filter(device=device, agent=agent, connection_id=connection_id)
    rows = rows.filter(conversation=conversation, generation=generation, ancestors=[], revoked_at=None)
    # A weaker or stronger claim is another key: none is lifted by one that was asked for better.
    rows = rows.filter(link_cap=cap.level.value, cap_reason=cap.reason[:200], expires_at__gt=now + NEAR_EXPIRY)
    found: GatewayKey | None = rows.order_by("-issued_at").first()
    return found


def _again(row: GatewayKey) -> IssuedGatewayKey:
    secret = unseal(tenant_id=row.tenant_id, column=SECRET_COLUMN, sealed=bytes(row.sealed_secret))
    return keys.derived_key(access_key_id=row.access_key_id, secret=secret.decode())
