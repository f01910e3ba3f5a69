"""What /proc tells of a real process tree: parents, starts, agents' shells, and a hook's place below its agent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.client.ancestry import facts, main_process
from gateway.client.processes import Process, age_seconds, chain, process
from hoopweb.stack.plan import CHECKOUT
from tests.client.trees import agent, its

# Prints what a hook started here would be told about itself.
LOOK = (
    "import json, os; from gateway.client.processes import chain; from gateway.client.ancestry import facts; "
    "print(json.dumps([facts(chain(os.getpid())), [its.pid for its in chain(os.getpid())]]))"
)


def looked(*argv: str, **variables: str) -> tuple[dict[str, Any], list[int]]:
    """What the last process of a command sees above itself, this test among it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CURSOR", "CLAUDE", "CODEX"))}
    ran = subprocess.run(argv, cwd=CHECKOUT, env=clean | variables, capture_output=True, text=True, check=True)
    told, above = json.loads(ran.stdout)
    return told, above


def test_the_chain_leads_from_a_process_to_the_first_of_its_kind() -> None:
    _, above = looked(sys.executable, "-c", LOOK)
    assert above[1] == os.getpid()
    assert above[2:] == [its.pid for its in chain(os.getppid())]
    assert 1 not in above


def test_a_process_is_known_by_its_start_and_not_by_its_number_alone() -> None:
    own = process(os.getpid())
    assert own is not None
    assert own.executable == str(Path("/proc/self/exe").readlink())
    age = age_seconds(own.started_ticks, boot_seconds=time.clock_gettime(time.CLOCK_BOOTTIME))
    assert 0 <= age < 3600 * 12
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    later = process(child.pid)
    child.communicate(b"")
    assert later is not None
    assert later.started_ticks > own.started_ticks


def test_a_process_that_is_gone_is_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert process(child.pid) is None
    assert chain(child.pid) == ()


def test_a_name_with_brackets_and_spaces_is_read_right(tmp_path: Path) -> None:
    """The kernel writes a name as it is; a parser that splits at blanks would take its words for numbers."""
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "30"])
    try:
        found = process(child.pid)
        while found is not None and found.name.startswith("python"):
            found = process(child.pid)
        assert found is not None
        assert (found.name, found.parent) == ("a) R 1 (b", os.getpid())
    finally:
        child.kill()
        child.wait()


def test_a_hook_hangs_below_the_process_that_started_its_shell() -> None:
    told, _ = looked("/bin/sh", "-c", f"{sys.executable} -c '{LOOK}'; true")
    assert told["agent_pid"] == os.getpid()
    assert told["parent_executable"] == str(Path("/proc/self/exe").readlink())


@pytest.mark.parametrize(
    "mark",
    ["CURSOR_AGENT", "CLAUDECODE", "CODEX_THREAD_ID", "GEMINI_CLI", "OPENCODE_SESSION_ID"],
)
def test_an_agents_shell_above_is_seen_even_where_the_variable_was_taken_away(mark: str) -> None:
    hidden = f"env -u {mark} {sys.executable} -c '{LOOK}'; true"
    told, _ = looked("/bin/bash", "-c", hidden, **{mark: "1"})
    assert told["is_inside_agent_shell"]


def _hook(*above: Process) -> tuple[Process, ...]:
    return (its(9000, above[0].pid, "hoopweb", "hook", "cursor", at=50), *above)


def test_a_hook_typed_into_a_shell_has_no_agent() -> None:
    typed = its(501, 1, "-bash", at=3)
    assert main_process(_hook(typed)) is None
    assert facts(_hook(typed))["agent_pid"] is None


def test_a_hooks_own_shell_is_passed_over() -> None:
    launcher = its(2000, agent().pid, "/bin/sh", "-c", "hoopweb hook cursor", at=49)
    found = main_process(_hook(launcher, agent()))
    assert found == agent()


@pytest.mark.parametrize(
    ("arguments", "waits"),
    [
        (("bash",), True),
        (("-zsh",), True),
        (("/bin/bash", "-i"), True),
        (("bash", "--login"), True),
        (("fish", "--interactive"), True),
        (("/bin/bash", "--init-file", "/usr/share/code/shell.sh"), True),
        (("bash", "--rcfile", "rc", "-i"), True),
        (("fish", "--command", "true"), False),
        (("bash", "-c", "true"), False),
        (("bash", "-lc", "true"), False),
        (("zsh", "-ilc", "true"), False),
        (("sh", "script.sh"), False),
        (("python3",), False),
    ],
)
def test_a_shell_that_waits_is_told_from_one_that_runs_a_command(arguments: tuple[str, ...], waits: bool) -> None:
    assert its(1, 0, *arguments, at=0).is_interactive_shell is waits
