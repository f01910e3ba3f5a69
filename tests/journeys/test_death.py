"""Processes are killed amid calls: no call without its record and none run twice, held against AWS's own access log.

Where each row of "when something fails" is made to happen:

| what fails | where |
|---|---|
| control plane or database unreachable | here (`hangs`), `tests/edge/test_control_plane.py` |
| event cannot be written | `test_outages.py` (the ledger refuses), `tests/audit/test_ledger.py` |
| outcome cannot be reported; journal full or disk error | `tests/edge/test_control_plane.py`, `tests/edge/test_limits.py`, `tests/edge/test_journal.py` |
| edge dies after forwarding | here, `tests/edge/test_death.py` |
| masking error, limit met, body not decodable | `test_services.py`, `tests/edge/test_masked_answers.py`, `tests/masking/test_withheld.py` |
| operation not understood | `test_hostile_input.py`, `tests/engine/test_unmodelled.py` |
| Redis lost | `test_outages.py` |
| worker dies | here |
| identity provider down | local accounts only, so far: `tests/identity/test_sign_in.py` |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys import evidence
from tests.journeys.approving import ASKED_UPDATE, Approver, counted
from tests.journeys.callers import TABLE, Storm
from tests.journeys.product import Product, Tenant

# What a caller may be told while a part is away: its connection broke, nobody was there, or nobody can say.
BEARABLE = {
    "ConnectionClosedError",
    "EndpointConnectionError",
    "OutcomeUnknown",
    "ProxyConnectionError",
    "SSLError",
    "ServiceUnavailable",
    "ReadTimeoutError",
}

SHORT, LONG = (34, 33, 33), (334, 333, 333)
counts = pytest.mark.parametrize(
    "share", [pytest.param(SHORT, id="100"), pytest.param(LONG, id="1000", marks=pytest.mark.long)]
)


def rounds(count: int) -> int:
    """The long run kills twice as often; more would only wait for the supervisor's growing pauses."""
    return 1 if count < 100 else 2


def putting(demo: Tenant, name: str) -> Callable[[int], Any]:
    """Calls that change something, by turns through both edges."""
    edges = [demo.aws("dynamodb", edge=edge, max_pool_connections=16, read_timeout=20) for edge in (0, 1)]

    def put(number: int) -> Any:
        item = {"id": {"S": f"{name}-{number}"}, "n": {"N": str(number)}}
        return edges[number % 2].put_item(TableName=TABLE, Item=item)

    return put


def storm_while_killing(product: Product, demo: Tenant, victims: list[str], count: int) -> None:
    with Storm(putting(demo, victims[0]), count) as storm:
        for turn, victim in enumerate(victims, start=1):
            storm.wait_for(count * turn // (len(victims) + 1))
            product.kill(victim)
    product.wait_back(*set(victims))
    assert storm.gave_up == []
    assert storm.done == count, "the service did not recover"
    assert set(storm.errors) <= BEARABLE, storm.errors
    evidence.check_everything(product)
    pages = product.truth("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    stored = [item["id"]["S"] for page in pages for item in page["Items"]]
    assert sum(name.startswith(f"{victims[0]}-") for name in stored) == count


@counts
def test_killed_edges_leave_no_call_unrecorded_and_none_without_an_end(
    product: Product, demo: Tenant, share: tuple[int, int, int]
) -> None:
    storm_while_killing(product, demo, ["edge-1", "edge-2"] * rounds(share[0]), share[0])


@counts
def test_a_killed_control_plane_leaves_no_call_unrecorded_and_none_without_an_end(
    product: Product, demo: Tenant, share: tuple[int, int, int]
) -> None:
    storm_while_killing(product, demo, ["web-edge", "web-edge"] * rounds(share[1]), share[1])


@counts
def test_a_killed_worker_runs_no_approved_call_twice(
    product: Product, demo: Tenant, share: tuple[int, int, int]
) -> None:
    count = share[2]
    with demo.policy(ASKED_UPDATE):
        with Approver(product, demo, count) as approver:
            kills = 2 * rounds(count)
            for turn in range(1, kills + 1):
                approver.wait_for(count * turn // (kills + 2))
                product.kill("worker-approved")
        product.wait_back("worker-approved")
        seen = evidence.check_everything(product)
        with Approver(product, demo, 1) as again:
            again.wait_for(1)
    assert again.done == 1, again.errors
    assert set(approver.errors) <= {"ApprovalPending", "AccessDenied", "AccessDeniedException", "ApprovedCallFailed"}
    # The stand-in's own counters: each approved update added one, so what AWS did is what was sent, once each.
    runs = {run[0] for run in product.query("SELECT request_id FROM requests_approvedrun")}
    updates = product.query("SELECT id FROM requests_proxiedrequest WHERE operation = 'UpdateItem'")
    assert counted(product) - again.done == len({one.request_id for one in seen} & runs & {row[0] for row in updates})
    assert approver.times()
    assert set(approver.times().values()) == {1}
