"""One running product for all journeys: started once, two tenants, two edges, two web-edge processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hoopweb.stack import guardian
from hoopweb.stack.plan import FREE_PORTS
from hoopweb.stack.running import running
from hoopweb.stack.services import remove
from tests.journeys.callers import TABLE
from tests.journeys.product import Product, Tenant

# Short, so that the test of a hold that runs out does not take ninety seconds; long enough for a person who is a test.
HOLD_SECONDS = 12
# How long an edge waits for a verdict: short, because tests wait for it while the control plane is away.
CONTROL_SECONDS = 8


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    settings = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HOOPWEB_", "AWS_"))},
        **FREE_PORTS,
        "HOOPWEB_STATE": tempfile.mkdtemp(prefix="hoopweb-journey-"),
        "HOOPWEB_EDGES": "2",
        "HOOPWEB_WEB_EDGE_PROCESSES": "2",
        "HOOPWEB_HOLD_SECONDS": str(HOLD_SECONDS),
        "HOOPWEB_INTERIM_SECONDS": "1",
        "HOOPWEB_EDGE_CONTROL_SECONDS": str(CONTROL_SECONDS),
    }
    said: list[str] = []
    with running(settings, say=said.append) as stack:
        assert stack.wait_until_up(), "\n".join(said)
        made = Product(stack)
        made.truth("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield made
        started = set(guardian.descendants(os.getpid())) & _marked(stack.plan.state.root)
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


@pytest.fixture(scope="session")
def demo(product: Product) -> Tenant:
    return product.demo


@pytest.fixture(scope="session")
def globex(product: Product) -> Tenant:
    return product.globex
