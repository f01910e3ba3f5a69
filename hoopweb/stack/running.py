"""The whole stack as one value: used by `make run`, and by tests that need the real thing.

The order of things is `hoopweb.stack.processes`; this module takes the lock, starts, waits and stops.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from hoopweb.stack import plan as planning
from hoopweb.stack.plan import Plan
from hoopweb.stack.processes import Process, table
from hoopweb.stack.state import lock
from hoopweb.stack.supervisor import Say, Supervisor

Table = Callable[[Plan], Sequence[Process]]


def say(text: str) -> None:
    """Print one line of progress, in one piece: several threads tell of their processes at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Stack:
    """A started stack; `plan` has its addresses, `supervisor` its processes."""

    def __init__(self, plan: Plan, supervisor: Supervisor, stopping: threading.Event) -> None:
        self.plan = plan
        self.supervisor = supervisor
        self.stopping = stopping

    def wait_until_up(self) -> bool:
        """Return whether all is ready; false when told to stop before. Raises StackProblem."""
        return self.supervisor.wait_until_up(self.stopping)


@contextlib.contextmanager
def running(
    environment: Mapping[str, str], *, say: Say, processes: Table = table, stopping: threading.Event | None = None
) -> Iterator[Stack]:
    """Start a stack on the state and ports the environment names; on leaving, every process is gone.

    `stopping` is set by whoever wants it to stop, at any time, a signal's handler for instance.
    Raises StackProblem: the state is in use, a port is taken.
    """
    state = planning.state_of(environment)
    state.root.mkdir(mode=0o755, parents=True, exist_ok=True)
    held = lock(state)
    try:
        plan = planning.make(environment, now=datetime.now(UTC))
        supervisor = Supervisor(processes(plan), say=say, lock_descriptor=held.descriptor)
        supervisor.start_all()
        try:
            yield Stack(plan, supervisor, stopping or threading.Event())
        finally:
            supervisor.stop_all()
    finally:
        held.release()
