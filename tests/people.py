"""The people and places the tests tell of: acme where alice asks and bob and carol approve, and globex next door.

They are rows only, without events, so that a test sees exactly the events of its own act.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from approvals.models import ApprovalRule
from gateway.connections.models import Connection, ConnectionState
from gateway.identity import keys
from gateway.identity.caller import Caller
from gateway.identity.models import Agent, ApiKey, GatewayKey, Membership, User
from gateway.identity.services import create_tenant
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.conftest import AsOwner

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def member(tenant: Tenant, name: str, *, roles: Sequence[Role], groups: Sequence[str] = ()) -> User:
    """A person of a tenant, without a password: making one takes longer than most tests."""
    user = User(username=name)
    user.set_unusable_password()
    with in_tenant(tenant):
        user.save(force_insert=True)
        Membership.objects.create(tenant=tenant, user=user, roles=[role.value for role in roles], groups=list(groups))
    return user


def caller_of(tenant: Tenant, user: User, *, api_key: ApiKey | None = None) -> Caller:
    """The person as a signed-in browser, or behind one of his keys, as the middleware would find him."""
    with in_tenant(tenant):
        membership: Membership = Membership.objects.for_tenant(tenant).get(user=user)
    rights = membership.rights
    if api_key is not None:
        rights &= frozenset(right for right in Right if right.value in api_key.scopes)
    return Caller(tenant=tenant, user=user, membership=membership, rights=rights, api_key=api_key)


def api_key_of(tenant: Tenant, user: User | None, *scopes: Right) -> tuple[ApiKey, str]:
    """A live API key with these scopes, and its text."""
    key_id = uuid.uuid4()
    issued = keys.issue_api_key(tenant_id=tenant.pk, key_id=key_id, random=os.urandom)
    with in_tenant(tenant):
        key: ApiKey = ApiKey.objects.create(
            id=key_id,
            tenant=tenant,
            name="a test's key",
            user=user,
            digest=issued.digest,
            scopes=[scope.value for scope in scopes],
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
    return key, issued.plaintext_key


def admin_of(tenant: Tenant) -> Caller:
    """A caller who may do everything in the tenant, and is no person."""
    return Caller(tenant=tenant, user=None, membership=None, rights=frozenset(Right))


def gateway_key_of(
    tenant: Tenant,
    user: User | None,
    connection: Connection,
    *,
    agent: Agent | None = None,
    issued_by_key: uuid.UUID | None = None,
) -> GatewayKey:
    """AWS-shaped keys of a person, with nothing in them that could sign."""
    key_id = uuid.uuid4()
    with in_tenant(tenant):
        key: GatewayKey = GatewayKey.objects.create(
            id=key_id,
            tenant=tenant,
            access_key_id=keys.issue_gateway_key(tenant_id=tenant.pk, key_id=key_id, random=os.urandom).access_key_id,
            sealed_secret=b"",
            token_digest=b"",
            user=user,
            agent=agent,
            connection_id=connection.pk,
            issued_at=NOW,
            expires_at=NOW + timedelta(hours=8),
            issued_by_key=issued_by_key,
        )
    return key


def account(tenant: Tenant, name: str) -> Connection:
    """An AWS account that is reached already."""
    with in_tenant(tenant):
        made: Connection = Connection.objects.create(
            tenant=tenant,
            name=name,
            account_id="123456789012",
            role_arn="arn:aws:iam::123456789012:role/hoopweb",
            external_id=f"hoopweb-{name}",
            regions=["eu-central-1", "us-east-1"],
            state=ConnectionState.ACTIVE,
        )
    return made


def _tenant(as_owner: AsOwner, slug: str, title: str) -> Tenant:
    with as_owner():
        # Passwords alone open: what one-time codes add is told where it is tested.
        return create_tenant(slug=slug, title=title, password_alone=True)


@pytest.fixture
def acme(db: None, as_owner: AsOwner) -> Tenant:
    return _tenant(as_owner, "acme", "Acme Corporation")


@pytest.fixture
def globex(db: None, as_owner: AsOwner) -> Tenant:
    return _tenant(as_owner, "globex", "Globex")


@pytest.fixture
def alice(acme: Tenant) -> User:
    """Asks. A developer whose agents act for her."""
    return member(acme, "alice", roles=[Role.DEVELOPER], groups=["engineering"])


@pytest.fixture
def bob(acme: Tenant) -> User:
    """Approves, as an operator."""
    return member(acme, "bob", roles=[Role.APPROVER], groups=["operators"])


@pytest.fixture
def carol(acme: Tenant) -> User:
    """Approves, as an operator and for security."""
    return member(acme, "carol", roles=[Role.APPROVER], groups=["operators", "security"])


@pytest.fixture
def mallory(globex: Tenant) -> User:
    """Approves next door, in groups of the same names."""
    return member(globex, "mallory", roles=[Role.APPROVER], groups=["operators", "security"])


@pytest.fixture
def billing_agent(acme: Tenant, alice: User) -> Agent:
    with in_tenant(acme):
        agent: Agent = Agent.objects.create(tenant=acme, name="billing-agent", kind="claude-code", owner=alice)
    return agent


@pytest.fixture
def billing_account(acme: Tenant) -> Connection:
    return account(acme, "billing")


@pytest.fixture
def alices_key(acme: Tenant, alice: User, billing_agent: Agent, billing_account: Connection) -> GatewayKey:
    return gateway_key_of(acme, alice, billing_account, agent=billing_agent)


@pytest.fixture
def approver_rules(acme: Tenant) -> None:
    """Policy's `@approvers("operators")` and `@approvers("security")` lead to the groups of those names."""
    with in_tenant(acme):
        for name in ("operators", "security"):
            ApprovalRule.objects.create(tenant=acme, name=name, group=name)
