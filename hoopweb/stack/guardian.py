"""Runs one process and takes everything it started down with it, when it ends or when the supervisor is gone.

Run by its path with the standard library alone (`python -I -S`), so that it starts in a few milliseconds and
nothing in the project can break it. Who is guarded, and restarts, are `hoopweb.stack.supervisor`'s.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 0.02


def prctl(option: int, value: int) -> None:
    """Call Linux's prctl; raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def parents() -> dict[int, int]:
    """Return every process's parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name in brackets may hold spaces and brackets itself; the fields follow the last one.
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[int(entry.name)] = int(fields[1])
    return found


def descendants(ancestor: int) -> Iterator[int]:
    """Yield everything below a process. Orphans come back to a subreaper, so sessions and groups do not matter."""
    tree = parents()
    level = {ancestor}
    while level := {pid for pid, parent in tree.items() if parent in level}:
        yield from level


def reap(child: int) -> int | None:
    """Collect every finished child; return the exit code of `child` if it was among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)


def kill_descendants(child: int) -> int | None:
    """Kill and collect until nothing is below us; return the exit code of `child` if it was still there."""
    code = None
    while left := list(descendants(os.getpid())):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(POLL_SECONDS)
        last = reap(child)
        code = last if last is not None else code
    return code


def become(options: argparse.Namespace, guardian: int) -> None:
    """In the forked child: own session, dropped privileges, death with the guardian, then the program."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.gid)
        os.setuid(options.uid)
    # After the change of user, which would clear it.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guardian:
        os._exit(1)
    os.chdir(options.directory)
    os.execvp(options.argv[0], options.argv)  # noqa: S606 - the whole purpose of this program


def spawn(options: argparse.Namespace) -> int:
    guardian = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            become(options, guardian)
        except OSError as error:
            print(f"cannot run {options.argv[0]}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(127)
    return child


def guard(options: argparse.Namespace, child: int, wakeup: int) -> int:
    """Wait until the child ends or the supervisor's end of the pipe closes; leave nothing; return the exit code."""
    deadline: float | None = None
    while (code := reap(child)) is None:
        if deadline is not None and time.monotonic() > deadline:
            code = kill_descendants(child)
            return -signal.SIGKILL if code is None else code
        watched = [wakeup] if deadline is not None else [wakeup, options.pipe]
        ready, _, _ = select.select(watched, [], [], None if deadline is None else POLL_SECONDS)
        was_told = wakeup in ready and signal.SIGTERM in os.read(wakeup, 4096)
        if deadline is None and (was_told or options.pipe in ready):
            deadline = time.monotonic() + options.grace
            os.kill(child, options.stop_signal)
    kill_descendants(child)
    return code


def _woken(_number: int, _frame: FrameType | None) -> None:
    """Nothing to do here: the wake-up descriptor carries the number to the loop."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pipe", type=int, required=True, help="read end of the supervisor's pipe")
    parser.add_argument("--lock", type=int, default=None, help="descriptor of the state lock to keep open")
    parser.add_argument("--grace", type=float, default=5.0)
    parser.add_argument("--stop-signal", type=int, default=signal.SIGTERM)
    parser.add_argument("--directory", default="/")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("argv", nargs="+")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    for descriptor in (options.pipe, options.lock):
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, _woken)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    code = guard(options, spawn(options), reading)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
