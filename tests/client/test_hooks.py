"""`hoopweb hook`, run as agents run it: recorded before it answers, answered in each agent's own form and status."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.client import payloads
from tests.client.payloads import COMMAND, CONVERSATION, PROMPT, TURN
from tests.client.world import Machine

PROMPTS, TOOLS = "/api/v1/prompts/", "/api/v1/tool-uses/"
EVENTS = {
    "cursor": (payloads.CURSOR_PROMPT, payloads.CURSOR_BEFORE, payloads.CURSOR_AFTER),
    "claude": (payloads.CLAUDE_PROMPT, payloads.CLAUDE_BEFORE, payloads.CLAUDE_AFTER),
    "codex": (payloads.CODEX_PROMPT, payloads.CODEX_BEFORE, payloads.CODEX_AFTER),
    "gemini": (payloads.GEMINI_PROMPT, payloads.GEMINI_BEFORE, payloads.GEMINI_AFTER),
}


def hook(laptop: Machine, payload: Any, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    given = payload if isinstance(payload, str) else json.dumps(payload)
    return laptop.run("hook", *arguments, given=given, **more)


def refusing(laptop: Machine, path: str, status: int, title: str) -> None:
    laptop.gateway.replies["POST", path] = lambda _: (status, {"code": "prompt.x", "title": title})


@pytest.mark.parametrize("agent", EVENTS)
def test_a_turn_is_recorded_word_for_word_and_the_agent_goes_on(laptop: Machine, agent: str) -> None:
    prompt, before, after = EVENTS[agent]
    answers = [hook(laptop, payload, agent) for payload in (prompt, before, after)]
    assert [(ran.returncode, ran.stderr) for ran in answers] == [(0, "")] * 3
    going_on = [{"continue": True}, {"permission": "allow"}, {}] if agent == "cursor" else [{}, {}, {}]
    assert [json.loads(ran.stdout) for ran in answers] == going_on
    (recorded,) = laptop.gateway.of(PROMPTS)
    assert (recorded["agent"], recorded["conversation"], recorded["text"]) == (agent, CONVERSATION, PROMPT)
    opened, closed = laptop.gateway.of(TOOLS)
    assert (opened["command"], opened["cwd"]) == (COMMAND, "/users/alice/billing")
    assert opened["tool_use_id"] == closed["tool_use_id"]
    assert opened["generation"] == closed["generation"] == recorded["generation"]


def test_the_broker_says_which_processes_stand_above_the_hook(laptop: Machine) -> None:
    lying = payloads.CURSOR_PROMPT | {"process": {"agent_pid": 1, "is_inside_agent_shell": False}}
    hook(laptop, lying, CURSOR_AGENT="1")
    (recorded,) = laptop.gateway.of(PROMPTS)
    assert recorded["process"]["agent_pid"] != 1
    assert recorded["process"]["is_inside_agent_shell"] is True


def test_an_agent_without_turn_ids_gets_its_turns_counted(laptop: Machine) -> None:
    for payload in (payloads.GEMINI_PROMPT, payloads.GEMINI_BEFORE, payloads.GEMINI_PROMPT, payloads.GEMINI_BEFORE):
        assert hook(laptop, payload, "gemini").returncode == 0
    first, second = (one["generation"] for one in laptop.gateway.of(PROMPTS))
    assert first.startswith("turn-1-")
    assert second.startswith("turn-2-")
    assert [one["generation"] for one in laptop.gateway.of(TOOLS)] == [first, second]


def test_a_subagents_task_is_recorded_with_its_parent(laptop: Machine) -> None:
    assert json.loads(hook(laptop, payloads.CURSOR_SUBAGENT).stdout) == {"permission": "allow"}
    (recorded,) = laptop.gateway.of(PROMPTS)
    assert recorded["parent"] == {"conversation": CONVERSATION, "tool_use_id": "call_3_task"}
    assert recorded["source"] == "machine"


@pytest.mark.parametrize("payload", [{"hook_event_name": "preCompact"}, {"hook_event_name": "Nobody.Knows", "x": [1]}])
def test_an_event_nobody_knows_passes(laptop: Machine, payload: Any) -> None:
    ran = hook(laptop, payload)
    assert (ran.returncode, json.loads(ran.stdout), ran.stderr) == (0, {}, "")
    assert laptop.gateway.seen == []


@pytest.mark.parametrize("given", ["", "oops", "[]", '{"hook_event_name": "preToolUse"}'])
@pytest.mark.parametrize("agent", ["cursor", "claude", ""])
def test_what_is_no_event_stops_the_agent_in_words(laptop: Machine, given: str, agent: str) -> None:
    ran = hook(laptop, given.replace("preT", "preT" if agent == "cursor" else "PreT"), *filter(None, [agent]))
    assert ran.returncode == 2
    assert ran.stderr.startswith("hoopweb: ")
    assert "Nothing was recorded, so the agent was stopped." in ran.stderr
    assert laptop.gateway.seen == []
    if agent == "cursor":
        assert (json.loads(ran.stdout)["continue"], json.loads(ran.stdout)["permission"]) == (False, "deny")


def test_a_huge_event_is_answered_and_read_to_its_end(laptop: Machine) -> None:
    ran = hook(laptop, json.dumps(payloads.CURSOR_AFTER | {"tool_output": "x" * 40_000_000}), "cursor")
    assert ran.returncode == 2
    assert "longer than 32 MiB" in ran.stderr


def test_a_long_output_is_not_sent(laptop: Machine) -> None:
    assert hook(laptop, payloads.CLAUDE_AFTER | {"tool_response": {"stdout": "y" * 5_000_000}}).returncode == 0
    assert len(json.dumps(laptop.gateway.of(TOOLS))) < 2_000


def test_a_prompt_too_long_to_record_is_stopped_in_words(laptop: Machine) -> None:
    ran = hook(laptop, payloads.CURSOR_PROMPT | {"prompt": "z" * 5_000_000})
    assert json.loads(ran.stdout)["continue"] is False
    assert "too long" in json.loads(ran.stdout)["user_message"]


@pytest.mark.parametrize("agent", EVENTS)
def test_what_the_gateway_refuses_stops_the_prompt_in_the_agents_own_form(laptop: Machine, agent: str) -> None:
    refusing(laptop, PROMPTS, 403, "This prompt was not posted by the agent itself")
    ran = hook(laptop, EVENTS[agent][0], agent)
    told = json.loads(ran.stdout)
    reason = "This prompt was not posted by the agent itself."
    if agent == "cursor":
        assert (ran.returncode, told) == (0, {"continue": False, "user_message": reason})
    else:
        assert (ran.returncode, told["decision"]) == (2, "deny" if agent == "gemini" else "block")
        assert told["reason"] == reason
    assert reason in ran.stderr


@pytest.mark.parametrize("agent", EVENTS)
def test_a_tool_the_gateway_refuses_does_not_run(laptop: Machine, agent: str) -> None:
    refusing(laptop, TOOLS, 403, "This device was revoked")
    ran = hook(laptop, EVENTS[agent][1], agent)
    told = json.loads(ran.stdout)
    if agent == "cursor":
        assert (ran.returncode, told["permission"]) == (0, "deny")
        assert told["user_message"] == told["agent_message"] == "This device was revoked."
    elif agent == "gemini":
        assert (ran.returncode, told["decision"]) == (2, "deny")
    else:
        assert ran.returncode == 2
        assert told["hookSpecificOutput"]["hookEventName"] == "PreToolUse"
        assert told["hookSpecificOutput"]["permissionDecision"] == "deny"


def test_a_tool_that_has_run_is_not_undone_by_a_refusal(laptop: Machine) -> None:
    refusing(laptop, TOOLS, 403, "No")
    ran = hook(laptop, payloads.CLAUDE_AFTER)
    assert (ran.returncode, json.loads(ran.stdout)) == (0, {})
    assert "No." in ran.stderr


def test_words_of_the_gateway_cannot_speak_to_the_terminal(laptop: Machine) -> None:
    refusing(laptop, PROMPTS, 403, "no\x1b[2J\r\nno")
    assert "\x1b" not in hook(laptop, payloads.CLAUDE_PROMPT).stderr


@pytest.mark.parametrize(("agent", "status"), [("cursor", 0), ("claude", 2), ("codex", 2), ("gemini", 2)])
def test_a_machine_that_is_not_enrolled_records_nothing_and_says_so(machine: Machine, agent: str, status: int) -> None:
    ran = hook(machine, EVENTS[agent][0], agent)
    assert ran.returncode == status
    assert "hoopweb login" in ran.stderr
    assert json.loads(ran.stdout).get("continue", False) is False


@pytest.mark.parametrize("arguments", [("vim",), ("--profile",), ("cursor", "--profile", "../x")])
def test_a_wrong_command_line_stops_the_agent_too(laptop: Machine, arguments: tuple[str, ...]) -> None:
    ran = hook(laptop, payloads.CURSOR_PROMPT, *arguments)
    assert "hoopweb: " in ran.stderr
    assert ran.returncode == 2 or json.loads(ran.stdout)["continue"] is False


@pytest.mark.parametrize(
    ("before", "end"),
    [
        (payloads.CURSOR_BEFORE, payloads.CURSOR_STOP),
        (payloads.CLAUDE_BEFORE, payloads.CLAUDE_STOP),
        (payloads.CLAUDE_BEFORE, payloads.CLAUDE_ENDED),
        (payloads.CODEX_BEFORE, payloads.CODEX_STOP),
        (payloads.GEMINI_BEFORE, payloads.GEMINI_STOP),
    ],
)
def test_the_end_of_a_turn_ends_the_tool_uses_an_interruption_left_open(laptop: Machine, before: Any, end: Any) -> None:
    assert [hook(laptop, payload).returncode for payload in (before, end, end)] == [0, 0, 0]
    opened, closed = laptop.gateway.of(TOOLS)
    assert (opened["phase"], closed["phase"]) == ("before", "after")
    assert (closed["tool_use_id"], closed["command"]) == (opened["tool_use_id"], COMMAND)


def test_the_end_of_a_turn_leaves_other_turns_and_sub_agents_alone(laptop: Machine) -> None:
    hook(laptop, payloads.CLAUDE_BEFORE | {"agent_id": "a-17"})
    hook(laptop, payloads.CLAUDE_BEFORE | {"tool_use_id": "other", "prompt_id": "an earlier one"})
    hook(laptop, payloads.CLAUDE_BEFORE | {"tool_use_id": "ended"})
    hook(laptop, payloads.CLAUDE_AFTER | {"tool_use_id": "ended"})
    hook(laptop, payloads.CLAUDE_STOP)
    assert [one["phase"] for one in laptop.gateway.of(TOOLS)] == ["before", "before", "before", "after"]
    hook(laptop, payloads.CLAUDE_ENDED)
    assert {one["tool_use_id"] for one in laptop.gateway.of(TOOLS)[4:]} == {"toolu_01ABC", "other"}


def test_the_turn_is_the_one_the_agent_names(laptop: Machine) -> None:
    hook(laptop, payloads.CODEX_PROMPT)
    assert laptop.gateway.of(PROMPTS)[0]["generation"] == TURN
