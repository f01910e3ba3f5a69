"""A prompt that waited in the spool takes the place among its conversation's prompts that it had when it was sent off."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from gateway.client.generations import Generations
from hoopweb.stack.plan import CHECKOUT
from tests.client import payloads
from tests.client.payloads import CONVERSATION
from tests.client.world import Machine

PROMPTS, KEYS = "/api/v1/prompts/", "/api/v1/agent-credentials/"


def hook(laptop: Machine, payload: Any) -> None:
    assert laptop.run("hook", given=json.dumps(payload)).returncode == 0


def asked_for(laptop: Machine) -> str | None:
    """The generation for which a command of the agent's, begun now, gets its keys."""
    # Keys are handed out again while they live: each command asks for another connection.
    name = f"connection-{len(laptop.gateway.of(KEYS))}"
    ran = laptop.run("credentials", "--connection", name, CURSOR_CONVERSATION_ID=CONVERSATION)
    assert ran.returncode == 0, ran.stderr
    found = laptop.gateway.of(KEYS)[-1]["generation"]
    assert found is None or isinstance(found, str)
    return found


def test_a_command_after_the_outage_belongs_to_the_prompt_that_waited(laptop: Machine) -> None:
    laptop.gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, {"on_unreachable": "spool"})
    hook(laptop, payloads.CURSOR_BEGAN)
    hook(laptop, payloads.CURSOR_PROMPT | {"generation_id": "first"})
    laptop.gateway.replies["POST", PROMPTS] = lambda _: (503, {"code": "busy", "title": "Try again"})
    hook(laptop, payloads.CURSOR_PROMPT | {"generation_id": "second"})
    del laptop.gateway.replies["POST", PROMPTS]
    hook(laptop, payloads.CURSOR_BEFORE | {"generation_id": "second"})
    assert [one["generation"] for one in laptop.gateway.of(PROMPTS) if one.get("is_late")] == ["second"]
    assert asked_for(laptop) == "second"


# An agent that ends once its hook was answered.
BRIEF = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"


def test_a_prompt_told_late_by_an_agent_that_has_ended_is_in_doubt(laptop: Machine) -> None:
    """Nobody can look any more at where it hung; the agent that still runs is looked at now."""
    laptop.gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, {"on_unreachable": "spool"})
    hook(laptop, payloads.CURSOR_BEGAN)
    laptop.gateway.replies["POST", PROMPTS] = lambda _: (503, {"code": "busy", "title": "Try again"})
    hook(laptop, payloads.CURSOR_PROMPT | {"generation_id": "living"})
    subprocess.run(
        [sys.executable, "-c", BRIEF, sys.executable, "-m", "gateway.client", "hook"],
        cwd=CHECKOUT,
        env=laptop.environment(),
        input=json.dumps(payloads.CURSOR_PROMPT | {"generation_id": "ended"}),
        text=True,
        check=True,
    )
    del laptop.gateway.replies["POST", PROMPTS]
    hook(laptop, payloads.CURSOR_BEFORE)
    late = {one["generation"]: one["process"]["is_doubtful"] for one in laptop.gateway.of(PROMPTS) if "is_late" in one}
    assert late == {"living": False, "ended": True}


def test_what_is_told_late_is_not_taken_for_the_newest() -> None:
    generations = Generations(ticks_per_second=100)
    for generation, at in (("first", 10.0), ("third", 30.0), ("second", 20.0)):
        generations.opened("talk", generation, at=at, agent=None)
    found = generations.find(["talk"], ())
    assert found.generation == "third"
    assert not found.is_outlived
