"""Calls that wait for people, and the rule that each wait ends exactly once.

The control plane decides how a hold ended. When its time is over the edge *says* so (HoldEnd in the next feed) and
answers `pending` only after that feed was answered without a resolution; a resolution in that same answer wins. If
no answer comes in time, `pending` is sent all the same, and a resolution heard later is not acted upon: a late
permission to forward is reported as not sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from uuid import UUID

from gateway.wire.contract import HoldEnd, Verdict, VerdictKind

# How many ended holds are remembered, so that a late permission is answered with `not sent`.
MOST_REMEMBERED = 4096


class Holds:
    """Every call held by this edge. `hurry` is called when the next feed should not wait."""

    def __init__(self, *, hurry: Callable[[], None], on_late_permission: Callable[[UUID], None]) -> None:
        self._hurry = hurry
        self._on_late_permission = on_late_permission
        self._open: dict[UUID, asyncio.Future[Verdict]] = {}
        self._ending: dict[UUID, asyncio.Future[Verdict | None]] = {}
        self._unconfirmed: dict[UUID, HoldEnd] = {}
        self._final: dict[UUID, None] = {}
        self._late: set[UUID] = set()

    # -- what the walk uses

    def open(self, id_: UUID) -> asyncio.Future[Verdict]:
        """Start waiting; the future brings the resolution."""
        self._open[id_] = asyncio.get_running_loop().create_future()
        return self._open[id_]

    async def time_is_over(self, id_: UUID, *, seconds: float) -> Verdict | None:
        """Tell the control plane that the wait ends; return the resolution if one came first."""
        waiter: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._ending[id_] = waiter
        self._end(id_, client_is_gone=False)
        resolution: Verdict | None = None
        try:
            async with asyncio.timeout(seconds):
                resolution = await waiter
        except TimeoutError:
            resolution = None
        finally:
            del self._ending[id_]
            # A resolution that won is being followed: hearing it again must change nothing.
            if resolution is None and id_ not in self._late:
                self._remember(id_)
            self._late.discard(id_)
        return resolution

    def client_left(self, id_: UUID) -> None:
        """Nobody waits any more: final at once."""
        self._remember(id_)
        self._end(id_, client_is_gone=True)

    # -- what the feed uses

    @property
    def count(self) -> int:
        return len(self._open)

    def held(self) -> tuple[UUID, ...]:
        return tuple(self._open)

    def ended(self) -> tuple[HoldEnd, ...]:
        """Return the ends no feed answer has confirmed yet."""
        return tuple(self._unconfirmed.values())

    def heard(self, *, resolutions: Iterable[Verdict], confirmed: Iterable[HoldEnd]) -> None:
        """Take one feed's answer: resolutions first, for they win over the ends the same answer confirms."""
        for verdict in resolutions:
            self._resolve(verdict)
        for end in confirmed:
            self._unconfirmed.pop(end.id, None)
            waiter = self._ending.get(end.id)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    # -- own

    def _resolve(self, verdict: Verdict) -> None:
        waiter = self._open.pop(verdict.id, None) or self._ending.get(verdict.id)
        if waiter is not None and not waiter.done():
            waiter.set_result(verdict)
        elif waiter is not None and verdict.id not in self._late and (waiter.cancelled() or waiter.result() is None):
            # Too late by less than a turn of the loop: the walk has not even woken up to send `pending`.
            self._late.add(verdict.id)
            self._report_late(verdict)
        elif verdict.id in self._final:
            del self._final[verdict.id]
            self._report_late(verdict)

    def _report_late(self, verdict: Verdict) -> None:
        if verdict.kind is VerdictKind.FORWARD:
            self._on_late_permission(verdict.id)

    def _end(self, id_: UUID, *, client_is_gone: bool) -> None:
        self._open.pop(id_, None)
        self._unconfirmed[id_] = HoldEnd(id=id_, client_is_gone=client_is_gone)
        self._hurry()

    def _remember(self, id_: UUID) -> None:
        self._final[id_] = None
        while len(self._final) > MOST_REMEMBERED:
            del self._final[next(iter(self._final))]
