"""The page of people and agents: who is shown, and the kill switch thrown with a reason, never by a slip."""

from __future__ import annotations

import pytest

from audit.kinds import EventKind
from audit.models import Event
from gateway.connections.models import Connection, ConnectionState
from gateway.identity.models import Agent, Membership, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.people import member
from tests.ui.browsing import browser_of, page


@pytest.fixture
def olga(acme: Tenant) -> User:
    return member(acme, "olga", roles=[Role.OWNER])


@pytest.fixture
def ada(acme: Tenant) -> User:
    return member(acme, "ada", roles=[Role.AUDITOR])


def reasons(tenant: Tenant, kind: EventKind) -> int:
    with in_tenant(tenant):
        return int(Event.objects.for_tenant(tenant).filter(kind=kind).count())


def is_active(tenant: Tenant, user: User) -> bool:
    with in_tenant(tenant):
        return bool(Membership.objects.for_tenant(tenant).get(user=user).is_active)


def test_a_person_is_suspended_and_let_back_from_the_page(acme: Tenant, alice: User, olga: User) -> None:
    client, path = browser_of(olga), f"/access/people/{alice.pk}/"
    assert client.post(path, {"throw": "suspend", "reason": "laptop stolen"}).status_code == 302
    assert not is_active(acme, alice)
    assert "suspended" in page(client.get("/access/people/")).text
    client.post(path, {"throw": "resume", "reason": "found"})
    assert is_active(acme, alice)
    assert (reasons(acme, EventKind.MEMBER_SUSPENDED), reasons(acme, EventKind.MEMBER_RESUMED)) == (1, 1)


def test_an_agent_is_suspended_from_the_page(acme: Tenant, billing_agent: Agent, olga: User) -> None:
    client = browser_of(olga)
    assert "billing-agent" in page(client.get("/access/")).text
    client.post(f"/access/agents/{billing_agent.pk}/", {"throw": "suspend", "reason": "wayward"})
    with in_tenant(acme):
        assert Agent.objects.for_tenant(acme).get(pk=billing_agent.pk).is_suspended


def test_suspending_oneself_without_saying_the_name_changes_nothing(acme: Tenant, olga: User) -> None:
    client, path = browser_of(olga), f"/access/people/{olga.pk}/"
    assert client.post(path, {"throw": "suspend", "reason": "oops"}).status_code == 409
    assert is_active(acme, olga)
    client.post(path, {"throw": "suspend", "reason": "leaving", "confirm": "olga"})
    assert not is_active(acme, olga)


def test_the_whole_tenant_is_stopped_and_lifted_from_the_page_it_then_shows(
    acme: Tenant, olga: User, ada: User
) -> None:
    client, reader = browser_of(olga), browser_of(ada)
    assert client.post("/access/tenant/suspend/", {"reason": "breach", "confirm": "wrong"}).status_code == 409
    assert client.post("/access/tenant/suspend/", {"reason": "breach", "confirm": "acme"}).status_code == 302
    shut = client.get("/sessions/")
    assert shut.status_code == 403
    assert "You may lift it" in page(shut).text
    assert "You may lift it" not in page(reader.get("/sessions/")).text
    reader.post("/access/tenant/resume/", {"reason": "me too"})
    assert reader.get("/sessions/").status_code == 403
    assert client.post("/access/tenant/resume/", {"reason": "all clear"}).status_code == 302
    assert reader.get("/sessions/").status_code == 200
    assert (reasons(acme, EventKind.TENANT_SUSPENDED), reasons(acme, EventKind.TENANT_RESUMED)) == (1, 1)


def test_a_connection_is_suspended_from_its_page(acme: Tenant, billing_account: Connection, olga: User) -> None:
    client = browser_of(olga)
    client.post(f"/connections/{billing_account.pk}/switch/", {"throw": "suspend", "reason": "role leaked"})
    with in_tenant(acme):
        assert Connection.objects.for_tenant(acme).get(pk=billing_account.pk).state == ConnectionState.SUSPENDED
    assert "Lift the suspension" in page(client.get(f"/connections/{billing_account.pk}/")).text


def test_the_accounts_a_connection_may_reach_are_chosen_on_its_page(
    acme: Tenant, billing_account: Connection, olga: User, ada: User
) -> None:
    client, path = browser_of(olga), f"/connections/{billing_account.pk}/"
    client.post(f"{path}accounts/", {"accounts": "444455556666, 222233334444"})
    assert "222233334444, 444455556666" in page(client.get(path)).text
    assert browser_of(ada).post(f"{path}accounts/", {"accounts": ""}).status_code == 403
    assert client.post(f"{path}accounts/", {"accounts": "everybody"}).status_code == 400
    assert "222233334444, 444455556666" in page(client.get(path)).text
    client.post(f"{path}accounts/", {"accounts": " "})
    assert "222233334444" not in page(client.get(path)).text


def test_a_reader_sees_who_is_there_and_has_no_switch(acme: Tenant, alice: User, ada: User) -> None:
    client = browser_of(ada)
    answer = client.get("/access/people/")
    assert "alice" in page(answer).text
    assert "Suspend" not in page(answer).text.replace("Suspending", "")
    refused = client.post(f"/access/people/{alice.pk}/", {"throw": "suspend", "reason": "x"})
    assert refused.status_code == 403
    assert is_active(acme, alice)


@pytest.mark.parametrize("path", ["/access/people/", "/access/agents/", "/access/tenant/suspend/"])
def test_whoever_may_not_read_people_is_told_so(bob: User, path: str) -> None:
    client = browser_of(bob)
    answer = client.post(path) if "tenant" in path else client.get(path)
    assert answer.status_code == 403


def test_another_tenants_people_are_not_there(globex: Tenant, alice: User, billing_agent: Agent) -> None:
    client = browser_of(member(globex, "gustav", roles=[Role.OWNER]))
    assert client.post(f"/access/people/{alice.pk}/", {"throw": "suspend", "reason": "x"}).status_code == 404
    assert client.post(f"/access/agents/{billing_agent.pk}/", {"throw": "suspend", "reason": "x"}).status_code == 404
    assert client.get("/access/nobody/").status_code == 404


def test_the_switch_wants_its_token(alice: User, olga: User) -> None:
    client = browser_of(olga, enforce_csrf=True)
    assert client.post(f"/access/people/{alice.pk}/", {"throw": "suspend", "reason": "x"}).status_code == 403
