"""The stand-in AWS as a process of its own, and a fake STS that enforces trust policies as AWS does."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from hoopweb.stack.ports import free_port
from tests.connections.strict_sts import StrictSts

START_SECONDS = 60


@pytest.fixture(scope="session")
def standin_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto's server, as `make run` starts it, without the demo's seed."""
    port, folder = free_port(), tmp_path_factory.mktemp("standin")
    command = [
        sys.executable,
        "-m",
        "hoopweb.stack.standin",
        "--port",
        str(port),
        "--access-log",
        str(folder / "access"),
    ]
    with Path(folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}/hoopweb-standin/ready", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"the stand-in did not become ready: {log.read_text()}")


@pytest.fixture
def standin(standin_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The installation uses the stand-in, with keys that are worth nothing anywhere."""
    monkeypatch.setenv("HOOPWEB_AWS_ACCESS_KEY_ID", "AKIAINSTALLATION0000")
    monkeypatch.setenv("HOOPWEB_AWS_SECRET_ACCESS_KEY", "installation-secret-of-the-stand-in")
    settings.UPSTREAM_AWS_URL = standin_url
    return standin_url


@pytest.fixture
def strict_sts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictSts]:
    """An STS that enforces ExternalIds. moto enforces none, so what real AWS would answer is answered here."""
    monkeypatch.setenv("HOOPWEB_AWS_ACCESS_KEY_ID", "AKIAINSTALLATION0000")
    monkeypatch.setenv("HOOPWEB_AWS_SECRET_ACCESS_KEY", "installation-secret-of-the-stand-in")
    with StrictSts() as sts:
        settings.UPSTREAM_AWS_URL = sts.url
        yield sts
