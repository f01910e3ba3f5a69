"""Agents: made known with an owner of the tenant, and stopped by name."""

from __future__ import annotations

import uuid

import pytest

from gateway.identity import selectors, services
from gateway.identity.models import Agent, User
from gateway.identity.problems import AgentUnknown, NameRefused, NameTaken, NotAMember
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.identity.test_members import events
from tests.people import NOW


def create(tenant: Tenant, owner: User | None, name: str = "claude", kind: str = "claude-code") -> Agent:
    with in_tenant(tenant):
        return services.create_agent(tenant=tenant, name=name, kind=kind, owner=owner, by_label="sam", now=NOW)


def test_a_new_agent_is_an_event(acme: Tenant, alice: User) -> None:
    made = create(acme, alice)
    (event,) = events(acme, "agent.created")
    assert (event["subject"], event["data"]) == (str(made.pk), {"by": "sam", "agent": "claude"})


def test_an_agent_may_have_no_owner(acme: Tenant) -> None:
    assert create(acme, None).owner is None


def test_an_agents_owner_is_a_member(acme: Tenant, mallory: User) -> None:
    with pytest.raises(NotAMember):
        create(acme, mallory)


def test_an_agents_name_is_taken_once(acme: Tenant, alice: User) -> None:
    create(acme, alice)
    with pytest.raises(NameTaken):
        create(acme, alice)


@pytest.mark.parametrize(
    ("name", "kind"), [("", "script"), ("a\u202eb", "script"), ("ok", "No Kind"), ("x" * 81, "script")]
)
def test_an_agents_name_hides_nothing(acme: Tenant, name: str, kind: str) -> None:
    with pytest.raises(NameRefused):
        create(acme, None, name, kind)


def test_another_tenants_agent_is_unknown(globex: Tenant, billing_agent: Agent) -> None:
    with in_tenant(globex):
        with pytest.raises(AgentUnknown):
            selectors.agent(globex, uuid.uuid4())
        assert list(selectors.agents(globex)) == []
