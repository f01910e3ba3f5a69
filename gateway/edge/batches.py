"""Admissions that wait for a post, and which of them the next one takes.

When a post leaves, and what its answer means, is `control`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from gateway.wire.contract import LARGEST_BATCH_BYTES, LARGEST_BATCH_ITEMS, LARGEST_SHARED_BODY, Admission, Verdict

# How many must wait for a post to leave beside so many others: what a post costs by itself is shared by all in it, and
# at 32 connections that is a sixth of a call's CPU (measured).
LEAST_ITEMS = (1, 8, 16, 16)
# Nobody waits longer than this behind one slow post: a second one leaves with whoever is there.
PATIENCE_SECONDS = 0.01
PATIENT_IN_FLIGHT = 2


@dataclass(slots=True)
class Asked:
    admission: Admission
    answer: asyncio.Future[Verdict]


def may_leave(*, waiting: int, in_flight: int) -> bool:
    """Whether so many waiting admissions are enough for a post beside those in flight."""
    return in_flight < len(LEAST_ITEMS) and waiting >= LEAST_ITEMS[in_flight]


def next_batch(waiting: deque[Asked]) -> list[Asked]:
    """Take the next batch off those that wait: within the contract's bounds, a large body alone, nobody who gave up."""
    batch: list[Asked] = []
    size = 0
    while waiting and len(batch) < LARGEST_BATCH_ITEMS:
        body = len(waiting[0].admission.body)
        if batch and (body > LARGEST_SHARED_BODY or size + body > LARGEST_BATCH_BYTES):
            break
        asked = waiting.popleft()
        if asked.answer.done():
            continue
        batch.append(asked)
        size += body
        if body > LARGEST_SHARED_BODY:
            break
    return batch
