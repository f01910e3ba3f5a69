"""The kill switch: whom it takes out and lets back, once, with a reason, by whoever has the right, never by a slip."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from gateway.identity import services, standing
from gateway.identity.caller import Caller
from gateway.identity.models import Agent, Membership, ServiceAccount, User
from gateway.identity.problems import (
    AgentUnknown,
    NotAMember,
    ReasonRefused,
    RightMissing,
    ServiceAccountUnknown,
    WouldLockOut,
)
from gateway.identity.standing import Switch
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.identity.test_members import events
from tests.people import NOW, admin_of, caller_of, member

OUT, BACK = Switch(is_suspended=True, reason="laptop stolen"), Switch(is_suspended=False, reason="found again")


@pytest.fixture
def olga(acme: Tenant) -> Caller:
    return caller_of(acme, member(acme, "olga", roles=[Role.SECURITY_ADMIN]))


@pytest.fixture
def robot(acme: Tenant) -> ServiceAccount:
    with in_tenant(acme):
        return services.create_service_account(tenant=acme, name="nightly", by_label="sam", now=NOW)


def test_a_person_is_taken_out_and_let_back_with_one_event_each(acme: Tenant, alice: User, olga: Caller) -> None:
    with in_tenant(acme):
        for switch in (OUT, OUT, BACK, BACK):
            found = standing.switch_member(by=olga, user_id=alice.pk, switch=switch, now=NOW)
            assert found.is_active is not switch.is_suspended
    (out,), (back,) = events(acme, "member.suspended"), events(acme, "member.resumed")
    assert out["data"] == {"by": "olga", "user": "alice", "reason": "laptop stolen"}
    assert back["data"] == {"by": "olga", "user": "alice", "reason": "found again"}


def test_an_agent_and_a_service_account_are_switched_by_the_same_hand(
    acme: Tenant, olga: Caller, billing_agent: Agent, robot: ServiceAccount
) -> None:
    with in_tenant(acme):
        for switch in (OUT, OUT, BACK):
            agent = standing.switch_agent(by=olga, agent_id=billing_agent.pk, switch=switch, now=NOW)
            account = standing.switch_service_account(by=olga, account_id=robot.pk, switch=switch, now=NOW)
            assert (agent.is_suspended, account.is_suspended) == (switch.is_suspended, switch.is_suspended)
    for kind in ("agent.suspended", "agent.resumed", "service_account.suspended", "service_account.resumed"):
        (event,) = events(acme, kind)
        assert event["data"]["by"] == "olga"


def test_a_whole_tenant_stops_only_when_its_name_is_said(acme: Tenant, olga: Caller) -> None:
    with in_tenant(acme):
        for slip in ("", "acm", "ACME"):
            with pytest.raises(WouldLockOut):
                standing.switch_tenant(by=olga, switch=OUT, confirm=slip, now=NOW)
        assert standing.switch_tenant(by=olga, switch=OUT, confirm="acme", now=NOW).is_suspended
        assert not standing.switch_tenant(by=olga, switch=BACK, now=NOW).is_suspended
    assert [event["data"]["reason"] for event in events(acme, "tenant.suspended")] == ["laptop stolen"]
    assert len(events(acme, "tenant.resumed")) == 1


def test_nobody_suspends_himself_by_a_slip(acme: Tenant, olga: Caller) -> None:
    assert olga.user is not None
    with in_tenant(acme):
        with pytest.raises(WouldLockOut):
            standing.switch_member(by=olga, user_id=olga.user.pk, switch=OUT, now=NOW)
        assert Membership.objects.for_tenant(acme).get(user=olga.user).is_active
        standing.switch_member(by=olga, user_id=olga.user.pk, switch=OUT, confirm="olga", now=NOW)
    assert len(events(acme, "member.suspended")) == 1


@pytest.mark.parametrize("role", [Role.APPROVER, Role.AUDITOR, Role.DEVELOPER])
def test_the_switch_is_for_owners_and_security_administrators(
    acme: Tenant, alice: User, billing_agent: Agent, robot: ServiceAccount, role: Role
) -> None:
    by = caller_of(acme, member(acme, "nobody-special", roles=[role]))
    with in_tenant(acme):
        for act in (
            lambda: standing.switch_member(by=by, user_id=alice.pk, switch=OUT, now=NOW),
            lambda: standing.switch_agent(by=by, agent_id=billing_agent.pk, switch=OUT, now=NOW),
            lambda: standing.switch_service_account(by=by, account_id=robot.pk, switch=OUT, now=NOW),
            lambda: standing.switch_tenant(by=by, switch=OUT, confirm="acme", now=NOW),
        ):
            with pytest.raises(RightMissing):
                act()


def test_other_tenants_people_and_agents_are_nobody_here(
    globex: Tenant, alice: User, billing_agent: Agent, robot: ServiceAccount
) -> None:
    by = admin_of(globex)
    with in_tenant(globex):
        with pytest.raises(NotAMember):
            standing.switch_member(by=by, user_id=alice.pk, switch=OUT, now=NOW)
        with pytest.raises(AgentUnknown):
            standing.switch_agent(by=by, agent_id=billing_agent.pk, switch=OUT, now=NOW)
        with pytest.raises(ServiceAccountUnknown):
            standing.switch_service_account(by=by, account_id=robot.pk, switch=OUT, now=NOW)
        with pytest.raises(AgentUnknown):
            standing.switch_agent(by=by, agent_id=uuid.uuid4(), switch=OUT, now=NOW)


@pytest.mark.parametrize("reason", ["x" * 501, "a\0b", "a\nb", "\ud800"])
def test_a_reason_is_one_line_that_evidence_can_keep(reason: str) -> None:
    with pytest.raises(ReasonRefused):
        Switch(is_suspended=True, reason=reason)


def test_the_machine_itself_can_lift_what_nobody_inside_can(acme: Tenant, olga: Caller) -> None:
    with in_tenant(acme):
        standing.switch_tenant(by=olga, switch=OUT, confirm="acme", now=NOW)
        assert not standing.resume_as_operator(tenant=acme, reason="ticket 7", now=NOW).is_suspended
    (event,) = events(acme, "tenant.resumed")
    assert event["data"] == {"by": "operator", "name": "acme", "reason": "ticket 7"}


def test_the_event_names_the_key_that_threw_it(acme: Tenant, alice: User, olga: Caller) -> None:
    from tests.people import api_key_of

    key, _ = api_key_of(acme, olga.user, Right.MEMBERS_SUSPEND)
    given: dict[str, Any] = {"by": replace(olga, api_key=key), "user_id": alice.pk, "switch": OUT, "now": NOW}
    with in_tenant(acme):
        standing.switch_member(**given)
    assert events(acme, "member.suspended")[0]["data"]["key"] == str(key.pk)
