"""Starts the table of processes in order, keeps them up, and leaves none behind.

What the processes are is `hoopweb.stack.processes`; how one is held is `hoopweb.stack.child`.
"""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from hoopweb.stack import guardian
from hoopweb.stack.child import Child, start
from hoopweb.stack.problems import StackProblem, StartFailed
from hoopweb.stack.processes import Process

READY_SECONDS = 60.0
POLL_SECONDS = 0.1
# A process that dies right after each start: this many times before the first start is given up.
FIRST_ATTEMPTS = 3
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0
# After this long up, the next death is a new story and not the last one going on.
STEADY_SECONDS = 60.0
# In the environment of every process: whose it is, when its guardian is no longer there to say.
MARK = "HOOPWEB_GUARDED_BY"
# What others need until their end is stopped last.
STOPPED_LAST = frozenset({"postgres", "valkey", "standin"})

Say = Callable[[str], None]


class Keeper(threading.Thread):
    """Keeps one process of the table up until told to stop."""

    def __init__(self, process: Process, *, supervisor: Supervisor) -> None:
        super().__init__(name=process.name, daemon=True)
        self.process = process
        self.is_ready = threading.Event()
        self.restarts = 0
        self._supervisor = supervisor
        self._stopping = threading.Event()
        self._child: Child | None = None

    @property
    def guardian_pid(self) -> int | None:
        return self._child.guardian_pid if self._child else None

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        try:
            if self._wait_for_others():
                self._keep()
        except (StackProblem, OSError) as problem:
            self._supervisor.fail(problem)
        finally:
            if self._child:
                self._child.stop_and_wait()

    def _wait_for_others(self) -> bool:
        for name in self.process.after:
            while not self._supervisor.keeper(name).is_ready.wait(POLL_SECONDS):
                if self._stopping.is_set():
                    return False
        return not self._stopping.is_set()

    def _keep(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            started = time.monotonic()
            code = self._one_life_or_why_not(started)
            if self._stopping.is_set() or (self.process.runs_once and code == 0):
                return
            was_ready = self.is_ready.is_set()
            self.is_ready.clear()
            self._give_up_if_hopeless(code, was_ready=was_ready)
            if time.monotonic() - started > STEADY_SECONDS:
                pause = SHORTEST_PAUSE_SECONDS
            self._supervisor.say(f"{self.name} ended ({_told(code)}); again in {pause:.1f} s")
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            self.restarts += 1

    def _one_life_or_why_not(self, started: float) -> int | None:
        """As `_one_life`; what goes wrong once the stack was up is said and tried again, a full disk for instance."""
        try:
            return self._one_life(started)
        except (StackProblem, OSError) as problem:
            if self._child:
                self._child.stop_and_wait()
            if not self._supervisor.is_up.is_set():
                raise
            self._supervisor.say(f"{self.name}: {problem}")
            return None

    def _one_life(self, started: float) -> int | None:
        """Start it, see it ready, wait for its end. Returns the exit code, or None when it never got ready."""
        self.process.prepare()
        child = self._child = self._supervisor.start(self.process)
        while not self._stopping.is_set():
            code = child.exit_code()
            if code is not None:
                self._supervisor.kill_strays()
                if self.process.runs_once and code == 0:
                    self._announce(started)
                return code
            if not self.is_ready.is_set() and not self.process.runs_once:
                if self.process.is_ready is not None and self.process.is_ready():
                    self._announce(started)
                elif time.monotonic() - started > READY_SECONDS:
                    child.stop_and_wait()
                    return None
            self._stopping.wait(POLL_SECONDS)
        return child.stop_and_wait()

    def _announce(self, started: float) -> None:
        self.process.finish()
        self.is_ready.set()
        self._supervisor.say(f"{self.name} {'done' if self.process.runs_once else 'ready'}", since=started)

    def _give_up_if_hopeless(self, code: int | None, *, was_ready: bool) -> None:
        """The first start must succeed; once the stack was up, a process is brought back for as long as it takes."""
        if was_ready or self._supervisor.is_up.is_set():
            return
        if self.process.runs_once or self.restarts + 1 >= FIRST_ATTEMPTS:
            log = self._supervisor.log_of(self.process)
            raise StartFailed(name=self.name, why=f"{_told(code)}.\n{_tail(log)}", log=str(log))


def _told(code: int | None) -> str:
    if code is None:
        return f"not ready after {READY_SECONDS:.0f} s"
    return f"exit code {code}" if code < 128 else f"signal {code - 128}"


def _tail(log: Path, *, lines: int = 12) -> str:
    text = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"    | {line}" for line in text[-lines:])


class Supervisor:
    """All keepers together. Make it, `start_all`, wait for `is_up` or `failure`, `stop_all`."""

    def __init__(self, processes: Iterable[Process], *, say: Say, lock_descriptor: int | None = None) -> None:
        self._keepers = {process.name: Keeper(process, supervisor=self) for process in processes}
        self._say = say
        self._lock_descriptor = lock_descriptor
        self._started = time.monotonic()
        self._guarding = threading.Lock()
        self._guardians: set[int] = set()
        self._mark = secrets.token_hex(8)
        self.is_up = threading.Event()
        self.failure: StackProblem | OSError | None = None

    def keeper(self, name: str) -> Keeper:
        return self._keepers[name]

    def log_of(self, process: Process) -> Path:
        return process.program().log

    def say(self, text: str, *, since: float | None = None) -> None:
        took = f" in {time.monotonic() - since:.1f} s" if since is not None else ""
        self._say(f"{time.monotonic() - self._started:6.1f} s  {text}{took}")

    def fail(self, problem: StackProblem | OSError) -> None:
        """The first problem is the cause; those it brings about add nothing."""
        self.failure = self.failure or problem

    def start(self, process: Process) -> Child:
        program = process.program()
        marked = replace(program, environment={**program.environment, MARK: self._mark})
        with self._guarding:
            child = start(marked, lock_descriptor=self._lock_descriptor)
            self._guardians.add(child.guardian_pid)
        # For people and tests that look for a process: its guardian's number, as of this start.
        (program.log.parent.parent / "run" / f"{process.name}.pid").write_text(str(child.guardian_pid))
        return child

    def start_all(self) -> None:
        # What a killed guardian leaves comes to us, where `kill_strays` finds it.
        guardian.prctl(guardian.PR_SET_CHILD_SUBREAPER, 1)
        for keeper in self._keepers.values():
            keeper.start()

    def wait_until_up(self, stopping: threading.Event) -> bool:
        """Return whether everything is ready; false when told to stop first. Raises what went wrong."""
        for keeper in self._keepers.values():
            while not keeper.is_ready.wait(POLL_SECONDS):
                if self.failure:
                    raise self.failure
                if stopping.is_set():
                    return False
        self.is_up.set()
        return True

    def stop_all(self) -> None:
        """Stop everything and wait: first what serves, then what it stands on."""
        for wave in (set(self._keepers) - STOPPED_LAST, STOPPED_LAST & set(self._keepers)):
            for name in wave:
                self._keepers[name].ask_to_stop()
            for name in wave:
                if self._keepers[name].ident is not None:
                    self._keepers[name].join()
        self.kill_strays()

    def kill_strays(self) -> None:
        """End processes whose guardian was killed: children of ours that carry our mark and are no guardian."""
        with self._guarding:
            while strays := [pid for pid in self._children() if pid not in self._guardians and self._is_marked(pid)]:
                for pid in strays:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def _children(self) -> list[int]:
        return [pid for pid, parent in guardian.parents().items() if parent == os.getpid()]

    def _is_marked(self, pid: int) -> bool:
        # PostgreSQL writes its title over its environment; its processes end with their postmaster by themselves.
        try:
            return f"{MARK}={self._mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False
