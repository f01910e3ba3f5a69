"""A launcher with the embedded services and one stubborn worker, for tests that kill it: `python -m` runs it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

from hoopweb.stack.child import Program
from hoopweb.stack.plan import CHECKOUT, Plan
from hoopweb.stack.problems import StackProblem
from hoopweb.stack.processes import Process, environment, table
from hoopweb.stack.running import running

STUBBORN = (
    "import os, signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "if os.fork() == 0: os.setsid()\n"
    "open(os.environ['READY'], 'w').close()\n"
    "time.sleep(600)\n"
)


def small(plan: Plan) -> Sequence[Process]:
    """PostgreSQL and Valkey as ever, and a process that will not go when asked."""
    ready = plan.state.root / "stubborn-is-up"
    program = Program(
        argv=(sys.executable, "-c", STUBBORN),
        environment={**environment(plan), "READY": str(ready)},
        directory=CHECKOUT,
        log=plan.state.folder("log") / "stubborn.log",
        grace_seconds=1.0,
    )
    stubborn = Process(name="stubborn", program=lambda: program, is_ready=ready.exists, after=("postgres",))
    return [*(process for process in table(plan) if process.name in {"postgres", "valkey"}), stubborn]


def main() -> int:
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: told.set())
    try:
        with running(os.environ, say=lambda text: print(text, flush=True), processes=small) as stack:
            stack.wait_until_up()
            print("UP", flush=True)
            told.wait()
    except StackProblem as problem:
        print(problem, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
