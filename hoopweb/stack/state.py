"""Where the stack keeps things: `HOOPWEB_STATE` (default `var/`), its secrets, and the one lock on it.

What is kept there belongs to the modules that write it.
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hoopweb.stack.problems import AlreadyRunning

# A supervisor that was killed leaves guardians that need a moment to stop their processes.
STOPPING_SECONDS = 20.0


def _password() -> str:
    return secrets.token_urlsafe(24)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


# What the launcher makes once per installation; the name is the file's name under `secrets/`.
SECRETS: dict[str, Callable[[], str]] = {
    "install-id": lambda: secrets.token_hex(8),
    "db-superuser-password": _password,
    "db-owner-password": _password,
    "db-app-password": _password,
    "valkey-password": _password,
    "django-secret-key": lambda: secrets.token_urlsafe(50),
    "sealing-key": _key,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state folder of one stack. It is the user's own; `secrets/` is closed to everybody else."""

    root: Path

    def folder(self, name: str, *, mode: int = 0o700) -> Path:
        path = self.root / name
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        return path

    def secret_file(self, name: str) -> Path:
        """Return the file of one secret, made with a fresh value if it was never made."""
        path = self.folder("secrets") / name
        try:
            # O_EXCL: an existing secret is never overwritten, and the mode holds from the first byte.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return path
        with os.fdopen(handle, "w") as file:
            file.write(SECRETS[name]())
        return path

    def secret(self, name: str) -> str:
        return self.secret_file(name).read_text().strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Held while a stack runs on a state folder. Guardians inherit the descriptor, so it outlives a killed supervisor
    exactly as long as any process of ours does."""

    descriptor: int

    def release(self) -> None:
        os.close(self.descriptor)


def lock(state: State, *, wait_seconds: float = STOPPING_SECONDS) -> Lock:
    """Take the state folder for this process; raises AlreadyRunning while another supervisor lives on it."""
    descriptor = os.open(state.folder("run") / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = int(os.pread(descriptor, 32, 0) or b"0")
            if _lives(holder) or time.monotonic() > deadline:
                os.close(descriptor)
                raise AlreadyRunning(state=str(state.root), pid=holder) from None
            time.sleep(0.1)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return Lock(descriptor=descriptor)


def _lives(pid: int) -> bool:
    """A zombie waits only for its parent to look; it holds nothing any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
