"""Requests a device signs: who gets in, and that forged, copied, late, foreign and revoked ones do not."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import Prompt, RefusalCount
from gateway.connections.models import Connection
from gateway.identity import devices
from gateway.identity.models import DeviceNonce, GatewayKey, Membership, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.devices import Machine, machine_of
from tests.identity.test_members import events


@pytest.fixture
def laptop(acme: Tenant, alice: User) -> Machine:
    return machine_of(acme, alice)


def refusals(tenant: Tenant) -> list[str]:
    return [one["data"]["reason"] for one in events(tenant, "device.request_refused")]


def test_an_enrolled_device_is_told_what_it_is(acme: Tenant, laptop: Machine, billing_account: Connection) -> None:
    answer = laptop.send("GET", "device/")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["id"], told["person"]["username"], told["tenant"]["slug"]) == (str(laptop.device.pk), "alice", "acme")
    assert (told["state"], told["level_cap"], told["on_unreachable"]) == ("active", "A", "block")
    assert [one["name"] for one in told["connections"]] == ["billing"]
    assert abs((datetime.fromisoformat(told["server_time"]) - timezone.now()).total_seconds()) < 30


def test_a_connection_that_may_not_be_used_is_not_offered(
    acme: Tenant, laptop: Machine, billing_account: Connection
) -> None:
    with in_tenant(acme):
        Connection.objects.for_tenant(acme).update(state="suspended")
    assert laptop.send("GET", "device/").json()["connections"] == []


@pytest.mark.parametrize("changed", [{"unix_ms": 1_700_000_000_000}, {"nonce": bytes(16)}, {"method": "GET"}])
def test_a_signature_is_good_for_its_own_request_alone(acme: Tenant, laptop: Machine, changed: dict[str, Any]) -> None:
    signed = laptop.headers("POST", "/api/v1/prompts/", b"{}", **{k: v for k, v in changed.items() if k != "method"})
    other = laptop.headers(changed.get("method", "POST"), "/api/v1/prompts/", b"{}")
    mixed = {"Hoopweb-Device": str(laptop.device.pk), "Hoopweb-Signature": other["Hoopweb-Signature"]}
    if "method" not in changed:
        parts = dict(part.split("=", 1) for part in other["Hoopweb-Signature"].split(","))
        new = dict(part.split("=", 1) for part in signed["Hoopweb-Signature"].split(","))
        mixed["Hoopweb-Signature"] = f"t={new['t']},n={new['n']},s={parts['s']}"
    assert is_problem(laptop.post("prompts/", {}, headers=mixed), 401, "device.unknown")


def test_a_changed_body_is_no_longer_signed(acme: Tenant, laptop: Machine) -> None:
    signed = laptop.headers("POST", "/api/v1/prompts/", b'{"text": "harmless"}')
    assert is_problem(laptop.post("prompts/", {"text": "other"}, headers=signed), 401, "device.unknown")
    with in_tenant(acme):
        assert not Prompt.objects.for_tenant(acme).exists()


def test_another_key_signs_for_no_device(acme: Tenant, alice: User, laptop: Machine) -> None:
    forged = Machine(device=laptop.device, private=machine_of(acme, alice, name="other").private)
    assert is_problem(forged.send("GET", "device/"), 401, "device.unknown")
    # Nobody proved to be of this tenant: the refusal is counted, and its ledger stays as it was.
    assert refusals(acme) == []
    assert RefusalCount.objects.get(code="device.unknown").count == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Hoopweb-Device": "nonsense", "Hoopweb-Signature": "t=1,n=1,s=1"},
        {"Hoopweb-Device": "6a2f6f3c-0000-4000-8000-000000000001"},
        {"Hoopweb-Signature": "t=1,n=1,s=1"},
        {"Hoopweb-Device": "6a2f6f3c-0000-4000-8000-000000000001", "Hoopweb-Signature": "x" * 5000},
        {"Hoopweb-Device": "", "Hoopweb-Signature": ""},
    ],
)
def test_what_cannot_be_read_is_refused_like_an_unknown_device(laptop: Machine, headers: dict[str, str]) -> None:
    assert is_problem(laptop.send("GET", "device/", headers=headers), 401, "device.unknown")


def test_a_copied_request_is_refused_and_told_once_a_minute(acme: Tenant, laptop: Machine) -> None:
    signed = laptop.headers("GET", "/api/v1/device/", b"")
    assert laptop.send("GET", "device/", headers=signed).status_code == 200
    for _ in range(3):
        assert is_problem(laptop.send("GET", "device/", headers=signed), 401, "device.replayed")
    assert refusals(acme) == ["device.replayed"]


def test_a_nonce_is_used_though_the_request_failed(acme: Tenant, laptop: Machine) -> None:
    signed = laptop.headers("POST", "/api/v1/prompts/", b"{}")
    assert laptop.post("prompts/", {}, headers=signed).status_code == 400
    assert is_problem(laptop.post("prompts/", {}, headers=signed), 401, "device.replayed")


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_clock_that_is_off_is_told_the_gateways_time(acme: Tenant, laptop: Machine, minutes: int) -> None:
    at = int((time.time() + minutes * 60) * 1000)
    answer = laptop.send("GET", "device/", headers=laptop.headers("GET", "/api/v1/device/", b"", unix_ms=at))
    assert is_problem(answer, 401, "device.clock")
    assert str(timezone.now().year) in answer.json()["detail"]
    assert refusals(acme) == ["device.clock"]


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_a_little_off_is_no_matter(acme: Tenant, laptop: Machine, minutes: int) -> None:
    at = int((time.time() + minutes * 60) * 1000)
    signed = laptop.headers("GET", "/api/v1/device/", b"", unix_ms=at)
    assert laptop.send("GET", "device/", headers=signed).status_code == 200


def test_a_revoked_device_is_out_at_once_with_its_keys(
    acme: Tenant, laptop: Machine, billing_account: Connection
) -> None:
    assert laptop.credentials("conv-1", None).status_code == 201
    with in_tenant(acme):
        devices.revoke(tenant=acme, device_id=laptop.device.pk, by=None, by_label="ops", now=timezone.now())
    assert is_problem(laptop.send("GET", "device/"), 401, "device.unknown")
    with in_tenant(acme):
        assert GatewayKey.objects.for_tenant(acme).get(device=laptop.device).revoked_at is not None
    assert refusals(acme) == ["device.unknown"]


def test_a_device_ends_itself(acme: Tenant, laptop: Machine) -> None:
    assert laptop.send("DELETE", "device/").status_code == 204
    assert is_problem(laptop.send("GET", "device/"), 401, "device.unknown")
    assert len(events(acme, "device.revoked")) == 1


def test_whoever_is_no_member_any_more_has_no_device(acme: Tenant, laptop: Machine) -> None:
    with in_tenant(acme):
        Membership.objects.for_tenant(acme).update(is_active=False)
    assert is_problem(laptop.send("GET", "device/"), 401, "device.unknown")


def test_a_suspended_tenant_takes_nothing_from_devices(acme: Tenant, laptop: Machine) -> None:
    with in_tenant(acme):
        Tenant.objects.filter(pk=acme.pk).update(is_suspended=True)
    assert is_problem(laptop.prompt("conv-1", "gen-1"), 403, "identity.tenant_suspended")


def test_a_device_reaches_its_own_tenant_alone(
    acme: Tenant, globex: Tenant, mallory: User, laptop: Machine, billing_account: Connection
) -> None:
    theirs = machine_of(globex, mallory)
    with in_tenant(globex):
        Membership.objects.for_tenant(globex).update(roles=["developer"])
    assert is_problem(theirs.credentials("conv-1", None), 404, "connections.unknown")
    assert is_problem(
        theirs.credentials("conv-1", None, connection=str(billing_account.pk)), 404, "connections.unknown"
    )
    # Signed by one device in the name of another tenant's.
    assert is_problem(
        Machine(device=laptop.device, private=theirs.private).send("GET", "device/"), 401, "device.unknown"
    )


@pytest.mark.parametrize("path", ["me/", "prompts/../me/", "keys/", "api-keys/", "sessions/", "devices/", "members/"])
def test_a_device_gets_in_nowhere_else(laptop: Machine, path: str) -> None:
    assert laptop.send("GET", path).status_code in {401, 404}


def test_a_device_makes_no_api_keys_and_reads_no_prompts(acme: Tenant, laptop: Machine) -> None:
    body = {"name": "mine", "scopes": ["prompts:write"], "days": 1}
    assert laptop.post("api-keys/", body).status_code == 401
    assert is_problem(laptop.send("GET", "prompts/"), 403, "identity.right_missing")


@pytest.mark.parametrize("path", ["device/", "agent-credentials/", "tool-uses/"])
def test_an_api_key_is_no_device(acme: Tenant, alice: User, path: str) -> None:
    api = api_of(acme, alice, Right.KEYS_ISSUE, Right.PROMPTS_WRITE, Right.CONNECTIONS_READ)
    answer = api.get(path) if path == "device/" else api.post(path, {})
    assert is_problem(answer, 401, "device.unknown")


def test_a_signed_request_brings_no_api_key_beside_it(acme: Tenant, alice: User, laptop: Machine) -> None:
    signed = {**laptop.headers("GET", "/api/v1/device/", b""), "Authorization": "Bearer hwk_x"}
    assert is_problem(laptop.send("GET", "device/", headers=signed), 401, "device.unknown")


def test_nonces_are_forgotten_once_no_signature_with_them_would_be_believed(acme: Tenant, laptop: Machine) -> None:
    with in_tenant(acme):
        old = timezone.now() - timedelta(minutes=12)
        DeviceNonce.objects.create(tenant=acme, device=laptop.device, nonce=os.urandom(16), seen_at=old)
    assert laptop.send("GET", "device/").status_code == 200
    with in_tenant(acme):
        assert DeviceNonce.objects.for_tenant(acme).count() == 1


def test_a_body_of_megabytes_is_refused(laptop: Machine) -> None:
    assert laptop.prompt("conv-1", "gen-1", text="x" * (3 * 1024 * 1024)).status_code in {401, 413}


@pytest.mark.django_db
def test_nobody_is_told_of_bearers_first(acme: Tenant) -> None:
    assert is_problem(Api().get("device/"), 401, "identity.not_signed_in")
