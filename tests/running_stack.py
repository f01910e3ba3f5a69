"""The whole running product for journey tests, as a pytest plugin: two edges, two web-edge processes, own state.

It is started by the launcher people use, in a process of its own; tests look at it from outside.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from hoopweb.stack.guardian import descendants
from hoopweb.stack.plan import CHECKOUT, FREE_PORTS, state_of
from hoopweb.stack.services import remove, services

UP_SECONDS = 120.0
# Where every process there is gets started: two of those at once would only wait for each other.
WHOLE_PRODUCT = ("tests/journeys/", "tests/hoopweb/stack/test_whole_stack.py")


@dataclass(slots=True, kw_only=True)
class RunningStack:
    """A launched stack. `env` is what `var/demo.env` exports; `said` is the launcher's output so far."""

    state: Path
    launcher: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def access_log(self) -> Path:
        """The stand-in AWS's own record, one JSON line a request (`hoopweb.stack.accesslog`)."""
        return self.state / "log" / "standin-access.jsonl"

    def pids(self, name: str) -> list[int]:
        """Return a process of the table (`web-edge`, `edge-1`, ...) and everything it started, as of now."""
        return list(descendants(int((self.state / "run" / f"{name}.pid").read_text())))

    def kill(self, name: str) -> int:
        """SIGKILL a process and all it started; returns a mark for `wait_ready`. The launcher brings it back."""
        mark = len(self.said)
        for pid in self.pids(name):
            os.kill(pid, signal.SIGKILL)
        return mark

    def wait_ready(self, name: str, *, since: int, seconds: float = 30.0) -> None:
        """Wait until the launcher said the process is ready again; raises TimeoutError."""
        self.wait_for(f"  {name} ready", since=since, seconds=seconds)

    def wait_for(self, text: str, *, since: int = 0, seconds: float = UP_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not any(text in line for line in self.said[since:]):
            if self.launcher.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the launcher never said {text!r}:\n{''.join(self.said)}")
            time.sleep(0.05)

    def listen(self) -> None:
        assert self.launcher.stdout is not None
        for line in self.launcher.stdout:
            self.said.append(line)


def launch(state: Path, **more: str) -> RunningStack:
    """Start a stack of its own on free ports, and return when every process is ready."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(state.parent), **FREE_PORTS, "HOOPWEB_STATE": str(state)}
    launcher = subprocess.Popen(
        [sys.executable, "-m", "hoopweb.stack", "up", "--with-parent"],
        cwd=CHECKOUT,
        env={**environment, "HOOPWEB_EDGES": "2", "HOOPWEB_WEB_EDGE_PROCESSES": "2", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stack = RunningStack(state=state, launcher=launcher)
    threading.Thread(target=stack.listen, daemon=True).start()
    try:
        stack.wait_for("hoopweb is up")
        stack.env = exports(state / "demo.env")
    except BaseException:
        stop(stack)
        raise
    return stack


def exports(path: Path) -> dict[str, str]:
    """Read a file of `export NAME=value` lines as a shell would, without running one."""
    words = [shlex.split(line) for line in path.read_text().splitlines()]
    pairs = [word.partition("=") for line in words if line[:1] == ["export"] for word in line[1:]]
    return {name: value for name, _, value in pairs}


def stop(stack: RunningStack) -> None:
    """End the launcher and everything it started, and remove the state."""
    stack.launcher.terminate()
    stack.launcher.wait(60)
    if stack.launcher.stdout is not None:
        stack.launcher.stdout.close()
    remove(services(state_of({"HOOPWEB_STATE": str(stack.state)}), valkey_port=0))


def needs_whole_product(nodeid: str) -> bool:
    return nodeid.startswith(WHOLE_PRODUCT)


class OneProductAtATime(LoadScopeScheduling):
    """How tests are shared out with `-n 2`: a file stays together, and all files with a whole product on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return "whole product" if needs_whole_product(nodeid) else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)  # not there under -p no:xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneProductAtATime:
    return OneProductAtATime(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long waits begin first, so that no worker sits idle beside them in the end."""
    items.sort(key=lambda item: not needs_whole_product(item.nodeid))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name raw bytes by their length: as text nobody can read them, and a compressed one holds the time of its making,
    so that two workers of pytest-xdist would collect different tests."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The running product, shared by all journey tests of a run: leave it as it was found."""
    running = launch(tmp_path_factory.mktemp("stack") / "var")
    yield running
    stop(running)
