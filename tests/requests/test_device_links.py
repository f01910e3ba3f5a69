"""What the link of a call claims when a device signed for prompt and key: each level, and each hard case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from audit.models import Prompt, ToolUse
from audit.prompts import chain_of
from gateway.connections.models import Connection
from gateway.identity.models import GatewayKey, User
from gateway.requests.models import ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.api.asking import is_problem
from tests.connections.strict_sts import StrictSts
from tests.devices import Machine, machine_of
from tests.identity.test_members import events
from tests.people import account
from tests.requests.world import EdgeLife, Keys, events_of, publish_text, row_of

pytestmark = pytest.mark.usefixtures("ready", "billing_account")


@pytest.fixture
def laptop(acme: Tenant, alice: User) -> Machine:
    return machine_of(acme, alice)


def keys_from(tenant: Tenant, answer: Any) -> Keys:
    """What `credential_process` would print, as an SDK holds it."""
    assert answer.status_code == 201, answer.content
    told = answer.json()
    with in_tenant(tenant):
        row = GatewayKey.objects.for_tenant(tenant).get(access_key_id=told["access_key_id"])
    return Keys(
        row=row, access_key_id=told["access_key_id"], secret=told["secret_access_key"], token=told["session_token"]
    )


def call(edge: EdgeLife, keys: Keys, tenant: Tenant) -> ProxiedRequest:
    item = keys.call("secretsmanager", "list_secrets")
    edge.admit(item)
    return row_of(tenant, item)


def call_of(edge: EdgeLife, tenant: Tenant, answer: Any) -> ProxiedRequest:
    return call(edge, keys_from(tenant, answer), tenant)


def aged(tenant: Tenant, minutes: float, **which: Any) -> None:
    """Let a prompt have been recorded so long ago."""
    with in_tenant(tenant):
        rows = Prompt.objects.for_tenant(tenant).filter(**which)
        assert rows.update(recorded_at=timezone.now() - timedelta(minutes=minutes)) == 1


def id_of(answer: Any) -> str:
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def test_a_key_for_the_open_generation_is_level_a_with_its_one_tool_use(
    edge: EdgeLife, acme: Tenant, laptop: Machine
) -> None:
    prompt = laptop.prompt("conv-1", "gen-1")
    tool = laptop.tool("conv-1", "gen-1", "tool-1", "before")
    answer = laptop.credentials("conv-1", "gen-1")
    assert (answer.json()["level_cap"], answer.json()["prompt"]) == ("A", id_of(prompt))
    row = call_of(edge, acme, answer)
    assert (row.link, str(row.prompt_id), str(row.tool_use_id)) == ("A", id_of(prompt), id_of(tool))
    told = events_of(acme, row.pk)[0][1]
    assert (told["link"], told["prompt"], told["tool_use"]) == ("A", id_of(prompt), id_of(tool))


def test_parallel_tool_calls_share_the_prompt_at_a_and_name_no_tool(
    edge: EdgeLife, acme: Tenant, laptop: Machine
) -> None:
    laptop.prompt("conv-1", "gen-1")
    for name in ("tool-1", "tool-2"):
        laptop.tool("conv-1", "gen-1", name, "before", command=f"aws {name}")
    row = call_of(edge, acme, laptop.credentials("conv-1", "gen-1"))
    assert (row.link, row.tool_use_id) == ("A", None)
    laptop.tool("conv-1", "gen-1", "tool-1", "after", command="aws tool-1")
    again = call_of(edge, acme, laptop.credentials("conv-1", "gen-1"))
    assert again.tool_use_id is not None


def test_keys_are_given_again_and_are_one_per_connection_conversation_and_generation(
    acme: Tenant, laptop: Machine
) -> None:
    account(acme, "production")
    laptop.prompt("conv-1", "gen-1")
    first = laptop.credentials("conv-1", "gen-1").json()
    assert laptop.credentials("conv-1", "gen-1").json() == first
    others = [
        laptop.credentials("conv-1", "gen-1", connection="production"),
        laptop.credentials("conv-2", "gen-1"),
        laptop.credentials("conv-1", "gen-2"),
    ]
    assert len({first["access_key_id"], *(one.json()["access_key_id"] for one in others)}) == 4
    assert len(events(acme, "key.issued")) == 4


def test_keys_near_their_end_are_not_given_again(acme: Tenant, laptop: Machine) -> None:
    first = laptop.credentials("conv-1", "gen-1").json()
    with in_tenant(acme):
        GatewayKey.objects.for_tenant(acme).update(expires_at=timezone.now() + timedelta(seconds=50))
    second = laptop.credentials("conv-1", "gen-1").json()
    assert second["access_key_id"] != first["access_key_id"]


def test_a_key_opens_its_own_connection_alone(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    account(acme, "production")
    assert call_of(edge, acme, laptop.credentials("conv-1", None)).connection_label == "billing"
    other = laptop.credentials("conv-1", None, connection="production")
    assert call_of(edge, acme, other).connection_label == "production"


def test_an_expired_key_is_refused(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    keys = keys_from(acme, laptop.credentials("conv-1", None))
    with in_tenant(acme):
        GatewayKey.objects.for_tenant(acme).update(expires_at=timezone.now())
    assert call(edge, keys, acme).refusal_code == "requests.key_expired"


def test_a_person_in_a_terminal_of_his_own_is_level_d(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    laptop.prompt("conv-1", "gen-1")
    row = call_of(edge, acme, laptop.credentials("", None, agent="", process=None))
    assert (row.link, row.prompt_id, row.agent_id) == ("D", None, None)


def test_without_hooks_there_is_no_prompt_and_nothing_above_d(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    row = call_of(edge, acme, laptop.credentials("conv-1", None))
    assert (row.link, row.prompt_id) == ("D", None)
    assert "without a recorded prompt" in row.link_reason


@pytest.mark.parametrize("process", [None, {"is_below_agent": False}])
def test_a_variable_exported_by_hand_is_level_c(
    edge: EdgeLife, acme: Tenant, laptop: Machine, process: dict[str, bool] | None
) -> None:
    prompt = laptop.prompt("conv-1", "gen-1")
    row = call_of(edge, acme, laptop.credentials("conv-1", "gen-1", process=process))
    assert (row.link, str(row.prompt_id)) == ("C", id_of(prompt))
    assert "below the agent" in row.link_reason


def test_a_better_claim_is_another_key(acme: Tenant, laptop: Machine) -> None:
    laptop.prompt("conv-1", "gen-1")
    weak = laptop.credentials("conv-1", "gen-1", process=None).json()
    assert laptop.credentials("conv-1", "gen-1").json()["access_key_id"] != weak["access_key_id"]


def test_a_background_command_stays_with_the_prompt_that_began_it_at_b(
    edge: EdgeLife, acme: Tenant, laptop: Machine
) -> None:
    first = laptop.prompt("conv-1", "gen-1")
    keys = keys_from(acme, laptop.credentials("conv-1", "gen-1"))
    assert call(edge, keys, acme).link == "A"
    laptop.prompt("conv-1", "gen-2")
    # The key it holds, and those it fetches from now on.
    for held in (keys, keys_from(acme, laptop.credentials("conv-1", "gen-1", process=OUTLIVED))):
        row = call(edge, held, acme)
        assert (row.link, str(row.prompt_id)) == ("B", id_of(first))


OUTLIVED = {"is_below_agent": True, "is_outlived": True}


@pytest.mark.parametrize(("minutes", "level"), [(9, "B"), (11, "D")])
def test_a_generation_is_closed_ten_minutes_after_a_newer_prompt(
    edge: EdgeLife, acme: Tenant, laptop: Machine, minutes: int, level: str
) -> None:
    laptop.prompt("conv-1", "gen-1")
    aged(acme, minutes + 1, generation="gen-1")
    laptop.prompt("conv-1", "gen-2")
    aged(acme, minutes, generation="gen-2")
    row = call_of(edge, acme, laptop.credentials("conv-1", "gen-1"))
    assert row.link == level
    assert (row.prompt_id is None) == (level == "D")


@pytest.mark.parametrize(("minutes", "level"), [(59, "A"), (61, "D")])
def test_a_server_left_running_keeps_no_generation_open(
    edge: EdgeLife, acme: Tenant, laptop: Machine, minutes: int, level: str
) -> None:
    laptop.prompt("conv-1", "gen-1")
    aged(acme, minutes)
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-1")).link == level


def test_a_tool_that_still_runs_keeps_its_generation_open(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    laptop.prompt("conv-1", "gen-1")
    laptop.tool("conv-1", "gen-1", "apply", "before")
    aged(acme, 180)
    with in_tenant(acme):
        ToolUse.objects.for_tenant(acme).update(began_at=timezone.now() - timedelta(minutes=179))
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-1")).link == "A"
    laptop.tool("conv-1", "gen-1", "apply", "after")
    with in_tenant(acme):
        ToolUse.objects.for_tenant(acme).update(ended_at=timezone.now() - timedelta(minutes=61))
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-1")).link == "D"


def test_a_generation_chosen_by_time_is_b_and_follows_the_open_one(
    edge: EdgeLife, acme: Tenant, laptop: Machine
) -> None:
    laptop.prompt("conv-1", "gen-1")
    keys = keys_from(acme, laptop.credentials("conv-1", None))
    newest = laptop.prompt("conv-1", "gen-2")
    row = call(edge, keys, acme)
    assert (row.link, str(row.prompt_id)) == ("B", id_of(newest))


def test_parallel_conversations_do_not_mix(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    prompts = {name: id_of(laptop.prompt(name, "gen-1")) for name in ("conv-1", "conv-2", "conv-3")}
    for name in reversed(prompts):
        row = call_of(edge, acme, laptop.credentials(name, "gen-1"))
        assert (row.link, str(row.prompt_id)) == ("A", prompts[name])


def test_another_device_of_the_person_reaches_b(edge: EdgeLife, acme: Tenant, alice: User, laptop: Machine) -> None:
    prompt = laptop.prompt("conv-1", "gen-1")
    remote = machine_of(acme, alice, name="devcontainer")
    row = call_of(edge, acme, remote.credentials("conv-1", "gen-1"))
    assert (row.link, str(row.prompt_id)) == ("B", id_of(prompt))
    assert "another device" in row.link_reason


def test_another_persons_device_links_to_none_of_her_prompts(
    edge: EdgeLife, acme: Tenant, alice: User, laptop: Machine, bob: User
) -> None:
    with in_tenant(acme):
        bob.memberships.update(roles=["developer"])
    laptop.prompt("conv-1", "gen-1")
    row = call_of(edge, acme, machine_of(acme, bob).credentials("conv-1", "gen-1"))
    assert (row.link, row.prompt_id, row.person_label) == ("D", None, "bob")


def test_a_prompt_recorded_after_the_key_was_issued_is_b(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    keys = keys_from(acme, laptop.credentials("conv-1", "gen-1"))
    assert call(edge, keys, acme).link == "D"
    laptop.prompt("conv-1", "gen-1")
    assert call(edge, keys, acme).link == "B"


def test_a_late_prompt_is_marked_and_held_down_to_b(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    told = laptop.prompt("conv-1", "gen-1", is_late=True, occurred_at="2026-11-20T10:00:00Z").json()
    assert (told["is_late"], told["level_cap"]) == (True, "B")
    assert events(acme, "prompt.recorded")[0]["data"]["late"] is True
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-1")).link == "B"


def test_a_devices_clock_orders_nothing(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    laptop.prompt("conv-1", "gen-1", occurred_at="2031-01-01T00:00:00Z")
    newest = laptop.prompt("conv-1", "gen-2", occurred_at="1999-01-01T00:00:00Z")
    assert call_of(edge, acme, laptop.credentials("conv-1", None)).prompt_id is not None
    row = call_of(edge, acme, laptop.credentials("conv-1", "gen-2"))
    assert (row.link, str(row.prompt_id)) == ("A", id_of(newest))


def test_a_key_in_a_file_never_proves_more_than_b(edge: EdgeLife, acme: Tenant, alice: User) -> None:
    plain = machine_of(acme, alice, key_storage="file")
    assert plain.prompt("conv-1", "gen-1").json()["level_cap"] == "B"
    answer = plain.credentials("conv-1", "gen-1")
    assert answer.json()["level_cap"] == "B"
    row = call_of(edge, acme, answer)
    assert (row.link, "file" in row.link_reason) == ("B", True)
    [admitted] = [data for kind, data in events_of(acme, row.pk) if kind == "request.admitted"]
    assert (admitted["link"], admitted["link_reason"]) == ("B", row.link_reason)


def test_a_prompts_event_tells_when_the_device_says_it_was(acme: Tenant, laptop: Machine) -> None:
    made = laptop.prompt("conv-1", "gen-1", occurred_at="2026-03-04T05:06:07Z")
    [recorded] = [data for kind, data in events_of(acme, UUID(id_of(made))) if kind == "prompt.recorded"]
    assert recorded["occurred_at"].startswith("2026-03-04T05:06:07")


def test_a_machine_made_turn_is_told_with_what_led_to_it(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    person = laptop.prompt("conv-1", "gen-1")
    machine = laptop.prompt("conv-1", "gen-2", source="machine")
    assert machine.json()["caused_by"] == id_of(person)
    publish_text(acme, '@id("human") permit (principal, action, resource) when { context.turn == "human" };')
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-2")).state == "refused"
    laptop.prompt("conv-1", "gen-3")
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-3")).state == "admitted"


def test_a_sub_agent_of_its_own_conversation_leads_back_to_its_parent(
    edge: EdgeLife, acme: Tenant, laptop: Machine
) -> None:
    parent = laptop.prompt("conv-1", "gen-1")
    child = laptop.prompt(
        "sub-1", "sub-1", source="machine", parent={"conversation": "conv-1", "tool_use_id": "task-1"}
    )
    assert (child.json()["caused_by"], child.json()["parent_tool_use"]) == (id_of(parent), "task-1")
    with in_tenant(acme):
        row_of_child = Prompt.objects.for_tenant(acme).get(pk=id_of(child))
        assert [str(one.pk) for one in chain_of(tenant=acme, prompt=row_of_child)] == [id_of(parent)]
    row = call_of(edge, acme, laptop.credentials("sub-1", "sub-1"))
    assert (row.link, str(row.prompt_id)) == ("A", id_of(child))


def test_a_sub_agent_inside_its_parents_conversation_tells_its_tool_uses_apart(acme: Tenant, laptop: Machine) -> None:
    prompt = laptop.prompt("conv-1", "gen-1")
    told = laptop.tool("conv-1", "gen-1", "tool-1", "before", subagent="explorer").json()
    assert (told["subagent"], told["prompt"]) == ("explorer", id_of(prompt))


def test_a_key_for_another_connection_is_unknown(laptop: Machine) -> None:
    assert is_problem(laptop.credentials("conv-1", None, connection="nowhere"), 404, "connections.unknown")


def test_a_connection_that_is_suspended_gives_no_keys(acme: Tenant, laptop: Machine) -> None:
    with in_tenant(acme):
        Connection.objects.for_tenant(acme).update(state="suspended")
    assert laptop.credentials("conv-1", None).status_code in {403, 409}


def test_what_is_derived_from_a_devices_key_is_linked_as_it_is(
    edge: EdgeLife, acme: Tenant, laptop: Machine, ready: StrictSts
) -> None:
    laptop.prompt("conv-1", "gen-1")
    keys = keys_from(acme, laptop.credentials("conv-1", "gen-1"))
    edge.admit(keys.call("sts", "get_session_token"))
    with in_tenant(acme):
        child = GatewayKey.objects.for_tenant(acme).get(ancestors=[keys.row.pk])
    assert (child.device_id, child.link_cap) == (laptop.device.pk, "A")
