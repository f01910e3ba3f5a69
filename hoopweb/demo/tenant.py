"""The demo tenant: people, agent, connection, policy, and the keys a start issues. Idempotent.

Where the keys are written is `manage.py bootstrap_demo`'s.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from approvals import rules
from gateway.connections import services as connections
from gateway.connections.models import Connection, ConnectionState
from gateway.identity import services as identity
from gateway.identity.keys import IssuedGatewayKey
from gateway.identity.models import Agent, ApiKey, GatewayKey, Membership, User
from gateway.policy.models import Policy
from gateway.policy.packs import STARTING
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import all_tenant_ids, in_tenant
from hoopweb.demo.env_file import write_private

BY = "make run"
KEY_LIFETIME = timedelta(hours=8)
ACCOUNT = "123456789012"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/hoopweb-demo"
REGIONS = ("us-east-1", "eu-west-1")
CONNECTION, AGENT, GROUP = "sandbox", "demo-agent", "platform"
PEOPLE: dict[str, tuple[tuple[Role, ...], tuple[str, ...]]] = {
    "admin": ((Role.OWNER, Role.SECURITY_ADMIN), ()),
    "auditor": ((Role.AUDITOR,), ()),
    "bob": ((Role.APPROVER,), (GROUP,)),
    "carol": ((Role.APPROVER,), (GROUP,)),
    "alice": ((Role.DEVELOPER,), ()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """The keys of one start: API keys by person, and the AWS-shaped keys of alice's agent."""

    api_keys: dict[str, str] = field(repr=False)
    gateway_key: IssuedGatewayKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTenant:
    """The tenant as it stands. `findings` are sentences for whoever started it."""

    tenant: Tenant
    people: dict[str, User]
    agent_id: UUID
    connection_id: UUID
    folder: Path
    findings: tuple[str, ...] = ()
    region: str = REGIONS[0]

    def username(self, person: str) -> str:
        return self.people[person].get_username()

    def password(self, person: str) -> str:
        return _password_file(self.folder, self.username(person)).read_text()

    def issue_keys(self, *, now: datetime) -> Issued:
        """Revoke what earlier starts issued, and issue one key for each person and one for alice's agent."""
        with in_tenant(self.tenant):
            self._revoke_earlier(now)
            keys = {person: self._api_key(person, now) for person in PEOPLE}
            agent = Agent.objects.for_tenant(self.tenant).get(pk=self.agent_id)
            _, gateway_key = identity.issue_gateway_key(
                tenant=self.tenant,
                user=self.people["alice"],
                agent=agent,
                connection_id=self.connection_id,
                lifetime=KEY_LIFETIME,
                by_label=BY,
                issued_by_key=None,
                now=now,
                random=os.urandom,
            )
        return Issued(api_keys=keys, gateway_key=gateway_key)

    def _api_key(self, person: str, now: datetime) -> str:
        membership = Membership.objects.for_tenant(self.tenant).get(user=self.people[person])
        _, plaintext = identity.issue_api_key(
            tenant=self.tenant,
            name=f"{BY}: {person}",
            user=self.people[person],
            scopes=sorted(membership.rights),
            lifetime=KEY_LIFETIME,
            by_label=BY,
            now=now,
            random=os.urandom,
        )
        return plaintext

    def _revoke_earlier(self, now: datetime) -> None:
        """Only our own: keys people made for themselves, by page or API, live on."""
        live = {"revoked_at": None, "expires_at__gt": now}
        for key in ApiKey.objects.for_tenant(self.tenant).filter(name__startswith=f"{BY}: ", **live):
            identity.revoke_api_key(tenant=self.tenant, key_id=key.pk, by_label=BY, now=now)
        own = {"agent_id": self.agent_id, "issued_by_key": None, "conversation": "", "prompt_id": None}
        for issued in GatewayKey.objects.for_tenant(self.tenant).filter(**own, **live):
            identity.revoke_gateway_key(tenant=self.tenant, key_id=issued.pk, by_label=BY, now=now)


def ensure_tenant(slug: str, *, folder: Path, now: datetime) -> DemoTenant:
    """Make whatever of the demo is missing. Passwords are kept in `folder`, one file a person."""
    tenant = _found(slug) or identity.create_tenant(
        slug=slug, title="Acme Corporation (demo)", keys_may_vote=True, password_alone=True
    )
    with in_tenant(tenant):
        people = {person: _person(tenant, person, folder, now) for person in PEOPLE}
        rules.ensure_starting_rules(tenant=tenant, by_label=BY, now=now)
        agent = _agent(tenant, people["alice"], now)
        connection = _connection(tenant, now)
        _policy(tenant, now)
    # Outside the transaction: the test asks STS.
    tested = _tested(tenant, connection, now)
    return DemoTenant(
        tenant=tenant,
        people=people,
        agent_id=agent.pk,
        connection_id=connection.pk,
        folder=folder,
        findings=_findings(tested),
    )


def _found(slug: str) -> Tenant | None:
    """Look for a tenant by name: row-level security binds the owner too, so each is entered in turn."""
    for tenant_id in all_tenant_ids():
        with in_tenant(tenant_id):
            tenant: Tenant = Tenant.objects.get(pk=tenant_id)
        if tenant.slug == slug:
            return tenant
    return None


def _password_file(folder: Path, username: str) -> Path:
    return folder / f"password-of-{username}"


def _person(tenant: Tenant, person: str, folder: Path, now: datetime) -> User:
    # User names are the installation's: a second demo tenant has people of its own.
    username = person if tenant.slug == "demo" else f"{tenant.slug}-{person}"
    kept = _password_file(folder, username)
    password = kept.read_text() if kept.exists() else secrets.token_urlsafe(15)
    membership = Membership.objects.for_tenant(tenant).select_related("user").filter(user__username=username).first()
    if membership is None:
        roles, groups = PEOPLE[person]
        membership = identity.create_member(
            tenant=tenant, username=username, password=password, roles=roles, groups=groups, by_label=BY, now=now
        )
    elif not kept.exists():
        membership.user.set_password(password)
        membership.user.save(update_fields=("password",))
    if not kept.exists():
        write_private(kept, password)
    user: User = membership.user
    return user


def _agent(tenant: Tenant, owner: User, now: datetime) -> Agent:
    found: Agent | None = Agent.objects.for_tenant(tenant).filter(name=AGENT).first()
    if found is not None:
        return found
    return identity.create_agent(tenant=tenant, name=AGENT, kind="script", owner=owner, by_label=BY, now=now)


def _connection(tenant: Tenant, now: datetime) -> Connection:
    found: Connection | None = Connection.objects.for_tenant(tenant).filter(name=CONNECTION).first()
    if found is not None:
        return found
    return connections.create_connection(
        tenant=tenant,
        name=CONNECTION,
        account_id=ACCOUNT,
        role_arn=ROLE_ARN,
        regions=REGIONS,
        observe_only=False,
        by_label=BY,
        now=now,
        random=os.urandom,
    )


def _tested(tenant: Tenant, connection: Connection, now: datetime) -> Connection:
    if connection.state != ConnectionState.DRAFT:
        return connection
    return connections.test_connection(tenant=tenant, connection_id=connection.pk, by_label=BY, now=now)


def _findings(connection: Connection) -> tuple[str, ...]:
    if connection.state == ConnectionState.ACTIVE:
        return ()
    steps = connection.test_report.get("steps", [])
    failed = [step["finding"] for step in steps if not step["is_passed"]]
    return (f"The connection `{connection.name}` is {connection.state}.", *failed)


def _policy(tenant: Tenant, now: datetime) -> None:
    """Publish the packs to start with as the first revision; what a person published later is left alone."""
    if Policy.objects.for_tenant(tenant).exclude(current=None).exists():
        return
    rules.publish(tenant=tenant, packs=STARTING, text="", by_label=BY, now=now)
