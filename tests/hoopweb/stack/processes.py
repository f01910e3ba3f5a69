"""Looking at this machine's processes from outside, for tests that must see that none is left."""

from __future__ import annotations

import time
from pathlib import Path

from hoopweb.stack.guardian import descendants


def living(mark: str) -> set[int]:
    """Return processes that carry a text in their arguments or environment; zombies have neither."""
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _carries(entry, mark)}


def _carries(entry: Path, mark: str) -> bool:
    try:
        return any(mark.encode() in (entry / name).read_bytes() for name in ("cmdline", "environ"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def gone(mark: str, *, within_seconds: float) -> bool:
    """Wait until no process carries the mark; false when some still do in the end."""
    deadline = time.monotonic() + within_seconds
    while living(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def family(ancestor: int) -> set[tuple[int, str]]:
    """Return everything below a process, each with its start time: a number alone may be given out again."""
    return {(pid, born) for pid in descendants(ancestor) if (born := _born(pid))}


def all_dead(those: set[tuple[int, str]], *, within_seconds: float) -> bool:
    """Wait until none of them lives; false when some still do in the end."""
    deadline = time.monotonic() + within_seconds
    while any(_born(pid) == born for pid, born in those):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _born(pid: int) -> str:
    """Return the start time of a living process; empty when it is gone or only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
