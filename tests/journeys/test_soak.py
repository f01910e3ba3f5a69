"""Half an hour of everyday calls while parts die in turn: memory stays flat, and every call is on record with one end."""

from __future__ import annotations

import io
import os
import threading
import time
from typing import Any

import pytest

from hoopweb.stack import seed
from tests.journeys import evidence
from tests.journeys.callers import TABLE, Storm
from tests.journeys.product import Product, Tenant
from tests.journeys.test_death import BEARABLE

pytestmark = pytest.mark.long

# HOOPWEB_SOAK_MINUTES shortens it for who works on it.
MINUTES = float(os.environ.get("HOOPWEB_SOAK_MINUTES", "30"))
WARM_UP = 0.1
# Six callers with their pauses make no more; what is left at the end is skipped.
MOST_CALLS = int(MINUTES * 60 * 45)
# A fault a minute: the supervisor's pauses between restarts shrink back before the same part dies again.
FAULT_SECONDS = 60.0
MOST_GROWTH = 16 * 1024 * 1024
LARGEST_EDGE = 150 * 1024 * 1024
PAUSE_SECONDS = 0.15
TEXT = b"a line of text that hides nothing\n" * 3000
# The second edge is never killed: its memory is what is looked at.
VICTIMS = ("edge-1", "web-edge", "worker-approved", "valkey")


class Everyday:
    """Calls of an ordinary agent, by turns through both edges; few names, so that the stand-in does not grow.

    Each minute is a conversation of its own: no policy lets one session read secrets by the hundred.
    """

    def __init__(self, demo: Tenant, *, ends_at: float) -> None:
        self._demo = demo
        self._ends_at = ends_at
        self._making = threading.Lock()
        self._minute, self._made = -1, dict[str, list[Any]]()

    def __call__(self, number: int) -> Any:
        now = time.monotonic()
        if now > self._ends_at:
            return None
        time.sleep(PAUSE_SECONDS)
        edge, key = number % 2, f"soak-{number % 40}"
        aws = {name: clients[edge] for name, clients in self._clients(int(now // 60)).items()}
        match number % 60:
            case 4:
                return aws["secretsmanager"].get_secret_value(SecretId=seed.SECRET)
            case 5:
                return aws["lambda"].invoke(FunctionName=seed.FUNCTION, Payload=b"{}")["Payload"].read()
        match number % 4:
            case 0:
                return aws["dynamodb"].put_item(TableName=TABLE, Item={"id": {"S": key}})
            case 1:
                return aws["dynamodb"].get_item(TableName=TABLE, Key={"id": {"S": key}})
            case 2:
                return aws["s3"].put_object(Bucket=seed.SCRATCH, Key=key, Body=io.BytesIO(TEXT))
            case _:
                return aws["s3"].get_object(Bucket=seed.REPORTS, Key="notes.txt")["Body"].read()

    def _clients(self, minute: int) -> dict[str, list[Any]]:
        with self._making:
            if minute != self._minute:
                keys = self._demo.keys_for(f"soak-{minute}")
                options: dict[str, Any] = {"keys": keys, "max_pool_connections": 16, "read_timeout": 20}
                names = ("dynamodb", "s3", "secretsmanager", "lambda")
                self._made = {name: [self._demo.aws(name, edge=edge, **options) for edge in (0, 1)] for name in names}
                self._minute = minute
            return self._made


def disturb(product: Product, *, until: float) -> list[str]:
    """Kill one part after another; returns whom."""
    killed: list[str] = []
    while time.monotonic() + FAULT_SECONDS < until:
        time.sleep(FAULT_SECONDS)
        victim = VICTIMS[len(killed) % len(VICTIMS)]
        product.kill(victim)
        product.wait_back(victim)
        killed.append(victim)
    return killed


def test_half_an_hour_of_calls_and_deaths(product: Product, demo: Tenant) -> None:
    begins = time.monotonic()
    ends_at = begins + MINUTES * 60
    with Storm(Everyday(demo, ends_at=ends_at), MOST_CALLS) as storm:
        time.sleep(MINUTES * 60 * WARM_UP)
        before = product.memory("edge-2")
        killed = disturb(product, until=ends_at)
        storm.wait_for(MOST_CALLS)
    assert not storm.gave_up, storm.gave_up
    assert set(storm.errors) <= BEARABLE | {"SlowDown"}, storm.errors
    assert killed or MINUTES * 60 < 2 * FAULT_SECONDS
    seen = evidence.check_everything(product)
    assert len(seen) > MINUTES * 60
    after = product.memory("edge-2")
    assert after - before < MOST_GROWTH, f"{before} grew to {after}"
    assert after < LARGEST_EDGE
