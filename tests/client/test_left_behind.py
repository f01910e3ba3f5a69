"""An agent's shell posts an innocent prompt in ways that hide where it came from: what the gateway is told of it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.client import lineage
from hoopweb.stack.plan import CHECKOUT
from tests.client.test_broker import serving
from tests.client.world import Machine

PROMPTS = "/api/v1/prompts/"
# What an agent's hook does, given the home and the prompt.
HOOK = """
import json, sys
from gateway.client import api
from gateway.client.state import Place
api.call(Place(home=sys.argv[1], profile="default"), "POST", "/api/v1/prompts/", json.loads(sys.argv[2]))
"""
# An agent: its hook records each prompt it is given, its shell runs each command it is given.
AGENT = """
import json, subprocess, sys
for line in sys.stdin:
    kind, *told = json.loads(line)
    if kind == "prompt":
        subprocess.run([sys.executable, "-c", *told], check=True)
    else:
        subprocess.run(["bash", "-c", *told], start_new_session=True)
    print("done", flush=True)
"""
# A program that passes for an agent's main process: it is cut loose first, then its "hook" posts.
FORGE = """
import os, subprocess, sys, time
how, parent = sys.argv[1], int(os.environ["SHELL_PID"])
if how in {"double fork", "own session"}:
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    os.setsid()
if how == "double fork":
    parent = os.getpid()
    if os.fork():
        os._exit(0)
if how in {"double fork", "own session", "left in the background"}:
    while os.getppid() == parent:
        time.sleep(0.01)
if how == "own terminal":
    import pty
    inner = [sys.executable, "-c", *sys.argv[2:]]
    import shlex
    pid, terminal = pty.fork()
    if not pid:
        os.execvp("bash", ["bash", "--norc", "-i"])
    os.write(terminal, (shlex.join([sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *inner])
                        + "\\nexit\\n").encode())
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        pass
else:
    subprocess.run([sys.executable, "-c", *sys.argv[2:]], check=True)
"""


class Agent:
    def __init__(self, process: subprocess.Popen[str], machine: Machine) -> None:
        self._process, self._machine = process, machine

    def prompt(self, conversation: str, generation: str) -> dict[str, Any]:
        """What the gateway is told of the process that posts it."""
        self._do("prompt", HOOK, str(self._machine.place().home), _prompt(conversation, generation))
        return dict(self._machine.gateway.of(PROMPTS)[-1]["process"])

    def forge(self, how: str, conversation: str, generation: str) -> dict[str, Any]:
        """The same of a prompt that a program started by this agent's shell posts."""
        before = len(self._machine.gateway.of(PROMPTS))
        told = [FORGE, how, HOOK, str(self._machine.place().home), _prompt(conversation, generation)]
        paths = f"PATH={os.environ['PATH']} PYTHONPATH={CHECKOUT}"
        command = f"env -i SHELL_PID=$$ {paths} {sys.executable} -c {shlex.join(told)}"
        self._do("command", command + (" &" if how == "left in the background" else ""))
        ends_at = time.monotonic() + 30
        while len(self._machine.gateway.of(PROMPTS)) == before:
            assert time.monotonic() < ends_at, "nothing was posted"
            time.sleep(0.02)
        return dict(self._machine.gateway.of(PROMPTS)[-1]["process"])

    def _do(self, *told: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


def _prompt(conversation: str, generation: str) -> str:
    return json.dumps({"conversation": conversation, "generation": generation, "text": "list the invoices"})


@contextmanager
def running(machine: Machine) -> Iterator[Agent]:
    with subprocess.Popen(
        [sys.executable, "-c", AGENT],
        cwd=CHECKOUT,
        env=machine.environment(CURSOR_CONVERSATION_ID="talk"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield Agent(process, machine)
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("conversation", ["talk", "another"])
@pytest.mark.parametrize("how", ["double fork", "own session", "left in the background", "own terminal"])
def test_a_program_an_agent_cut_loose_is_doubted(laptop: Machine, how: str, conversation: str) -> None:
    with running(laptop) as agent:
        honest = agent.prompt("talk", "first")
        assert (honest["is_doubtful"], honest["is_inside_agent_shell"]) == (False, False)
        forged = agent.forge(how, conversation, "forged")
        assert forged["is_doubtful"] is True
        assert forged["is_second_agent"] is (conversation == "talk")
        assert agent.prompt("talk", "second")["is_doubtful"] is False


def test_a_program_below_the_agent_is_inside_it_with_whatever_environment(laptop: Machine) -> None:
    with running(laptop) as agent:
        agent.prompt("talk", "first")
        assert agent.forge("attached", "another", "forged")["is_inside_agent_shell"] is True


def test_many_in_doubt_do_not_make_the_broker_forget_the_agent(
    laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each forged prompt comes from a main process of its own; were they remembered, the agent would soon not be."""
    monkeypatch.setattr(lineage, "_MOST_AGENTS", 2)
    with serving(laptop), running(laptop) as agent:
        agent.prompt("talk", "first")
        for number in range(3):
            assert agent.forge("double fork", f"other-{number}", "forged")["is_doubtful"] is True
        assert agent.forge("attached", "another", "forged")["is_inside_agent_shell"] is True
