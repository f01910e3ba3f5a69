"""Calls that wait for people: kept alive, resolved by the feed, ended exactly once."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.terms import OutcomeKind
from gateway.wire.contract import HoldEnd, Verdict, VerdictKind
from tests.edge.peers import write_request
from tests.edge.world import CALLER, DENIED, PENDING, RESULT, Worlds

CALL = write_request("POST", "/", CALLER, b"{}")
GO_CALL = write_request("POST", "/", {**CALLER, "User-Agent": "aws-sdk-go-v2/1.48.0"}, b"{}")


def _held(w: Any) -> UUID:
    return w.control.admissions[-1].id  # type: ignore[no-any-return]  # World is Any here


async def test_a_held_call_hears_100_continue_until_it_is_resolved(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=5, interim=0.05)
        client = await w.client()
        await client.send(CALL)
        await w.until(lambda: any(feed.held for feed in w.control.feeds), "the hold in the feed")
        await asyncio.sleep(0.3)
        w.control.resolutions.append(Verdict(id=_held(w), kind=VerdictKind.RESULT, answer=RESULT))
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, RESULT.body)
        assert answer.interims >= 3
        assert w.aws.log == []


async def test_the_feed_is_asked_more_often_while_somebody_waits(world: Worlds) -> None:
    async with world() as w:
        w.control.feed_seconds = 0.4
        w.control.decide = lambda a: w.hold(a, seconds=30)
        await w.stop_edge()
        await w.start_edge()
        await w.until(lambda: len(w.control.boots) == 2, "the second boot")
        quiet = await feeds_within(w, 1.2)
        client = await w.client()
        await client.send(write_request("POST", "/", CALLER, b"{}"))
        await w.until(lambda: bool(w.control.admissions), "the held call")
        waiting = await feeds_within(w, 1.2)
        assert waiting > quiet


async def feeds_within(world: Any, seconds: float) -> int:
    before = len(world.control.feeds)
    await asyncio.sleep(seconds)
    return len(world.control.feeds) - before


async def test_a_client_not_known_to_bear_interim_answers_waits_in_silence(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=5, interim=0.05)
        client = await w.client()
        await client.send(GO_CALL)
        await w.until(lambda: any(feed.held for feed in w.control.feeds), "the hold in the feed")
        await asyncio.sleep(0.2)
        w.control.resolutions.append(Verdict(id=_held(w), kind=VerdictKind.RESULT, answer=RESULT))
        answer = await client.answer()
        assert (answer.status, answer.interims) == (200, 0)


async def test_a_call_permitted_while_it_waits_is_forwarded(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=5)
        client = await w.client()
        await client.send(CALL)
        await w.until(lambda: bool(w.control.admissions), "the admission")
        w.control.resolutions.append(w.forward(w.control.admissions[0]))
        assert (await client.answer()).body == b"{}"
        assert (await w.outcome()).kind is OutcomeKind.COMPLETED
        # The feed may bring the same permission again: it was for one call.
        seen = len(w.control.feeds)
        await w.until(lambda: len(w.control.feeds) > seen + 2, "more feeds")
        assert len(w.aws.log) == 1


async def test_a_call_refused_while_it_waits_gets_that_refusal(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=5)
        client = await w.client()
        await client.send(CALL)
        await w.until(lambda: bool(w.control.admissions), "the admission")
        w.control.resolutions.append(Verdict(id=_held(w), kind=VerdictKind.REFUSE, answer=DENIED))
        answer = await client.answer()
        assert (answer.status, answer.body) == (403, DENIED.body)


async def test_a_hold_that_runs_out_says_how_to_come_back(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=0.3)
        client = await w.client()
        answer = await client.ask(CALL)
        assert (answer.status, answer.body) == (403, PENDING.body)
        ended = [end for feed in w.control.feeds for end in feed.ended]
        assert ended[:1] == [HoldEnd(id=_held(w), client_is_gone=False)]
        assert (await client.ask(write_request("GET", "/", CALLER))).status == 403


async def test_a_resolution_in_the_answer_to_the_end_wins_over_the_end(world: Worlds) -> None:
    async with world() as w:
        w.control.feed_seconds = 30.0

        def decide(admission: Any) -> Verdict:
            # Known to the control plane before the edge's next feed, which is the one that says the hold ended.
            w.control.resolutions.append(Verdict(id=admission.id, kind=VerdictKind.RESULT, answer=RESULT))
            return w.hold(admission, seconds=0.2)

        await w.stop_edge()
        await w.start_edge()
        await w.until(lambda: len(w.control.boots) == 2, "the second boot")
        await asyncio.sleep(0.2)
        w.control.decide = decide
        client = await w.client()
        answer = await client.ask(CALL)
        assert (answer.status, answer.body) == (200, RESULT.body)


async def test_a_permission_heard_after_pending_was_sent_is_reported_as_not_sent(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=0.2)
        client = await w.client()
        assert (await client.ask(CALL)).body == PENDING.body
        late = w.forward(w.control.admissions[0])
        w.edge._control.holds.heard(resolutions=[late], confirmed=[])
        outcome = await w.outcome()
        assert (outcome.id, outcome.kind, outcome.error) == (late.id, OutcomeKind.NOT_SENT, "hold.ended")
        assert w.aws.log == []


@pytest.mark.parametrize("call", [CALL, GO_CALL])
async def test_a_client_that_leaves_while_held_ends_the_hold_at_once(world: Worlds, call: bytes) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=30, interim=0.1)
        client = await w.client()
        await client.send(call)
        await w.until(lambda: any(feed.held for feed in w.control.feeds), "the hold")
        left_at = time.monotonic()
        client.leave()
        gone = HoldEnd(id=_held(w), client_is_gone=True)
        await w.until(lambda: any(gone in feed.ended for feed in w.control.feeds), "the end")
        assert time.monotonic() - left_at < 1
        await w.until(lambda: w.control.feeds[-1].held == () and w.control.feeds[-1].ended == (), "an empty feed")


async def test_a_permission_for_a_client_that_left_is_not_used(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=30)
        client = await w.client()
        await client.send(CALL)
        await w.until(lambda: any(feed.held for feed in w.control.feeds), "the hold")
        client.leave()
        w.control.resolutions.append(w.forward(w.control.admissions[0]))
        await asyncio.sleep(0.4)
        assert w.aws.log == []
        # Either the hold ended as gone, or the permission was reported as not sent; the control plane heard one.
        ended = [end for feed in w.control.feeds for end in feed.ended]
        assert ended or (await w.outcome()).kind is OutcomeKind.NOT_SENT


async def test_a_lost_control_plane_does_not_keep_a_client_past_its_hold(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=0.3)
        client = await w.client()
        await client.send(CALL)
        await w.until(lambda: bool(w.control.admissions), "the admission")
        await w.control.server.stop()
        answer = await client.answer(seconds=8)
        assert answer.body == PENDING.body
        await w.control.server.start()
        gone = HoldEnd(id=_held(w), client_is_gone=False)
        await w.until(lambda: any(gone in feed.ended for feed in w.control.feeds), "the end, once heard again")


def _boto3_calls(w: Any, *, read_timeout: float) -> Any:
    client = boto3.client(
        "dynamodb",
        endpoint_url=f"https://localhost:{w.edge.ports['tls']}",
        verify=str(w.certificates.cert),
        region_name="eu-west-1",
        aws_access_key_id="GWIAX",
        aws_secret_access_key="secret",
        config=Config(read_timeout=read_timeout, retries={"mode": "standard", "total_max_attempts": 3}),
    )
    return client.get_item(TableName="t", Key={"id": {"S": "1"}})


async def test_boto3_waits_through_a_hold_longer_than_its_read_timeout(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=10, interim=0.3)
        asking = asyncio.ensure_future(asyncio.to_thread(_boto3_calls, w, read_timeout=1))
        await w.until(lambda: bool(w.control.admissions), "the admission")
        await asyncio.sleep(2.5)
        w.control.resolutions.append(Verdict(id=_held(w), kind=VerdictKind.RESULT, answer=RESULT))
        answer = await asking
        assert answer["ResponseMetadata"]["RetryAttempts"] == 0
        assert len(w.control.admissions) == 1


async def test_boto3_raises_the_pending_answer_as_it_stands_and_does_not_retry(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=0.3)
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(_boto3_calls, w, read_timeout=5)
        assert caught.value.response["Error"] == {"Message": "later", "Code": "ApprovalPending"}
        assert len(w.control.admissions) == 1
