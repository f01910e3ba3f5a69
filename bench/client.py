"""`make bench PART=client`: how long an SDK waits for `hoopweb credentials`, and an agent for `hoopweb hook`.

The wheel as people install it, against a gateway that answers at once: what is measured is the client. Cold is the first
call on a machine, which starts the broker; warm is every later one. `python -c pass` beside them is what no program in
Python can do without.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hoopweb.stack.plan import CHECKOUT
from tests.client import payloads
from tests.client.world import Machine, standing_in

RUNS = 30
UV = CHECKOUT / ".tools" / "uv-bootstrap" / "bin" / "uv"


def main() -> None:
    with installed() as hoopweb, standing_in() as gateway, tempfile.TemporaryDirectory(prefix="hw-") as home:
        machine = Machine(home=Path(home), gateway=gateway)
        machine.enrol()
        asked = [str(hoopweb), "credentials", "--connection", "billing"]
        hook = [str(hoopweb), "hook", "cursor"]
        event = json.dumps(payloads.CURSOR_PROMPT)
        nothing = [str(hoopweb.parent / "python"), "-c", "pass"]
        show("python -c pass", timed(machine, nothing))
        show("credentials, cold", timed(machine, asked, before=machine.end))
        show("credentials, warm", timed(machine, asked))
        show("hook (a prompt), cold", timed(machine, hook, given=event, before=machine.end))
        show("hook (a prompt), warm", timed(machine, hook, given=event))
        machine.end()


@contextmanager
def installed() -> Iterator[Path]:
    """The wheel in an environment of its own; gives the path of its `hoopweb`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _uv("build", "--wheel", "--python", sys.executable, "--out-dir", folder, str(CHECKOUT / "deploy" / "client"))
        (wheel,) = root.glob("*.whl")
        _uv("venv", "--python", sys.executable, str(root / "venv"))
        _uv("pip", "install", "--compile-bytecode", "--python", str(root / "venv"), str(wheel))
        yield root / "venv" / "bin" / "hoopweb"


def _uv(*arguments: str) -> None:
    subprocess.run([UV, "--quiet", *arguments], check=True)


def timed(
    machine: Machine, argv: list[str], *, given: str = "", before: Callable[[], None] | None = None
) -> list[float]:
    """Milliseconds of each run, after one that is not counted."""
    taken = []
    for _ in range(RUNS + 1):
        if before is not None:
            before()
        began = time.perf_counter()
        subprocess.run(
            argv, env=machine.environment(), cwd=machine.home, input=given, text=True, capture_output=True, check=True
        )
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken[1:])


def show(name: str, taken: list[float]) -> None:
    print(f"{name:<24} p50 {statistics.median(taken):6.1f} ms   p95 {taken[int(len(taken) * 0.95)]:6.1f} ms")


if __name__ == "__main__":
    main()
