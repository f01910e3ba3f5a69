"""`hoopweb hook` while the gateway is away: blocked or spooled, as the organisation chose; nothing is lost or reordered."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.client import payloads
from tests.client.world import Machine

PROMPTS, TOOLS, DEVICE = "/api/v1/prompts/", "/api/v1/tool-uses/", "/api/v1/device/"


def hook(laptop: Machine, payload: Any) -> subprocess.CompletedProcess[str]:
    return laptop.run("hook", given=json.dumps(payload))


def choosing(laptop: Machine, choice: str) -> None:
    """The organisation chose; a session that begins hears of it."""
    laptop.gateway.replies["GET", DEVICE] = lambda _: (200, {"on_unreachable": choice})
    assert hook(laptop, payloads.CURSOR_BEGAN).returncode == 0


def away(laptop: Machine) -> None:
    """Overloaded is as good as away: nobody took the record."""
    for path in (PROMPTS, TOOLS):
        laptop.gateway.replies["POST", path] = lambda _: (503, {"code": "busy", "title": "Try again"})


def back(laptop: Machine) -> None:
    for path in (PROMPTS, TOOLS):
        del laptop.gateway.replies["POST", path]
    laptop.gateway.seen.clear()


def test_where_nothing_was_heard_yet_the_prompt_is_blocked_in_words(laptop: Machine) -> None:
    away(laptop)
    told = json.loads(hook(laptop, payloads.CURSOR_PROMPT).stdout)
    assert told["continue"] is False
    assert "lets no agent work unrecorded" in told["user_message"]
    assert "hoopweb doctor" in told["user_message"]


def test_block_stops_prompts_and_tools_and_keeps_what_is_over(laptop: Machine) -> None:
    choosing(laptop, "block")
    away(laptop)
    prompt, before, after = (
        hook(laptop, payload) for payload in (payloads.CLAUDE_PROMPT, payloads.CLAUDE_BEFORE, payloads.CLAUDE_AFTER)
    )
    assert (prompt.returncode, before.returncode, after.returncode) == (2, 2, 0)
    back(laptop)
    hook(laptop, payloads.CLAUDE_PROMPT)
    assert [(one.path, one.body.get("is_late", False)) for one in laptop.gateway.seen if one.method == "POST"] == [
        (TOOLS, True),
        (PROMPTS, False),
    ]


def test_spool_lets_the_agent_go_on_and_sends_later_in_order_marked_late(laptop: Machine) -> None:
    choosing(laptop, "spool")
    away(laptop)
    for payload in (payloads.CURSOR_PROMPT, payloads.CURSOR_BEFORE, payloads.CURSOR_AFTER):
        ran = hook(laptop, payload)
        assert ran.returncode == 0
        assert json.loads(ran.stdout).get("continue", True)
        assert "marked late" in ran.stderr
    back(laptop)
    hook(laptop, payloads.CURSOR_PROMPT | {"generation_id": "next"})
    posted = [one.body for one in laptop.gateway.seen if one.method == "POST"]
    assert [one.get("is_late", False) for one in posted] == [True, True, True, False]
    assert [one.get("phase", "prompt") for one in posted] == ["prompt", "before", "after", "prompt"]
    assert posted[0]["text"] == payloads.PROMPT
    assert posted[0]["occurred_at"] < posted[3]["occurred_at"]


def test_a_gateway_that_is_down_is_away_too(laptop: Machine) -> None:
    choosing(laptop, "spool")
    laptop.gateway.replies["POST", PROMPTS] = lambda _: pytest.fail("nobody listens")
    profile = Path(laptop.place().profile_file)
    profile.write_text(profile.read_text().replace(laptop.gateway.url, "http://127.0.0.1:9"))
    ran = hook(laptop, payloads.CURSOR_PROMPT)
    assert json.loads(ran.stdout) == {"continue": True}
    assert "nobody listens there" in ran.stderr


def test_a_refusal_is_no_absence(laptop: Machine) -> None:
    """Somebody who forges a prompt must not get it in by way of the spool."""
    choosing(laptop, "spool")
    laptop.gateway.replies["POST", PROMPTS] = lambda _: (403, {"code": "prompt.forged", "title": "Forged"})
    assert json.loads(hook(laptop, payloads.CURSOR_PROMPT).stdout)["continue"] is False
    assert not list((laptop.home / "hoopweb/profiles/default").glob("spool/*.json"))


def test_an_agents_shell_cannot_get_a_prompt_in_by_way_of_the_spool(laptop: Machine) -> None:
    choosing(laptop, "spool")
    away(laptop)
    ran = laptop.run("hook", given=json.dumps(payloads.CURSOR_PROMPT), CURSOR_AGENT="1")
    assert json.loads(ran.stdout)["continue"] is False
    assert "not kept for later" in ran.stderr
    assert hook(laptop, payloads.CURSOR_PROMPT).returncode == 0
    back(laptop)
    # Nor does it get the agent's own records sent as if they were the shell's.
    laptop.run("hook", given=json.dumps(payloads.CURSOR_BEFORE), CURSOR_AGENT="1")
    assert [one.path for one in laptop.gateway.seen if one.method == "POST"] == [TOOLS]
    hook(laptop, payloads.CURSOR_BEFORE)
    (late,) = laptop.gateway.of(PROMPTS)
    assert late["is_late"] is True
    assert late["process"]["is_inside_agent_shell"] is False


@pytest.mark.parametrize("odd", ["", "maybe", 7, None])
def test_an_answer_nobody_understands_changes_nothing(laptop: Machine, odd: Any) -> None:
    choosing(laptop, "spool")
    laptop.gateway.replies["GET", DEVICE] = lambda _: (200, {"on_unreachable": odd})
    hook(laptop, payloads.CURSOR_BEGAN)
    away(laptop)
    assert json.loads(hook(laptop, payloads.CURSOR_PROMPT).stdout) == {"continue": True}


def test_hooks_that_run_at_once_lose_nothing(laptop: Machine) -> None:
    choosing(laptop, "spool")
    away(laptop)
    uses = [payloads.CURSOR_BEFORE | {"tool_use_id": f"call_{number}"} for number in range(6)]
    running = [threading.Thread(target=hook, args=(laptop, use)) for use in uses]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    back(laptop)
    hook(laptop, payloads.CURSOR_PROMPT)
    late = [one["tool_use_id"] for one in laptop.gateway.of(TOOLS)]
    assert sorted(late) == sorted(use["tool_use_id"] for use in uses)
