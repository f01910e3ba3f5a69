"""Starting one process under its guardian, and stopping it by closing the guardian's pipe.

When to start and what to do when it ends is `hoopweb.stack.supervisor`'s.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hoopweb.stack.account import Account

GUARDIAN = Path(__file__).with_name("guardian.py")
# A log past this size is set aside at the next start, so that restarts never fill a disk unseen.
LARGEST_LOG_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run: arguments, the whole environment, the account, and how it is asked to stop."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    account: Account | None = None
    stop_signal: int = 15
    grace_seconds: float = 6.0
    standard_input: str | None = None


class Child:
    """A running program and its guardian. Whatever happens to us, closing `_pipe` ends both."""

    def __init__(self, guardian: subprocess.Popen[bytes], pipe: int, grace_seconds: float) -> None:
        self._guardian = guardian
        self._pipe: int | None = pipe
        self._grace_seconds = grace_seconds

    @property
    def guardian_pid(self) -> int:
        return self._guardian.pid

    def exit_code(self) -> int | None:
        """Return the program's exit code once it and everything it started are gone, else None."""
        return self._guardian.poll()

    def wait(self, seconds: float) -> int | None:
        try:
            return self._guardian.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ask it to stop; returns at once."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def stop_and_wait(self) -> int:
        """Stop it and wait; the guardian kills what is left after the grace time."""
        self.stop()
        code = self.wait(self._grace_seconds + 10)
        if code is None:
            self._guardian.kill()
            code = self._guardian.wait()
        return code


def start(program: Program, *, lock_descriptor: int | None = None) -> Child:
    """Start a program under a guardian of its own; its output is appended to the log."""
    if program.log.exists() and program.log.stat().st_size > LARGEST_LOG_BYTES:
        program.log.replace(program.log.with_suffix(".log.1"))
    reading, writing = os.pipe()
    kept = [reading] if lock_descriptor is None else [reading, lock_descriptor]
    handle = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        guardian = subprocess.Popen(
            [*_guardian_command(program, reading, lock_descriptor), *program.argv],
            env=dict(program.environment),
            stdin=subprocess.DEVNULL if program.standard_input is None else subprocess.PIPE,
            stdout=handle,
            stderr=handle,
            pass_fds=kept,
            # Ctrl-C reaches the terminal's foreground group; only the supervisor shall answer it.
            start_new_session=True,
        )
    finally:
        os.close(reading)
        os.close(handle)
    if program.standard_input is not None and guardian.stdin is not None:
        guardian.stdin.write(program.standard_input.encode())
        guardian.stdin.close()
    return Child(guardian, writing, program.grace_seconds)


def _guardian_command(program: Program, pipe: int, lock_descriptor: int | None) -> list[str]:
    options = {
        "--pipe": pipe,
        "--lock": lock_descriptor,
        "--grace": program.grace_seconds,
        "--stop-signal": int(program.stop_signal),
        "--directory": program.directory,
        "--uid": program.account.uid if program.account else None,
        "--gid": program.account.gid if program.account else None,
    }
    given = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    return [sys.executable, "-I", "-S", str(GUARDIAN), *given, "--"]
