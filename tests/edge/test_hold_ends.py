"""Each wait ends exactly once, in whatever order time, people and the client's leaving arrive."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge import holds as holding
from gateway.edge.holds import Holds
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, HoldEnd, MaskPlan, Upstream, Verdict, VerdictKind
from tests.edge.world import RESULT

ID = uuid4()
UPSTREAM = Upstream(method="GET", target="/", host="h", headers=(), dial_host="127.0.0.1", dial_port=1, is_tls=False)
PERMISSION = Verdict(
    id=ID,
    kind=VerdictKind.FORWARD,
    upstream=UPSTREAM,
    mask=MaskPlan(protocol=Protocol.JSON, body=BodyForm.BLOB),
)


class Feed:
    """A control plane seen through the feed: confirms what it was told, resolves when asked to."""

    def __init__(self) -> None:
        self.late: list[UUID] = []
        self.hurried = 0
        self.holds = Holds(hurry=self._hurry, on_late_permission=self.late.append)

    def _hurry(self) -> None:
        self.hurried += 1

    def turn(self, *resolutions: Verdict) -> None:
        self.holds.heard(resolutions=resolutions, confirmed=self.holds.ended())


async def _played(order: list[str]) -> tuple[int, Feed]:
    """Play events in an order; return how often the call would have been forwarded."""
    feed, forwarded = Feed(), 0
    waiting = feed.holds.open(ID)
    over: asyncio.Future[Verdict | None] | None = None
    has_left = False
    for event in order:
        match event:
            case "permission":
                feed.turn(PERMISSION)
            case "quiet turn":
                feed.turn()
            case "time" if over is None and not has_left and not waiting.done():
                over = asyncio.ensure_future(feed.holds.time_is_over(ID, seconds=5))
                await asyncio.sleep(0)
            case "left" if over is None and not has_left and not waiting.done():
                has_left = True
                feed.holds.client_left(ID)
    feed.turn()
    if over is not None:
        forwarded += (await over) is not None
    elif waiting.done():
        forwarded += 1
    feed.turn(PERMISSION)
    return forwarded, feed


@settings(max_examples=150, deadline=None)
@given(order=st.lists(st.sampled_from(["permission", "quiet turn", "time", "left"]), max_size=7))
def test_a_permission_is_used_once_or_reported_once_and_never_both(order: list[str]) -> None:
    forwarded, feed = uvloop.run(_played(order))
    ended = any(event in order for event in ("time", "left"))
    assert forwarded + len(feed.late) <= 1
    if forwarded == 0 and ended:
        assert feed.late == [ID]
    assert feed.holds.ended() == ()


async def test_an_end_is_told_until_it_is_confirmed() -> None:
    feed = Feed()
    feed.holds.open(ID)
    feed.holds.client_left(ID)
    expected = (HoldEnd(id=ID, client_is_gone=True),)
    assert feed.holds.held() == ()
    assert feed.holds.ended() == feed.holds.ended() == expected
    assert feed.hurried == 1
    feed.turn()
    assert feed.holds.ended() == ()


async def test_an_unconfirmed_end_of_time_does_not_keep_the_client_for_ever() -> None:
    feed = Feed()
    feed.holds.open(ID)
    assert await feed.holds.time_is_over(ID, seconds=0.05) is None
    assert feed.holds.ended() == (HoldEnd(id=ID, client_is_gone=False),)


@pytest.mark.parametrize("kind", [VerdictKind.REFUSE, VerdictKind.RESULT])
async def test_a_late_word_that_permits_nothing_needs_no_outcome(kind: VerdictKind) -> None:
    feed = Feed()
    feed.holds.open(ID)
    feed.holds.client_left(ID)
    feed.turn(Verdict(id=ID, kind=kind, answer=RESULT))
    assert feed.late == []


async def test_only_so_many_ended_holds_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "MOST_REMEMBERED", 10)
    feed = Feed()
    for _ in range(50):
        id_ = uuid4()
        feed.holds.open(id_)
        feed.holds.client_left(id_)
        feed.turn()
    assert len(feed.holds._final) == 10
