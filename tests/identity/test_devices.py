"""`hoopweb login`: a machine asks, a person answers in the browser, and an administrator can take it back (RFC 8628)."""

from __future__ import annotations

import base64
import os
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from gateway.connections.models import Connection
from gateway.identity import devices
from gateway.identity.door_models import DeviceLogin
from gateway.identity.models import Device, GatewayKey, Membership, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from hoopweb.api.oauth import CLIENT_ID, DEVICE_GRANT
from tests.api.asking import Api, api_of
from tests.identity.test_members import events
from tests.people import gateway_key_of
from tests.ui.browsing import browser_of, page

KEY = base64.b64encode(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")).decode()


FORM = "application/x-www-form-urlencoded"


def start(**changed: str) -> Any:
    given = {"client_id": CLIENT_ID, "organisation": "acme", "device_name": "alice's laptop", "public_key": KEY}
    form = urlencode({**given, **changed})
    return Client().generic("POST", "/oauth/device_authorization", form, content_type=FORM)


def poll(code: str, **changed: str) -> Any:
    fields = {"grant_type": DEVICE_GRANT, "client_id": CLIENT_ID, "device_code": code, **changed}
    return Client().generic("POST", "/oauth/token", urlencode(fields), content_type=FORM)


def answer(person: User, user_code: str, said: str = "allow") -> Any:
    return browser_of(person).post("/device/", {"user_code": user_code, "answer": said})


@pytest.fixture
def started(acme: Tenant) -> dict[str, Any]:
    told: dict[str, Any] = start().json()
    return told


def later(seconds: float) -> None:
    """Let time pass for the machine that waits, without waiting."""
    DeviceLogin.objects.update(polled_at=timezone.now() - timedelta(seconds=seconds))


def test_a_machine_is_let_in_by_the_person_whose_keys_it_gets(
    acme: Tenant, alice: User, started: dict[str, Any]
) -> None:
    assert poll(started["device_code"]).json() == {"error": "authorization_pending"}
    shown = browser_of(alice).get(started["verification_uri_complete"].removeprefix("http://127.0.0.1:8080"))
    assert "alice's laptop" in page(shown).text
    assert started["user_code"] in page(shown).text
    assert answer(alice, started["user_code"])["Location"] == "/device/?done=allow"
    with in_tenant(acme):
        later(10)
    token = poll(started["device_code"])
    assert token.status_code == 200
    assert token["Cache-Control"] == "no-store"
    me = Api(token.json()["access_token"]).get("me/").json()
    assert (me["label"], me["tenant"]) == ("alice", "acme")
    assert set(me["rights"]) == {"agents:read", "connections:read", "keys:issue", "prompts:write", "requests:read"}
    (enrolled,) = events(acme, "device.enrolled")
    assert enrolled["data"] == {"by": "alice", "name": "alice's laptop", "user": "alice"}


def test_looking_at_a_code_answers_nothing(alice: User, started: dict[str, Any]) -> None:
    browser_of(alice).get("/device/", {"user_code": started["user_code"], "answer": "allow"})
    assert poll(started["device_code"]).json()["error"] == "authorization_pending"


def test_a_machine_turned_away_gets_nothing(acme: Tenant, alice: User, started: dict[str, Any]) -> None:
    answer(alice, started["user_code"], "deny")
    assert poll(started["device_code"]).json() == {"error": "access_denied"}
    with in_tenant(acme):
        assert not Device.objects.for_tenant(acme).exists()


def test_asking_too_often_is_slowed_and_stays_slow(acme: Tenant, started: dict[str, Any]) -> None:
    assert poll(started["device_code"]).json()["error"] == "authorization_pending"
    assert poll(started["device_code"]).json()["error"] == "slow_down"
    with in_tenant(acme):
        later(7)
    assert poll(started["device_code"]).json()["error"] == "slow_down"


def test_a_code_is_collected_once(acme: Tenant, alice: User, started: dict[str, Any]) -> None:
    answer(alice, started["user_code"])
    assert poll(started["device_code"]).status_code == 200
    assert poll(started["device_code"]).json() == {"error": "expired_token"}
    with in_tenant(acme):
        assert Device.objects.for_tenant(acme).count() == 1


def test_a_code_dies_of_age(acme: Tenant, alice: User, started: dict[str, Any]) -> None:
    with in_tenant(acme):
        DeviceLogin.objects.for_tenant(acme).update(expires_at=timezone.now())
    assert answer(alice, started["user_code"]).status_code == 400
    assert poll(started["device_code"]).json() == {"error": "expired_token"}


def test_a_code_is_answered_once(alice: User, bob: User, started: dict[str, Any]) -> None:
    answer(alice, started["user_code"], "deny")
    assert answer(alice, started["user_code"]).status_code == 400


def test_another_tenants_person_can_neither_see_nor_answer_it(
    globex: Tenant, mallory: User, started: dict[str, Any]
) -> None:
    with in_tenant(globex):
        Membership.objects.for_tenant(globex).update(roles=["developer", "owner"])
    assert answer(mallory, started["user_code"]).status_code == 400
    assert poll(started["device_code"]).json()["error"] == "authorization_pending"


def test_a_guessed_code_and_another_tenants_code_are_expired_alike(started: dict[str, Any]) -> None:
    wrong = started["device_code"][:-1] + ("A" if started["device_code"][-1] != "A" else "B")
    for code in (wrong, "hwk_nonsense", "x", started["device_code"].upper()):
        assert poll(code).json() == {"error": "expired_token"}


def test_whoever_lost_the_right_meanwhile_gives_none_to_the_machine(
    acme: Tenant, alice: User, started: dict[str, Any]
) -> None:
    answer(alice, started["user_code"])
    with in_tenant(acme):
        Membership.objects.for_tenant(acme).filter(user=alice).update(is_active=False)
    assert poll(started["device_code"]).json() == {"error": "access_denied"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"organisation": "nobody"},
        {"organisation": "a" * 5000},
        {"client_id": "other"},
        {"public_key": "short"},
        {"public_key": base64.b64encode(b"x" * 31).decode()},
        {"device_name": ""},
        {"device_name": "x" * 121},
        {"device_name": "a\x07b"},
        {"device_name": "a\x00b"},
    ],
)
def test_a_machine_that_asks_wrongly_is_told_so_in_oauths_words(acme: Tenant, wrong: dict[str, str]) -> None:
    told = start(**wrong)
    assert told.status_code in {400, 401}
    assert told.json()["error"] in {"invalid_request", "invalid_client"}


def test_nobody_fills_a_tenants_table_from_outside(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "MOST_OPEN", 3)
    assert [start().status_code for _ in range(4)] == [200, 200, 200, 400]


def test_a_form_sent_otherwise_is_refused(acme: Tenant) -> None:
    client = Client()
    assert client.post("/oauth/token", {"grant_type": DEVICE_GRANT}, content_type="application/json").status_code == 400
    twice = f"grant_type={DEVICE_GRANT}&grant_type=x"
    assert client.generic("POST", "/oauth/token", twice, content_type=FORM).json()["error"] == "invalid_request"
    assert poll("x", grant_type="password").json() == {"error": "unsupported_grant_type"}
    assert client.get("/oauth/token").status_code == 405


def test_the_metadata_names_the_endpoints(db: None) -> None:
    told = Client().get("/.well-known/oauth-authorization-server").json()
    assert told["device_authorization_endpoint"].endswith("/oauth/device_authorization")
    assert told["grant_types_supported"][0] == DEVICE_GRANT


def test_revoking_a_machine_ends_its_keys_and_the_keys_those_issued(
    acme: Tenant, alice: User, billing_account: Connection, started: dict[str, Any]
) -> None:
    answer(alice, started["user_code"])
    token = poll(started["device_code"]).json()
    api = Api(token["access_token"])
    issued_by = api.get("me/").json()["api_key"]
    aws = gateway_key_of(acme, alice, billing_account, issued_by_key=issued_by)
    admin = api_of(acme, None, Right.KEYS_REVOKE, Right.MEMBERS_READ)
    (listed,) = admin.get("devices/").json()["items"]
    assert (listed["name"], listed["username"], listed["revoked_at"]) == ("alice's laptop", "alice", None)
    for _ in range(2):
        assert admin.delete(f"devices/{token['device_id']}/").status_code == 204
    assert api.get("me/").status_code == 401
    with in_tenant(acme):
        assert GatewayKey.objects.for_tenant(acme).get(pk=aws.pk).revoked_at is not None
    assert len(events(acme, "device.revoked")) == 1


def test_everybody_revokes_his_own_machine_and_nobody_elses(
    acme: Tenant, alice: User, bob: User, started: dict[str, Any]
) -> None:
    answer(alice, started["user_code"])
    device = poll(started["device_code"]).json()["device_id"]
    assert api_of(acme, bob, Right.APPROVALS_READ).delete(f"devices/{device}/").status_code == 404
    assert api_of(acme, alice, Right.AGENTS_READ).delete(f"devices/{device}/").status_code == 204


def test_two_polls_at_once_enrol_one_machine(acme: Tenant, alice: User, started: dict[str, Any]) -> None:
    answer(alice, started["user_code"])
    with in_tenant(acme):
        one, two = (
            devices.collect(tenant=acme, device_code=started["device_code"], now=timezone.now(), random=os.urandom)
            for _ in range(2)
        )
    assert isinstance(one, devices.Enrolled)
    assert two == devices.Poll.EXPIRED
