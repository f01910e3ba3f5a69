"""What a call costs each process in CPU, read from the processes' own clocks: steadier than seconds on a busy machine."""

from __future__ import annotations

from collections.abc import Iterable

import psutil

from hoopweb.stack.processes import table
from hoopweb.stack.running import Stack

# In the order a call meets them; the rest of the stack serves none of it.
SERVING = ("edge-1", "web-edge", "postgres", "standin")


def seconds_of(stack: Stack) -> dict[str, float]:
    """CPU seconds so far of each serving process and everything it started."""
    names = {process.name for process in table(stack.plan)}
    return {name: _tree_seconds(stack.supervisor.keeper(name).guardian_pid) for name in SERVING if name in names}


def _tree_seconds(guardian: int | None) -> float:
    if guardian is None:
        return 0.0
    root = psutil.Process(guardian)
    return sum(_own_seconds(one) for one in (root, *root.children(recursive=True)))


def _own_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        # A database's helper that ended between being listed and being asked.
        return 0.0
    return float(times.user + times.system)


def per_call(before: dict[str, float], after: dict[str, float], calls: int, *, without: str = "") -> str:
    """`edge-1 1.20 ms, web-edge 2.10 ms, ...`: what each process spent on a call; `without` leaves one out."""
    spent = {name: (after[name] - before[name]) / calls for name in after if name != without}
    return ", ".join(_told(spent.items())) + f"; together {sum(spent.values()) * 1000:.2f} ms"


def _told(spent: Iterable[tuple[str, float]]) -> Iterable[str]:
    return (f"{name} {seconds * 1000:.2f} ms" for name, seconds in spent)
