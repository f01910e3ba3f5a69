"""Every agent's events, in the shapes they send, become one kind of record; what is no event is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.client.hook_payloads import LARGEST_PAYLOAD, Agent, Kind, Malformed, read
from tests.client import payloads
from tests.client.payloads import COMMAND, CONVERSATION, PROMPT, TURN, raw

PROMPTS = {
    Agent.CURSOR: payloads.CURSOR_PROMPT,
    Agent.CLAUDE: payloads.CLAUDE_PROMPT,
    Agent.CODEX: payloads.CODEX_PROMPT,
    Agent.GEMINI: payloads.GEMINI_PROMPT,
}
BEFORE = {
    Agent.CURSOR: payloads.CURSOR_BEFORE,
    Agent.CLAUDE: payloads.CLAUDE_BEFORE,
    Agent.CODEX: payloads.CODEX_BEFORE,
    Agent.GEMINI: payloads.GEMINI_BEFORE,
}
AFTER = {
    Agent.CURSOR: payloads.CURSOR_AFTER,
    Agent.CLAUDE: payloads.CLAUDE_AFTER,
    Agent.CODEX: payloads.CODEX_AFTER,
    Agent.GEMINI: payloads.GEMINI_AFTER,
}


@pytest.mark.parametrize("agent", Agent)
@pytest.mark.parametrize("is_told", [True, False], ids=["told which agent", "by the payload alone"])
def test_a_prompt_is_read_exactly(agent: Agent, is_told: bool) -> None:
    event = read(raw(PROMPTS[agent]), agent if is_told else None)
    assert (event.agent, event.kind, event.conversation) == (agent, Kind.PROMPT, CONVERSATION)
    assert event.generation == ("" if agent is Agent.GEMINI else TURN)
    assert event.fields["text"] == PROMPT
    assert event.fields["source"] == "person"
    assert event.fields["workspace"] == "/users/alice/billing"


def test_cursor_tells_its_version_and_what_was_attached() -> None:
    fields = read(raw(payloads.CURSOR_PROMPT), Agent.CURSOR).fields
    assert fields["agent_version"] == "3.4.20"
    assert fields["attachments"] == [
        "/users/alice/billing/README.md",
        "/users/alice/billing/.cursor/rules/aws.mdc",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [("user", "person")]
    + [
        (one, "machine") for one in ("sdk", "system", "loop_wakeup", "schedule_wakeup", "poll_event", "what_comes_next")
    ],
)
def test_a_turn_nobody_typed_is_a_machines(source: str, expected: str) -> None:
    assert read(raw(payloads.CLAUDE_PROMPT | {"source": source}), None).fields["source"] == expected


@pytest.mark.parametrize("agent", Agent)
def test_a_tool_use_keeps_the_exact_command_and_pairs_with_its_end(agent: Agent) -> None:
    before, after = read(raw(BEFORE[agent]), None), read(raw(AFTER[agent]), None)
    assert (before.kind, after.kind) == (Kind.TOOL_BEFORE, Kind.TOOL_AFTER)
    assert before.fields["command"] == COMMAND
    assert before.fields["cwd"] == "/users/alice/billing"
    assert before.fields["tool_use_id"] == after.fields["tool_use_id"] != ""
    assert (before.fields["phase"], after.fields["phase"]) == ("before", "after")


def test_a_failed_tool_use_ends_too() -> None:
    assert read(raw(payloads.CURSOR_FAILED), None).kind is Kind.TOOL_AFTER


def test_cursors_shell_events_name_no_id_and_pair_all_the_same() -> None:
    before, after = read(raw(payloads.CURSOR_SHELL), None), read(raw(payloads.CURSOR_SHELL_AFTER), None)
    assert before.fields["command"] == COMMAND
    assert before.fields["tool_use_id"] == after.fields["tool_use_id"]
    other = read(raw(payloads.CURSOR_SHELL | {"command": "ls"}), None)
    assert other.fields["tool_use_id"] != before.fields["tool_use_id"]


def test_an_mcp_call_is_named_with_what_it_was_given() -> None:
    fields = read(raw(payloads.CURSOR_MCP), None).fields
    assert (fields["tool"], fields["command"]) == ("MCP:list_buckets", '{"region":"eu-west-1"}')


def test_a_command_given_as_words_is_quoted_as_a_shell_would_read_it() -> None:
    words = {"command": ["bash", "-lc", "echo 'a b'"]}
    assert read(raw(payloads.CODEX_BEFORE | {"tool_input": words}), None).fields["command"] == (
        "bash -lc 'echo '\"'\"'a b'\"'\"''"
    )


def test_a_written_file_is_not_recorded_whole_but_a_command_is() -> None:
    written = {"tool_name": "Write", "tool_input": {"file_path": "/x", "content": "y" * 100_000}}
    kept = read(raw(payloads.CLAUDE_BEFORE | written), None).fields["command"]
    assert len(kept) < 40_000
    assert "[cut: 100" in kept
    long = "echo " + "z" * 100_000
    assert read(raw(payloads.CLAUDE_BEFORE | {"tool_input": {"command": long}}), None).fields["command"] == long


def test_a_subagent_of_cursor_is_a_conversation_of_its_own_with_its_parent() -> None:
    event = read(raw(payloads.CURSOR_SUBAGENT), None)
    assert (event.kind, event.conversation) == (Kind.PROMPT, "0c2f8f1e-7b1c-4b59-9d3e-0d52f7b5a1aa")
    assert event.fields["parent"] == {"conversation": CONVERSATION, "tool_use_id": "call_3_task"}
    assert (event.fields["source"], event.fields["text"]) == ("machine", "List every bucket that holds invoices")


def test_a_subagent_of_claude_code_is_told_by_its_id() -> None:
    assert read(raw(payloads.CLAUDE_BEFORE | {"agent_id": "a-17"}), None).fields["subagent"] == "a-17"


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (payloads.CURSOR_STOP, Kind.GENERATION_ENDED),
        (payloads.CLAUDE_STOP, Kind.GENERATION_ENDED),
        (payloads.CODEX_STOP, Kind.GENERATION_ENDED),
        (payloads.GEMINI_STOP, Kind.GENERATION_ENDED),
        (payloads.CURSOR_ENDED, Kind.CONVERSATION_ENDED),
        (payloads.CLAUDE_ENDED, Kind.CONVERSATION_ENDED),
        (payloads.CURSOR_BEGAN, Kind.CONVERSATION_BEGAN),
        (payloads.CLAUDE_BEGAN, Kind.CONVERSATION_BEGAN),
        (payloads.CODEX_BEGAN, Kind.CONVERSATION_BEGAN),
    ],
)
def test_beginnings_and_ends_are_told_apart(payload: dict[str, Any], kind: Kind) -> None:
    event = read(raw(payload), None)
    assert (event.kind, event.conversation) == (kind, CONVERSATION)


def test_a_turn_without_an_id_of_its_own_has_none() -> None:
    without = {name: value for name, value in payloads.CLAUDE_PROMPT.items() if name != "prompt_id"}
    assert read(raw(without), None).generation == ""


@pytest.mark.parametrize("name", ["preCompact", "Notification", "SomethingNewNextYear"])
def test_an_event_nobody_knows_is_nothing_to_keep(name: str) -> None:
    assert read(raw({"hook_event_name": name, "anything": [1, {"x": None}]}), None).kind is Kind.OTHER


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "Nothing came on stdin"),
        (b"  \n", "Nothing came on stdin"),
        (b"hello", "not JSON (line 1, column 1)"),
        (b'{"hook_event_name": "Stop",\n oops}', "line 2"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[1,2]", "not a JSON object"),
        (b'{"a": NaN}', "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"1" * 6000, "not JSON"),
        (b"{}", "no `hook_event_name`"),
        (raw({"hook_event_name": 7}), "`hook_event_name` is no name"),
        (b" " * (LARGEST_PAYLOAD + 1), "longer than"),
    ],
)
def test_what_is_no_event_is_refused_in_words(given: bytes, words: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(given, None)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": None}, "no `prompt`"),
        ({"prompt": ["x"]}, "no `prompt`"),
        ({"conversation_id": ""}, "no `conversation_id`"),
        ({"conversation_id": "x" * 201}, "`conversation_id` is no name"),
        ({"conversation_id": "a\nb"}, "`conversation_id` is no name"),
        ({"conversation_id": 5}, "`conversation_id` is no name"),
        ({"generation_id": {}}, "`generation_id` is no name"),
        ({"attachments": "README"}, "`attachments` are no list"),
    ],
)
def test_an_event_with_a_broken_part_names_the_part_and_not_the_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(raw(payloads.CURSOR_PROMPT | change), None)
    assert words in str(refused.value)
    assert "invoices" not in str(refused.value)


def test_odd_attachments_and_workspaces_do_not_stop_a_prompt() -> None:
    odd = {"attachments": [None, 5, {"file_path": 3}, {"filePath": "/a"}], "workspace_roots": [None]}
    fields = read(raw(payloads.CURSOR_PROMPT | odd), None).fields
    assert (fields["attachments"], fields["workspace"]) == (["/a"], "")


def test_a_byte_order_mark_is_no_hindrance() -> None:
    assert read(b"\xef\xbb\xbf" + raw(payloads.CURSOR_PROMPT), None).kind is Kind.PROMPT
