"""Which processes stand above one: the chain from a helper through shells and SDKs up to the agent, by /proc.

Only looks; what a chain means is `generations`'s and the hooks'. A process is named by its id *and* its start, since ids
come back.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

# Deeper than any agent nests its shells; a chain that is longer is cut.
_DEEPEST = 40
_LONGEST_ARGUMENT = 200
SHELLS = frozenset({"sh", "bash", "zsh", "dash", "fish", "ksh", "ash"})
# Options of shells that a value follows; editors' terminals start theirs with a file of settings.
_WITH_VALUE = frozenset({"--rcfile", "--init-file", "-o", "-O", "+O", "--init-command", "-C"})
# What agents put into the environment of the shells they start, and only there.
AGENT_SHELL_MARKS = ("CURSOR_AGENT=", "CLAUDECODE=", "CODEX_THREAD_ID=", "GEMINI_CLI=", "OPENCODE_SESSION_ID=")


# A process's number and its start, in the kernel's ticks since boot.
Identity = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """The account that started a process (its real user id), and its control group's path; -1 and empty if unseen."""

    account: int = -1
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process. `started_ticks` is since the machine's boot, in the kernel's clock ticks."""

    pid: int
    parent: int
    session: int
    started_ticks: int
    name: str
    executable: str
    arguments: tuple[str, ...]
    # The device number of its controlling terminal; 0 without one.
    terminal: int = 0

    @property
    def identity(self) -> Identity:
        return self.pid, self.started_ticks

    @property
    def is_interactive_shell(self) -> bool:
        """A shell that waits for commands, rather than one that runs a single one: it outlives many prompts."""
        name = (self.arguments[0] if self.arguments else self.name).rpartition("/")[2].lstrip("-")
        return name in SHELLS and not _has_task(list(self.arguments[1:]))


def _has_task(options: list[str]) -> bool:
    """Whether a shell was given a command or a script to run, rather than a terminal to wait at."""
    while options:
        option = options.pop(0)
        if option in _WITH_VALUE:
            del options[:1]
        elif option == "--command" or not option.startswith("-") or (not option.startswith("--") and "c" in option):
            return True
    return False


def process(pid: int) -> Process | None:
    """What is known of a process, or None where it is gone or not to be seen."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, rest = file.read(4096).decode("utf-8", "replace").rpartition(")")
    except OSError:
        return None
    numbers = rest.split()
    if len(numbers) < 20:
        return None
    return Process(
        pid=pid,
        # proc(5): after the name in brackets come state, ppid, pgrp, session ...; starttime is the 22nd of all.
        parent=int(numbers[1]),
        session=int(numbers[3]),
        started_ticks=int(numbers[19]),
        name=head.partition("(")[2],
        executable=_executable(pid),
        arguments=_arguments(pid),
        terminal=int(numbers[4]),
    )


def whereabouts(its: Process) -> Whereabouts:
    """Whose it is and where it was put; what cannot be seen is the same for all."""
    account = next((line.split()[1] for line in _lines(its.pid, "status") if line.startswith("Uid:")), "-1")
    # cgroup(7): version 2 has one line, numbered 0; version 1 has the service manager's own hierarchy.
    groups = [line.split(":", 2) for line in _lines(its.pid, "cgroup")]
    found = next((path for number, kind, path in groups if number == "0" or kind == "name=systemd"), "")
    return Whereabouts(account=int(account), group=found)


def is_alive(identity: Identity) -> bool:
    """Whether this very process still runs."""
    its = process(identity[0])
    return its is not None and its.identity == identity


def _lines(pid: int, name: str) -> list[str]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read(16384).splitlines()
    return []


def chain(pid: int) -> tuple[Process, ...]:
    """The process itself, its parent, and so on up to the first of the machine, which is left out."""
    found: list[Process] = []
    while pid > 1 and len(found) < _DEEPEST:
        its = process(pid)
        # A parent that is younger than its child has taken the number of one that is gone.
        if its is None or (found and its.started_ticks > found[-1].started_ticks):
            break
        found.append(its)
        pid = its.parent
    return tuple(found)


def is_in_agent_shell(pids: tuple[int, ...]) -> bool:
    """Whether any of these processes was started with what agents give to their shells."""
    return any(_environment_has(pid, AGENT_SHELL_MARKS) for pid in pids)


def are_seen(pids: tuple[int, ...]) -> bool:
    """Whether each one's environment is open to us: what cannot be looked at must not pass for harmless."""
    return all(_is_open(pid) for pid in pids)


def _is_open(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            file.read(1)
    except OSError:
        return False
    return True


def _environment_has(pid: int, marks: tuple[str, ...]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            held = file.read(1024 * 1024).split(b"\0")
    except OSError:
        return False
    return any(entry.startswith(mark.encode()) for entry in held for mark in marks)


def age_seconds(ticks: int, *, boot_seconds: float) -> float:
    """How long ago something was, by the same clock: since the machine's boot."""
    return boot_seconds - ticks / os.sysconf("SC_CLK_TCK")


def _executable(pid: int) -> str:
    """Empty where it belongs to another account."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe")
    return ""


def _arguments(pid: int) -> tuple[str, ...]:
    """The first few, cut: enough to tell a shell that waits from one that runs a command."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        parts = file.read(4096).decode("utf-8", "replace").rstrip("\0").split("\0")
        return tuple(part[:_LONGEST_ARGUMENT] for part in parts[:8] if part)
    return ()
