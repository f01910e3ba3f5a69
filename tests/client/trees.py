"""Process trees as /proc tells them, drawn by hand: an agent, its shells, SDKs and helpers."""

from __future__ import annotations

from gateway.client.processes import Process

TICKS = 100.0
AGENT = 1000


def its(pid: int, parent: int, *arguments: str, at: float, session: int | None = None, terminal: int = 0) -> Process:
    """A process that began `at` seconds after the machine's boot."""
    name = arguments[0].rpartition("/")[2].lstrip("-")
    return Process(
        pid=pid,
        parent=parent,
        session=session if session is not None else pid,
        started_ticks=int(at * TICKS),
        name=name,
        executable=f"/usr/bin/{name}",
        arguments=arguments,
        terminal=terminal,
    )


def agent(pid: int = AGENT, *, at: float = 1.0) -> Process:
    return its(pid, 1, "cursor", at=at)


def command(*, at: float, below: Process, first_pid: int = 2000) -> tuple[Process, ...]:
    """A helper below an SDK below the one-command shell an agent starts for a tool call."""
    shell = its(first_pid, below.pid, "bash", "-c", "python job.py", at=at)
    sdk = its(first_pid + 1, shell.pid, "python", "job.py", at=at + 0.1, session=shell.pid)
    helper = its(first_pid + 2, sdk.pid, "hoopweb", "credentials", at=at + 0.5, session=shell.pid)
    return helper, sdk, shell, below
