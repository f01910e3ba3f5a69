"""The product as `make run` leaves it: killed whole, started again, its parts killed one by one."""

from __future__ import annotations

import os
import signal
import stat
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from hoopweb.stack.plan import state_of
from hoopweb.stack.postgres import DATABASE, SUPERUSER
from hoopweb.stack.services import services
from tests.hoopweb.stack.processes import all_dead, family
from tests.running_stack import RunningStack, launch, stop


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole") / "var"


@pytest.fixture(scope="module")
def restarted(state: Path) -> Iterator[tuple[set[str], RunningStack]]:
    """A stack that was killed with SIGKILL and started again, and the tenants it had before."""
    first = launch(state)
    everyone, before = family(first.launcher.pid), _tenants(state)
    os.kill(first.launcher.pid, signal.SIGKILL)
    first.launcher.wait()
    assert len(everyone) > 25, "guardians, granian's and Celery's workers, PostgreSQL's processes, two edges"
    assert all_dead(everyone, within_seconds=15)
    second = launch(state)
    yield before, second
    stop(second)


def _tenants(state: Path) -> set[str]:
    here = services(state_of({"HOOPWEB_STATE": str(state)}), valkey_port=0)
    with here.postgres.connect(SUPERUSER, here.passwords.superuser, DATABASE) as connection:
        return {str(row[0]) for row in connection.execute("SELECT id FROM tenants_tenant").fetchall()}


def test_a_killed_launcher_leaves_nothing_and_loses_nothing(restarted: tuple[set[str], RunningStack]) -> None:
    before, stack = restarted
    assert before
    assert _tenants(stack.state) == before


def test_what_people_need_to_know_is_in_one_file_of_their_own(restarted: tuple[set[str], RunningStack]) -> None:
    _, stack = restarted
    assert {"HOOPWEB_URL", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_ACCESS_KEY_ID"} <= set(stack.env)
    assert stat.S_IMODE((stack.state / "demo.env").stat().st_mode) == 0o600
    with urllib.request.urlopen(f"{stack.env['HOOPWEB_URL']}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_no_secret_of_the_installation_is_in_a_log(restarted: tuple[set[str], RunningStack]) -> None:
    _, stack = restarted
    secrets = {path.read_text().strip() for path in (stack.state / "secrets").iterdir() if path.name != "install-id"}
    logs = "".join(path.read_text(errors="replace") for path in (stack.state / "log").iterdir())
    assert secrets
    assert not [secret for secret in secrets if secret and secret in logs + "".join(stack.said)]


@pytest.mark.parametrize("name", ["web-edge", "worker-approved", "beat", "edge-2", "web"])
def test_a_killed_part_is_brought_back(restarted: tuple[set[str], RunningStack], name: str) -> None:
    _, stack = restarted
    before = set(stack.pids(name))
    stack.wait_ready(name, since=stack.kill(name))
    assert before.isdisjoint(stack.pids(name))


def test_a_killed_web_edge_worker_is_replaced_while_the_other_serves(restarted: tuple[set[str], RunningStack]) -> None:
    _, stack = restarted
    main, *workers = sorted(stack.pids("web-edge"))
    os.kill(workers[-1], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while workers[-1] in stack.pids("web-edge") or len(stack.pids("web-edge")) < len(workers) + 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert main in stack.pids("web-edge")
