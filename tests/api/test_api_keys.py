"""`/api-keys/`: keys of the API, shown once, scoped, ending, and each maker's own unless he administers them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.kinds import EventKind
from audit.models import Event
from gateway.identity.models import ApiKey, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import ANY_ID, Api, api_of, is_problem
from tests.people import api_key_of, member
from tests.ui.browsing import browser_of

READS = {"name": "siem", "scopes": ["events:read"], "person_bound": False, "seconds": 3600}


def admin_of(tenant: Tenant) -> Api:
    return api_of(tenant, None, Right.API_KEYS_WRITE, Right.EVENTS_READ)


def browse(user: User, body: dict[str, Any]) -> Any:
    """POST as a signed-in person; the test client carries no CSRF check."""
    return browser_of(user).post("/api/v1/api-keys/", body, content_type="application/json")


def test_a_key_is_shown_once_and_opens_what_it_was_scoped_to(acme: Tenant) -> None:
    api = admin_of(acme)
    answer = api.post("api-keys/", READS)
    told = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert told["key"].startswith(told["prefix"] + "_")
    assert Api(told["key"]).get("events/").status_code == 200
    assert is_problem(Api(told["key"]).get("agents/"), 403, "identity.right_missing")
    again = api.get(f"api-keys/{told['id']}/")
    assert told["key"] not in again.content.decode()
    assert told["key"].split("_", 2)[2] not in api.get("api-keys/").content.decode()
    assert again.json()["last_used_at"] is not None


def test_making_and_revoking_are_events_without_the_key(acme: Tenant) -> None:
    api = admin_of(acme)
    told = api.post("api-keys/", READS).json()
    assert api.delete(f"api-keys/{told['id']}/").status_code == 204
    assert api.delete(f"api-keys/{told['id']}/").status_code == 204
    assert is_problem(Api(told["key"]).get("events/"), 401, "identity.key_refused")
    kinds = [EventKind.API_KEY_ISSUED, EventKind.API_KEY_REVOKED]
    rows = Event.objects.for_tenant(acme).filter(kind__in=kinds).order_by("sequence")
    assert [row.kind for row in rows] == [kind.value for kind in kinds]
    assert all(told["key"].split("_", 2)[2] not in bytes(row.body).decode() for row in rows)


def test_a_person_makes_sees_and_ends_her_own_from_the_browser(acme: Tenant, alice: User, bob: User) -> None:
    made = browse(alice, {"name": "mine", "scopes": ["requests:read"]})
    assert made.status_code == 201
    assert made.json()["username"] == "alice"
    assert [one["id"] for one in browser_of(alice).get("/api/v1/api-keys/").json()["items"]] == [made.json()["id"]]
    # Another person's key is not there for one who does not administer them.
    assert browser_of(bob).get("/api/v1/api-keys/").json()["items"] == []
    assert browser_of(bob).delete(f"/api/v1/api-keys/{made.json()['id']}/").status_code == 404
    assert browser_of(alice).delete(f"/api/v1/api-keys/{made.json()['id']}/").status_code == 204


def test_an_approver_makes_himself_a_key_to_vote_and_an_administrator_does_not(acme: Tenant, bob: User) -> None:
    assert browse(bob, {"name": "cli", "scopes": ["approvals:vote"]}).status_code == 201
    olga = member(acme, "olga", roles=[Role.OWNER])
    refused = browse(olga, {"name": "cli", "scopes": ["approvals:vote"]})
    assert (refused.status_code, refused.json()["code"]) == (400, "identity.scope_refused")


def test_a_key_makes_keys_only_with_the_right_and_none_that_outlive_it(acme: Tenant, alice: User) -> None:
    hers = api_of(acme, alice, Right.REQUESTS_READ, Right.KEYS_ISSUE)
    assert is_problem(hers.post("api-keys/", READS), 403, "identity.right_missing")
    # The maker ends in a day (tests/people.py).
    longer = {**READS, "seconds": int(timedelta(days=2).total_seconds())}
    assert is_problem(admin_of(acme).post("api-keys/", longer), 400, "identity.lifetime_refused")


def test_a_key_never_gives_what_its_maker_lacks(acme: Tenant) -> None:
    refused = admin_of(acme).post("api-keys/", {**READS, "scopes": ["policies:write"]})
    assert is_problem(refused, 400, "identity.scope_refused")
    assert not Event.objects.for_tenant(acme).filter(kind=EventKind.API_KEY_ISSUED).exists()


def test_nobodys_key_is_an_administrators_to_give(acme: Tenant, alice: User) -> None:
    assert browse(alice, {**READS, "scopes": ["requests:read"]}).json()["code"] == "identity.right_missing"
    assert is_problem(
        admin_of(acme).post("api-keys/", {"name": "x", "scopes": ["events:read"], "seconds": 3600}),
        404,
        "identity.not_a_member",
    )


def test_another_tenants_key_is_not_there(acme: Tenant, globex: Tenant, alice: User) -> None:
    key, _ = api_key_of(acme, alice, Right.REQUESTS_READ)
    api = api_of(globex, None, *Right)
    assert is_problem(api.get(f"api-keys/{key.pk}/"), 404, "identity.key_unknown")
    assert is_problem(api.delete(f"api-keys/{key.pk}/"), 404, "identity.key_unknown")
    given = {**READS, "service_account": str(ANY_ID)}
    assert is_problem(api.post("api-keys/", given), 404, "identity.service_account_unknown")
    with in_tenant(acme):
        assert ApiKey.objects.for_tenant(acme).get(pk=key.pk).revoked_at is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {**READS, "scopes": []},
        {**READS, "scopes": ["requests:*"]},
        {**READS, "seconds": 59},
        {**READS, "seconds": 366 * 86400 + 1},
        {**READS, "name": "x" * 81},
        {**READS, "user": str(ANY_ID)},
        {**READS, "service_account": "x"},
    ],
)
def test_a_malformed_body_is_a_400(acme: Tenant, body: object) -> None:
    assert is_problem(api_of(acme, None, *Right).post("api-keys/", body), 400, "api.malformed")


def test_the_usual_key_lives_ninety_days(acme: Tenant, alice: User) -> None:
    told = browse(alice, {"name": "mine", "scopes": ["requests:read"]}).json()
    left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89, hours=23) < left <= timedelta(days=90)
