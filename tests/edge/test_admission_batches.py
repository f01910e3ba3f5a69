"""Which waiting admissions a post takes, and how many must wait before one leaves beside others."""

from __future__ import annotations

import asyncio
from collections import deque
from uuid import uuid4

import pytest

from gateway.edge.batches import Asked, may_leave, next_batch
from gateway.wire.contract import LARGEST_BATCH_ITEMS, LARGEST_SHARED_BODY, Admission, BodyMode


def asked(body: bytes = b"") -> Asked:
    admission = Admission(
        id=uuid4(),
        received_at=0.0,
        listener="aws",
        source="127.0.0.1",
        method="POST",
        target="/",
        headers=(),
        body_mode=BodyMode.PARAMETERS,
        body=body,
        can_hold=True,
    )
    return Asked(admission, asyncio.get_running_loop().create_future())


@pytest.mark.parametrize(
    ("in_flight", "waiting", "leaves"),
    [
        (0, 0, False),
        (0, 1, True),
        (1, 7, False),
        (1, 8, True),
        (2, 15, False),
        (2, 16, True),
        (3, 16, True),
        (4, 1000, False),
    ],
)
def test_the_first_leaves_at_once_and_another_beside_it_with_a_crowd(
    in_flight: int, waiting: int, leaves: bool
) -> None:
    assert may_leave(waiting=waiting, in_flight=in_flight) is leaves


async def test_a_batch_takes_those_that_wait_in_their_order() -> None:
    first, second = asked(), asked()
    waiting = deque((first, second))

    assert next_batch(waiting) == [first, second]
    assert not waiting


async def test_a_batch_has_no_more_than_the_contract_lets_it() -> None:
    waiting = deque(asked() for _ in range(LARGEST_BATCH_ITEMS + 3))

    assert len(next_batch(waiting)) == LARGEST_BATCH_ITEMS
    assert len(waiting) == 3


async def test_a_large_body_goes_alone_wherever_it_stands() -> None:
    small, large, last = asked(), asked(b"x" * (LARGEST_SHARED_BODY + 1)), asked()
    waiting = deque((small, large, last))

    assert [next_batch(waiting), next_batch(waiting), next_batch(waiting)] == [[small], [large], [last]]


async def test_whoever_gave_up_is_left_out() -> None:
    gone, there = asked(), asked()
    gone.answer.cancel()

    assert next_batch(deque((gone, there))) == [there]
