"""The kill switch over REST: who is out is out on the next call, and a suspended tenant opens to one door alone."""

from __future__ import annotations

import pytest

from audit.kinds import EventKind
from audit.models import Event
from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from tests.api.asking import ANY_ID, api_of, is_problem
from tests.people import member

REASON = {"reason": "laptop stolen"}


def test_a_suspended_person_is_out_with_the_next_call_and_back_with_the_one_after(acme: Tenant, alice: User) -> None:
    admin, hers = api_of(acme, None, Right.MEMBERS_SUSPEND), api_of(acme, alice, Right.REQUESTS_READ)
    assert hers.get("me/").status_code == 200
    assert admin.post(f"members/{alice.pk}/suspend/", REASON).json()["is_active"] is False
    assert is_problem(hers.get("me/"), 401, "identity.key_refused")
    assert admin.post(f"members/{alice.pk}/resume/", {}).json()["is_active"] is True
    assert hers.get("me/").status_code == 200


def test_a_suspended_service_accounts_key_opens_nothing(acme: Tenant) -> None:
    admin = api_of(acme, None, Right.AGENTS_READ, Right.AGENTS_WRITE, Right.API_KEYS_WRITE)
    made = admin.post("service-accounts/", {"name": "nightly"})
    assert made.status_code == 201
    account = made.json()["id"]
    assert [one["id"] for one in admin.get("service-accounts/").json()["items"]] == [account]
    assert is_problem(admin.post("service-accounts/", {"name": "nightly"}), 409, "identity.name_taken")
    key = admin.post(
        "api-keys/", {"name": "siem", "scopes": ["agents:read"], "service_account": account, "seconds": 3600}
    ).json()["key"]
    theirs = type(admin)(key)
    assert theirs.get("agents/").status_code == 200
    assert admin.post(f"service-accounts/{account}/suspend/", REASON).json()["is_suspended"] is True
    assert is_problem(theirs.get("agents/"), 401, "identity.key_refused")
    assert admin.post(f"service-accounts/{account}/resume/", {}).status_code == 200
    assert theirs.get("agents/").status_code == 200


def test_a_connection_is_suspended_and_must_pass_its_test_afterwards(acme: Tenant, billing_account: Connection) -> None:
    api = api_of(acme, None, Right.CONNECTIONS_WRITE)
    assert api.post(f"connections/{billing_account.pk}/suspend/", REASON).json()["state"] == "suspended"
    assert api.post(f"connections/{billing_account.pk}/resume/", {}).json()["state"] == "draft"
    assert is_problem(api.post(f"connections/{ANY_ID}/suspend/", {}), 404, "connections.unknown")


def test_a_suspended_tenant_is_shut_but_for_the_switch(acme: Tenant, globex: Tenant) -> None:
    admin, other = api_of(acme, None, *Right), api_of(acme, None, Right.REQUESTS_READ)
    assert is_problem(admin.post("tenant/suspend/", REASON), 409, "identity.would_lock_out")
    assert admin.post("tenant/suspend/", {**REASON, "confirm": "acme"}).json()["is_suspended"] is True
    for api in (admin, other):
        assert is_problem(api.get("requests/"), 403, "identity.tenant_suspended")
        assert is_problem(api.get("me/"), 403, "identity.tenant_suspended")
    assert is_problem(other.post("tenant/resume/", {}), 403, "identity.tenant_suspended")
    assert is_problem(admin.post(f"members/{ANY_ID}/resume/", {}), 403, "identity.tenant_suspended")
    # Another tenant's switch is its own.
    assert api_of(globex, None, *Right).post("tenant/resume/", {}).json()["slug"] == "globex"
    assert admin.post("tenant/resume/", {"reason": "all clear"}).json()["is_suspended"] is False
    assert other.get("requests/").status_code == 200
    kinds = [EventKind.TENANT_SUSPENDED, EventKind.TENANT_RESUMED]
    assert Event.objects.for_tenant(acme).filter(kind__in=kinds).count() == 2


def test_suspending_oneself_asks_for_the_name(acme: Tenant) -> None:
    olga = member(acme, "olga", roles=[Role.OWNER])
    api = api_of(acme, olga, Right.MEMBERS_SUSPEND)
    assert is_problem(api.post(f"members/{olga.pk}/suspend/", {}), 409, "identity.would_lock_out")
    assert api.post(f"members/{olga.pk}/suspend/", {"confirm": "olga"}).status_code == 200
    assert is_problem(api.get("me/"), 401, "identity.key_refused")


@pytest.mark.parametrize("body", [{"reason": ["x"]}, {"reason": "x" * 501}, {"resaon": "x"}, [], {"reason": "a\nb"}])
def test_a_malformed_reason_throws_no_switch(acme: Tenant, alice: User, body: object) -> None:
    answer = api_of(acme, None, *Right).post(f"members/{alice.pk}/suspend/", body)
    assert answer.status_code == 400
    assert not Event.objects.for_tenant(acme).filter(kind=EventKind.MEMBER_SUSPENDED).exists()


@pytest.mark.parametrize("path", ["members", "agents", "service-accounts", "connections"])
def test_what_is_not_there_is_a_404(acme: Tenant, path: str) -> None:
    assert api_of(acme, None, *Right).post(f"{path}/{ANY_ID}/suspend/", {}).status_code == 404


def test_a_repeated_throw_with_one_idempotency_key_is_one_event(acme: Tenant, alice: User) -> None:
    api = api_of(acme, None, Right.MEMBERS_SUSPEND)
    first, second = (api.post(f"members/{alice.pk}/suspend/", REASON, idempotency_key="once").json() for _ in range(2))
    assert first == second
    assert Event.objects.for_tenant(acme).filter(kind=EventKind.MEMBER_SUSPENDED).count() == 1
