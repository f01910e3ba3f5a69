"""How long a tenant keeps the words of prompts, and what agents do while the gateway is away."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.ledger.tree import leaf_hash
from audit.models import Event, Prompt, ToolUse
from audit.prompts import commitment
from audit.selectors import proven
from audit.tasks import erase_old_prompts
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.devices import Machine, machine_of
from tests.identity.test_members import events
from tests.people import member
from tests.ui.browsing import browser_of

WORDS = "deploy the billing service with AKIAIOSFODNN7EXAMPLE"


@pytest.fixture
def laptop(acme: Tenant, alice: User) -> Machine:
    return machine_of(acme, alice)


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return api_of(acme, None, Right.POLICIES_WRITE, Right.SESSIONS_READ)


def aged(tenant: Tenant, days: int) -> None:
    with in_tenant(tenant):
        at = timezone.now() - timedelta(days=days)
        Prompt.objects.for_tenant(tenant).update(recorded_at=at)
        ToolUse.objects.for_tenant(tenant).update(began_at=at)


def test_a_tenant_chooses_and_its_devices_hear_of_it(acme: Tenant, admin: Api, laptop: Machine) -> None:
    assert admin.get("prompt-keeping/").json() == {"on_unreachable": "block", "retention_days": None}
    changed = admin.patch("prompt-keeping/", {"on_unreachable": "spool"})
    assert changed.json() == {"on_unreachable": "spool", "retention_days": None}
    assert admin.patch("prompt-keeping/", {"retention_days": 30}).json()["on_unreachable"] == "spool"
    assert laptop.send("GET", "device/").json()["on_unreachable"] == "spool"
    assert [one["data"]["result"] for one in events(acme, "tenant.changed")] == [
        "unreachable: spool; kept: for good",
        "unreachable: spool; kept: 30 days",
    ]


@pytest.mark.parametrize(
    "body", [{"retention_days": 0}, {"retention_days": 4000}, {"on_unreachable": "pass"}, {"x": 1}]
)
def test_what_is_no_choice_is_refused(admin: Api, body: dict[str, Any]) -> None:
    assert is_problem(admin.patch("prompt-keeping/", body), 400, "api.malformed")


def test_a_developer_chooses_nothing(acme: Tenant, alice: User) -> None:
    api = api_of(acme, alice, *(Right.SESSIONS_READ, Right.PROMPTS_WRITE))
    assert is_problem(api.patch("prompt-keeping/", {"retention_days": 1}), 403, "identity.right_missing")


def test_one_tenants_choice_is_no_others(admin: Api, globex: Tenant) -> None:
    admin.patch("prompt-keeping/", {"on_unreachable": "spool"})
    other = api_of(globex, None, Right.SESSIONS_READ).get("prompt-keeping/").json()
    assert other["on_unreachable"] == "block"


def test_words_are_erased_when_their_time_is_over_and_the_ledger_still_proves_them(
    acme: Tenant, admin: Api, laptop: Machine
) -> None:
    admin.patch("prompt-keeping/", {"retention_days": 30})
    prompt = laptop.prompt("conv-1", "gen-1", text=WORDS).json()
    laptop.tool("conv-1", "gen-1", "tool-1", "before", command="aws s3 rm s3://secret-plans")
    aged(acme, 31)
    assert erase_old_prompts() == 1
    with in_tenant(acme):
        row, tool = Prompt.objects.for_tenant(acme).get(), ToolUse.objects.for_tenant(acme).get()
        assert (bytes(row.sealed_text), bytes(row.sealed_salt), row.masked_text) == (b"", b"", "")
        assert (bytes(tool.sealed_command), bytes(tool.sealed_salt), tool.masked_command) == (b"", b"", "")
        recorded = Event.objects.for_tenant(acme).get(kind="prompt.recorded")
        assert proven(tenant=acme, sequence=recorded.sequence).event.leaf == leaf_hash(bytes(recorded.body))
        # Nobody can try words against what is left: the salt was random, and it is gone.
        assert json.loads(bytes(recorded.body))["data"]["commitment"] == prompt["commitment"] == row.commitment
        assert row.commitment != commitment(WORDS, b"")
    (erased,) = events(acme, "prompt.erased")
    assert (erased["subject"], erased["data"]["by"]) == (prompt["id"], "retention")
    assert erase_old_prompts() == 0


def test_what_is_younger_or_another_tenants_stays(
    acme: Tenant, globex: Tenant, mallory: User, admin: Api, laptop: Machine
) -> None:
    admin.patch("prompt-keeping/", {"retention_days": 30})
    with in_tenant(globex):
        mallory.memberships.update(roles=["developer"])
    machine_of(globex, mallory).prompt("conv-1", "gen-1")
    aged(globex, 400)
    laptop.prompt("conv-1", "gen-1")
    aged(acme, 29)
    assert erase_old_prompts() == 0


def test_many_are_erased_batch_by_batch(
    acme: Tenant, admin: Api, laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.keeping.BATCH", 2)
    monkeypatch.setattr("audit.tasks.BATCH", 2)
    admin.patch("prompt-keeping/", {"retention_days": 1})
    for number in range(5):
        laptop.prompt("conv-1", f"gen-{number}")
    aged(acme, 2)
    assert erase_old_prompts() == 5


def test_erased_words_can_be_read_by_nobody_and_are_not_taken_for_others(
    acme: Tenant, admin: Api, laptop: Machine
) -> None:
    admin.patch("prompt-keeping/", {"retention_days": 1})
    prompt = laptop.prompt("conv-1", "gen-1").json()
    aged(acme, 2)
    erase_old_prompts()
    auditor = browser_of(member(acme, "ada", roles=[Role.AUDITOR]))
    answer = auditor.get(f"/api/v1/prompts/{prompt['id']}/exact/")
    assert is_problem(answer, 410, "prompt.erased")
    assert is_problem(laptop.prompt("conv-1", "gen-1"), 409, "prompt.conflict")
    assert auditor.get(f"/api/v1/prompts/{prompt['id']}/").json()["erased_at"] is not None
