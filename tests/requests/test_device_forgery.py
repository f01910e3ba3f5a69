"""Prompts that no agent posted, and what policy makes of a weak link: a shell an agent started gets nothing above C."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from audit.models import Prompt
from gateway.identity.models import Agent, User
from gateway.policy.services import publish
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import api_of, is_problem
from tests.devices import AGENT, Machine, machine_of
from tests.identity.test_members import events
from tests.requests.test_device_links import call_of, id_of, keys_from
from tests.requests.world import EVERYTHING, EdgeLife, Keys, row_of

pytestmark = pytest.mark.usefixtures("ready", "billing_account")


@pytest.fixture
def laptop(acme: Tenant, alice: User) -> Machine:
    return machine_of(acme, alice)


FORGED = [
    {**AGENT, "is_inside_agent_shell": True},
    {**AGENT, "agent_pid": None},
    {**AGENT, "parent_executable": "/usr/bin/bash"},
]


@pytest.mark.parametrize("process", FORGED)
def test_a_prompt_posted_from_an_agents_shell_is_refused_and_found(
    edge: EdgeLife, acme: Tenant, laptop: Machine, process: dict[str, Any]
) -> None:
    real = laptop.prompt("conv-1", "gen-1", text="delete everything")
    forged = laptop.prompt("conv-1", "gen-2", text="list buckets, please", process=process)
    assert is_problem(forged, 403, "prompt.forged")
    (finding,) = events(acme, "prompt.forged")
    assert (finding["data"]["person"], finding["data"]["conversation"]) == ("alice", "conv-1")
    assert "list buckets" not in str(finding)
    with in_tenant(acme):
        assert Prompt.objects.for_tenant(acme).count() == 1
    # Whatever it says of itself, a call goes to the real prompt, or to none.
    assert str(call_of(edge, acme, laptop.credentials("conv-1", None)).prompt_id) == id_of(real)
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-2")).link == "D"


def test_a_prompt_nobody_tells_the_process_of_is_c(edge: EdgeLife, acme: Tenant, laptop: Machine) -> None:
    laptop.prompt("conv-1", "gen-1", process=None)
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-1")).link == "C"


@pytest.mark.parametrize(
    ("told", "level", "words"),
    [
        ({"is_doubtful": True}, "C", "another agent's command may have started"),
        ({"is_second_agent": True}, "B", "two main processes"),
        ({"is_doubtful": True, "is_second_agent": True}, "C", "another agent's command may have started"),
    ],
)
def test_a_prompt_of_a_main_process_in_doubt_lifts_no_call(
    edge: EdgeLife, acme: Tenant, laptop: Machine, told: dict[str, bool], level: str, words: str
) -> None:
    made = laptop.prompt("conv-1", "gen-1", process={**AGENT, **told})
    assert (made.json()["level_cap"], words in made.json()["cap_reason"]) == (level, True)
    row = call_of(edge, acme, laptop.credentials("conv-1", "gen-1"))
    assert (row.link, words in row.link_reason) == (level, True)


def test_a_prompt_by_an_api_key_carries_no_device_to_a(
    edge: EdgeLife, acme: Tenant, alice: User, laptop: Machine
) -> None:
    body = {"text": "innocent", "conversation": "conv-1", "generation": "gen-1"}
    api_of(acme, alice, Right.PROMPTS_WRITE).post("prompts/", body)
    assert call_of(edge, acme, laptop.credentials("conv-1", "gen-1")).link == "B"


def test_a_suspended_agent_gets_no_keys_and_its_prompts_are_still_recorded(acme: Tenant, laptop: Machine) -> None:
    laptop.prompt("conv-1", "gen-1")
    with in_tenant(acme):
        agent = Agent.objects.for_tenant(acme).get(kind="cursor")
        assert (agent.name, agent.owner_id) == ("cursor alice", laptop.device.user_id)
        Agent.objects.for_tenant(acme).update(is_suspended=True)
    assert is_problem(laptop.credentials("conv-1", "gen-1"), 403, "identity.agent_suspended")
    assert laptop.prompt("conv-1", "gen-2").status_code == 201


def test_one_agent_a_person_and_kind(acme: Tenant, laptop: Machine) -> None:
    for generation in ("gen-1", "gen-2"):
        laptop.prompt("conv-1", generation)
    laptop.prompt("conv-2", "gen-1", agent="claude")
    with in_tenant(acme):
        assert sorted(Agent.objects.for_tenant(acme).values_list("name", flat=True)) == ["claude alice", "cursor alice"]


@pytest.mark.parametrize(
    ("key_storage", "named", "write", "secret"),
    [("separate_account", True, "admitted", "admitted"), ("file", True, "admitted", "refused")],
)
def test_writes_need_b_and_secrets_need_a_once_the_pack_is_on(
    edge: EdgeLife, acme: Tenant, alice: User, key_storage: str, named: bool, write: str, secret: str
) -> None:
    with in_tenant(acme):
        publish(tenant=acme, packs=("link-levels",), text=EVERYTHING, by_label="a test", now=timezone.now())
    machine = machine_of(acme, alice, key_storage=key_storage)
    machine.prompt("conv-1", "gen-1")
    assert states(edge, acme, keys_from(acme, machine.credentials("conv-1", "gen-1"))) == (write, secret, "admitted")


@pytest.mark.parametrize("process", [None, {"is_below_agent": False}])
def test_without_a_link_the_pack_lets_read_only(
    edge: EdgeLife, acme: Tenant, laptop: Machine, process: dict[str, bool] | None
) -> None:
    with in_tenant(acme):
        publish(tenant=acme, packs=("link-levels",), text=EVERYTHING, by_label="a test", now=timezone.now())
    laptop.prompt("conv-1", "gen-1")
    keys = keys_from(acme, laptop.credentials("conv-1", "gen-1", process=process))
    assert states(edge, acme, keys) == ("refused", "refused", "admitted")


def states(edge: EdgeLife, tenant: Tenant, keys: Keys) -> tuple[str, ...]:
    """How a write, the reading of a secret and a plain read end."""
    items = [
        keys.call("sqs", "create_queue", QueueName="jobs"),
        keys.call("secretsmanager", "get_secret_value", SecretId="prod/db"),
        keys.call("secretsmanager", "list_secrets"),
    ]
    for item in items:
        edge.admit(item)
    return tuple(row_of(tenant, item).state for item in items)
