"""The one whole product of a test run, as a pytest plugin: two edges, two web-edge processes, own state.

`product` (tests/journeys/product.py) is started once for all that need it. Where a run also asks what a killed launcher
leaves behind, it is the second life of a state whose first was started as people do, and killed whole.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from hoopweb.stack import guardian
from hoopweb.stack.plan import CHECKOUT, FREE_PORTS, state_of
from hoopweb.stack.postgres import DATABASE, SUPERUSER
from hoopweb.stack.running import running
from hoopweb.stack.services import remove, services
from tests.hoopweb.stack.processes import all_dead, family

if TYPE_CHECKING:
    from tests.journeys.product import Product

UP_SECONDS = 120.0
# Short, so that the test of a hold that runs out does not take ninety seconds; long enough for a person who is a test.
HOLD_SECONDS = 12
# How long an edge waits for a verdict: short, because tests wait for it while the control plane is away.
CONTROL_SECONDS = 8
# Where the whole product is needed: two of those at once would only wait for each other.
KILLED_WHOLE = "tests/hoopweb/stack/test_whole_stack.py"
WHOLE_PRODUCT = ("tests/journeys/", KILLED_WHOLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLife:
    """What was there before the launcher was killed: how many processes, whether all of them died, whose tenants."""

    processes: int
    is_all_dead: bool
    tenants: frozenset[str]


def tenants_in(state: Path) -> frozenset[str]:
    """The ids of all tenants in the database of a running product."""
    here = services(state_of({"HOOPWEB_STATE": str(state)}), valkey_port=0)
    with here.postgres.connect(SUPERUSER, here.passwords.superuser, DATABASE) as connection:
        return frozenset(str(row[0]) for row in connection.execute("SELECT id FROM tenants_tenant").fetchall())


def _settings(state: Path) -> dict[str, str]:
    """This machine's environment without anything that means hoopweb or AWS, and what the tests' product needs."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HOOPWEB_", "AWS_"))},
        **FREE_PORTS,
        "HOOPWEB_STATE": str(state),
        "HOOPWEB_EDGES": "2",
        "HOOPWEB_WEB_EDGE_PROCESSES": "2",
        "HOOPWEB_HOLD_SECONDS": str(HOLD_SECONDS),
        "HOOPWEB_INTERIM_SECONDS": "1",
        "HOOPWEB_EDGE_CONTROL_SECONDS": str(CONTROL_SECONDS),
    }


def _lived_and_killed(state: Path) -> FirstLife:
    """Start the launcher people use, in a process of its own, and kill it with SIGKILL once all is up."""
    launcher = subprocess.Popen(
        [sys.executable, "-m", "hoopweb.stack", "up", "--with-parent"],
        cwd=CHECKOUT,
        env=_settings(state),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # A launcher that never says so is ended, which ends its output.
    patience = threading.Timer(UP_SECONDS, launcher.kill)
    patience.start()
    said: list[str] = []
    try:
        assert launcher.stdout is not None
        for line in launcher.stdout:
            said.append(line)
            if "hoopweb is up" in line:
                break
        assert "hoopweb is up" in said[-1], "".join(said)
        everyone, tenants = family(launcher.pid), tenants_in(state)
    finally:
        patience.cancel()
        launcher.send_signal(signal.SIGKILL)
        launcher.wait()
        if launcher.stdout is not None:
            launcher.stdout.close()
    return FirstLife(processes=len(everyone), is_all_dead=all_dead(everyone, within_seconds=15), tenants=tenants)


def needs_whole_product(nodeid: str) -> bool:
    return nodeid.startswith(WHOLE_PRODUCT)


class OneProductAtATime(LoadScopeScheduling):
    """How tests are shared out with `-n`: a file stays together, and all files with a whole product on one worker."""

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
def product_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("product") / "var"


@pytest.fixture(scope="session")
def first_life(request: pytest.FixtureRequest, product_state: Path) -> FirstLife | None:
    """The life before the product's, where a test of this run asks about it."""
    is_asked = any(item.nodeid.startswith(KILLED_WHOLE) for item in request.session.items)
    return _lived_and_killed(product_state) if is_asked else None


@pytest.fixture(scope="session")
def product(product_state: Path, first_life: FirstLife | None) -> Iterator[Product]:
    """The running product, shared by all tests of a run: leave it as it was found."""
    from tests.journeys.product import Product

    said: list[str] = []
    with running(_settings(product_state), say=said.append) as stack:
        assert stack.wait_until_up(), "\n".join(said)
        yield Product(stack, said)
        started = set(guardian.descendants(os.getpid())) & _marked(product_state)
    remove(stack.plan.services)
    assert not [pid for pid in started if Path(f"/proc/{pid}/exe").exists()], "a process was left behind"


def _marked(state: Path) -> set[int]:
    """Processes that carry this product's state folder in their environment: other tests start processes too."""
    marker = f"HOOPWEB_STATE={state}".encode()
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and marker in (entry / "environ").read_bytes().split(b"\0"):
                found.add(int(entry.name))
    return found
