"""`hoopweb credentials`, run as SDKs run it: what it prints, how often it asks the gateway, what it says when it cannot."""

from __future__ import annotations

import json
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.client.world import Machine

ASKED = "/api/v1/agent-credentials/"
AGENTS = [
    ("CURSOR_CONVERSATION_ID", "cursor"),
    ("CLAUDE_CODE_SESSION_ID", "claude"),
    ("CODEX_THREAD_ID", "codex"),
]


def keys_of(ran: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return dict(json.loads(ran.stdout))


def test_it_prints_what_aws_calls_version_1(laptop: Machine) -> None:
    told = keys_of(laptop.run("credentials", "--connection", "billing"))
    assert {name: told[name] for name in ("Version", "AccessKeyId", "SecretAccessKey", "SessionToken")} == {
        "Version": 1,
        "AccessKeyId": "HWIA0001",
        "SecretAccessKey": "secret/of+three=minutes",
        "SessionToken": "token",
    }
    left = datetime.fromisoformat(told["Expiration"]) - datetime.now(UTC)
    assert timedelta(seconds=150) < left <= timedelta(seconds=181)
    assert laptop.gateway.of(ASKED)[0]["connection"] == "billing"


@pytest.mark.parametrize(("variable", "agent"), AGENTS)
def test_the_conversation_is_the_one_the_agents_variable_names(laptop: Machine, variable: str, agent: str) -> None:
    keys_of(laptop.run("credentials", "--connection=billing", **{variable: "talk-7"}))
    (asked,) = laptop.gateway.of(ASKED)
    assert (asked["conversation"], asked["agent"], asked["generation"]) == ("talk-7", agent, None)


def test_keys_are_fetched_once_and_handed_out_until_they_are_about_to_end(laptop: Machine) -> None:
    told = {laptop.run("credentials", "--connection", "billing").stdout for _ in range(3)}
    assert len(told) == len(laptop.gateway.of(ASKED)) == 1


def test_connections_have_keys_of_their_own(laptop: Machine) -> None:
    first = keys_of(laptop.run("credentials", "--connection", "billing"))
    second = keys_of(laptop.run("credentials", "--connection", "reports"))
    assert first["AccessKeyId"] != second["AccessKeyId"]


def test_many_at_once_start_one_broker_and_fetch_once(laptop: Machine) -> None:
    told: list[str] = []
    ask = threading.Barrier(6)

    def run() -> None:
        ask.wait()
        told.append(laptop.run("credentials", "--connection", "billing").stdout)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 6
    assert len(set(told)) == len(laptop.gateway.of(ASKED)) == 1


def test_a_conversation_whose_prompt_is_not_known_here_is_asked_about_each_time(laptop: Machine) -> None:
    for _ in range(2):
        keys_of(laptop.run("credentials", "--connection", "billing", CURSOR_CONVERSATION_ID="talk-7"))
    assert len(laptop.gateway.of(ASKED)) == 2


def test_the_end_is_told_by_this_machines_clock_however_far_it_is_off(laptop: Machine) -> None:
    laptop.gateway.ahead = 240.0
    told = keys_of(laptop.run("credentials", "--connection", "billing"))
    left = datetime.fromisoformat(told["Expiration"]) - datetime.now(UTC)
    assert timedelta(seconds=150) < left <= timedelta(seconds=182)


def test_a_refusal_is_one_line_with_the_gateways_words(laptop: Machine) -> None:
    told = {"code": "device.revoked", "title": "This device was revoked", "remedy": "Run hoopweb login again."}
    laptop.gateway.replies["POST", ASKED] = lambda _: (401, told)
    ran = laptop.run("credentials", "--connection", "billing")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "hoopweb: This device was revoked. Run hoopweb login again.\n"


def test_a_refusal_is_not_remembered(laptop: Machine) -> None:
    laptop.gateway.replies["POST", ASKED] = lambda _: (403, {"title": "Not now"})
    assert laptop.run("credentials", "--connection", "billing").returncode == 1
    del laptop.gateway.replies["POST", ASKED]
    assert laptop.run("credentials", "--connection", "billing").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--connection",),
        ("--connection", "a", "--connection", "b"),
        ("--conection", "a"),
        ("--connection", "a", "--profile", "../../etc"),
    ],
)
def test_a_command_line_that_is_not_understood_says_so(laptop: Machine, arguments: tuple[str, ...]) -> None:
    ran = laptop.run("credentials", *arguments)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
