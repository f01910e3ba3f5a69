"""A guardian leaves nothing of what it started, however the end comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hoopweb.stack.child import GUARDIAN, Child, Program, start
from tests.hoopweb.stack.processes import gone, living

# A process that ignores polite requests, with a child in a session of its own and an orphan below it.
STUBBORN = """
import os, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Path(sys.argv[1]).touch()
    time.sleep(300)
time.sleep(300)
"""
POLITE = """
import signal, sys, time
from pathlib import Path
def stop(number, frame):
    Path(sys.argv[1] + ".stopped").touch()
    sys.exit(3)
signal.signal(signal.SIGTERM, stop)
Path(sys.argv[1]).touch()
time.sleep(300)
"""


def _started(script: str, folder: Path, *, grace_seconds: float = 0.5) -> Child:
    mark = folder / "mark"
    program = Program(
        argv=(sys.executable, "-c", script, str(mark)),
        environment={"PATH": os.defpath},
        directory=folder,
        log=folder / "out.log",
        grace_seconds=grace_seconds,
    )
    child = start(program)
    _until_marked(folder)
    return child


def _until_marked(folder: Path) -> None:
    """Wait until the program has set itself up."""
    deadline = time.monotonic() + 20
    while not (folder / "mark").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stop_takes_grandchildren_in_their_own_sessions_along(tmp_path: Path) -> None:
    child = _started(STUBBORN, tmp_path)
    assert len(living(str(tmp_path))) >= 3
    child.stop_and_wait()
    assert gone(str(tmp_path), within_seconds=0.5)


def test_a_program_is_asked_before_it_is_killed(tmp_path: Path) -> None:
    child = _started(POLITE, tmp_path, grace_seconds=10)
    assert child.stop_and_wait() == 3
    assert (tmp_path / "mark.stopped").exists()


def test_what_a_dead_program_started_dies_with_it(tmp_path: Path) -> None:
    child = _started(STUBBORN, tmp_path)
    main = min(pid for pid in living(str(tmp_path)) if pid != child.guardian_pid)
    os.kill(main, signal.SIGKILL)
    assert child.wait(5) == 128 + signal.SIGKILL
    assert gone(str(tmp_path), within_seconds=0.5)


def test_a_killed_guardian_takes_its_program_along(tmp_path: Path) -> None:
    child = _started(POLITE, tmp_path)
    os.kill(child.guardian_pid, signal.SIGKILL)
    assert gone(str(tmp_path), within_seconds=3)
    child.stop()


def test_a_closed_pipe_ends_everything_without_a_word_from_anyone(tmp_path: Path) -> None:
    """What a supervisor killed with SIGKILL does: nothing, but the kernel closes its end."""
    reading, writing = os.pipe()
    command = [sys.executable, "-I", "-S", str(GUARDIAN), "--pipe", str(reading), "--grace", "0.3", "--"]
    guardian = subprocess.Popen([*command, sys.executable, "-c", STUBBORN, str(tmp_path / "mark")], pass_fds=[reading])
    os.close(reading)
    _until_marked(tmp_path)
    os.close(writing)
    assert guardian.wait(10) == 128 + signal.SIGKILL
    assert gone(str(tmp_path), within_seconds=0.5)


def test_a_program_that_does_not_exist_says_so_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "out.log"
    child = start(Program(argv=("/no/such/program",), environment={}, directory=tmp_path, log=log))
    assert child.wait(5) == 127
    assert "cannot run /no/such/program" in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_guardian_leaves_ctrl_c_to_the_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    child = _started(POLITE, tmp_path)
    os.kill(child.guardian_pid, number)
    assert child.wait(0.3) is None
    child.stop_and_wait()
