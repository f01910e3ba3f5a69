"""The asking side: one reader process, started when first needed or at the start, stopped and started anew when it fails.

A process, because a model takes 150 MB and holds Python's lock for tens of milliseconds, which no other call should feel.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

import msgspec

from gateway.masking.people import NamesUnread
from gateway.names import frames, model

# All of one reading, the wait for others' included: past it the answer is withheld.
READ_SECONDS = 5.0
# Python, the library and a model take some 4 s on a quiet machine.
START_SECONDS = 60.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True, kw_only=True)
class _Child:
    process: subprocess.Popen[bytes]
    line: socket.socket
    started_at: float
    rule: str = ""

    def end(self) -> None:
        self.line.close()
        self.process.kill()
        self.process.wait()


class Reader:
    """A `NameReader`. Threads may share it: they are served one after the other, each within READ_SECONDS."""

    def __init__(self, folder: Path, *, digest: str = "", read_seconds: float = READ_SECONDS) -> None:
        self._folder, self._digest, self.read_seconds = folder, digest, read_seconds
        self._model: model.Model | None = None
        self._child: _Child | None = None
        self._turn = Lock()

    @property
    def rule(self) -> str:
        """How masking records cite the model."""
        return self._model.rule if self._model is not None else ""

    @property
    def process_id(self) -> int | None:
        """The reader's, where there is one."""
        return self._child.process.pid if self._child is not None else None

    def start(self) -> None:
        """Check the model and have it loaded, if it is not already. Raises BadModel."""
        with self._turn:
            if self._child is not None and self._child.rule and self._child.process.poll() is None:
                return
            self._model = model.check(self._folder, digest=self._digest)
            try:
                self._ready(time.monotonic() + START_SECONDS)
            except (OSError, msgspec.DecodeError) as error:
                self._end()
                raise model.BadModel(f"its process did not start: {type(error).__name__}") from None

    def read(self, texts: Sequence[str]) -> Sequence[Sequence[tuple[int, int]]]:
        """Where names stand in each text. Raises NamesUnread: no model, no time, or a process that died."""
        until = time.monotonic() + self.read_seconds
        if not self._turn.acquire(timeout=self.read_seconds):
            raise NamesUnread("too much else waits to be read for names")
        try:
            return self._read(tuple(texts), until)
        except (OSError, msgspec.DecodeError) as error:
            self._give_up()
            raise NamesUnread(f"the reader of names failed: {type(error).__name__}") from None
        except model.BadModel as error:
            self._end()
            raise NamesUnread(f"the model for names cannot be used: {error}") from None
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    def _read(self, texts: tuple[str, ...], until: float) -> Sequence[Sequence[tuple[int, int]]]:
        if self._model is None:
            self._model = model.check(self._folder, digest=self._digest)
        child = self._ready(until)
        child.line.settimeout(_left(until))
        frames.send(child.line, frames.Texts(texts=texts))
        child.line.settimeout(_left(until))
        return frames.receive(child.line, frames.Found).spans

    def _ready(self, until: float) -> _Child:
        if self._child is None:
            self._child = self._started()
        child = self._child
        if not child.rule:
            child.line.settimeout(_left(until))
            ready = frames.receive(child.line, frames.Ready)
            if not ready.rule:
                raise model.BadModel(ready.trouble[:200])
            child.rule = ready.rule
        return child

    def _started(self) -> _Child:
        ours, its = socket.socketpair()
        with its:
            # Nothing of our environment: it holds secrets, and the reader needs none.
            environment = {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1", "PATH": os.defpath, "LC_ALL": "C.UTF-8"}
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gateway.names", "--serve", "--digest", self._digest, str(self._folder)],
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                close_fds=True,
            )
        return _Child(process=process, line=ours, started_at=time.monotonic())

    def _give_up(self) -> None:
        """A reader that is still loading may go on; any other is of no more use, as its next answer could be an old one's."""
        child = self._child
        is_loading = child is not None and not child.rule and child.process.poll() is None
        if child is not None and not (is_loading and time.monotonic() - child.started_at < START_SECONDS):
            self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@cache
def shared_reader(folder: str, digest: str = "") -> Reader | None:
    """The process's own reader of the model in this folder, started at its first reading; None where none is named."""
    return Reader(Path(folder), digest=digest) if folder else None
