"""Bounds that protect everybody else: buffers, waiting, and a journal that takes no more."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from gateway.edge import problems
from gateway.edge.budget import Budget
from gateway.edge.refusals import MOST_COUNTED, OVERFLOW_SOURCE, Refusals
from gateway.edge.streams import HIGH_WATER_BYTES, ByteStream, Gate
from gateway.terms import OutcomeKind
from gateway.wire.contract import Refusal
from tests.edge.peers import write_request
from tests.edge.world import CALLER, Worlds


async def test_bodies_together_are_bounded_and_the_next_one_waits_its_turn() -> None:
    budget = Budget(100)
    await budget.take(80)
    waiting = asyncio.ensure_future(budget.take(50))
    await asyncio.sleep(0)
    small = asyncio.ensure_future(budget.take(10))
    await asyncio.sleep(0)
    # First come, first served: a small body must not starve a large one for ever.
    assert not small.done()
    budget.give_back(80)
    await asyncio.gather(waiting, small)
    assert budget.used == 60


async def test_who_waits_too_long_is_told_to_slow_down_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.edge.budget.WAIT_SECONDS", 0.02)
    budget = Budget(100)
    await budget.take(100)
    with pytest.raises(problems.BuffersFull):
        await budget.take(1)
    budget.give_back(100)
    await budget.take(100)
    assert budget.used == 100


async def test_when_a_waiting_large_body_gives_up_the_small_one_behind_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.edge.budget.WAIT_SECONDS", 0.05)
    budget = Budget(100)
    await budget.take(60)
    large = asyncio.ensure_future(budget.take(90))
    await asyncio.sleep(0.02)
    small = asyncio.ensure_future(budget.take(40))
    with pytest.raises(problems.BuffersFull):
        await large
    await small
    assert budget.used == 100


async def test_a_lease_gives_back_all_it_took_whatever_happens() -> None:
    budget = Budget(100)

    async def fail_amid() -> None:
        async with budget.lease() as lease:
            await lease.grow(30)
            await lease.grow(40)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_amid()
    assert budget.used == 0


async def test_an_edge_with_full_buffers_answers_slow_down(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.edge.budget.WAIT_SECONDS", 0.1)
    async with world(buffer_bytes=1000) as w:
        first = await w.client()
        await first.send(write_request("POST", "/", {**CALLER, "Content-Length": "900"}) + b"x")
        await asyncio.sleep(0.05)
        answer = await (await w.client()).ask(write_request("POST", "/", CALLER, b"y" * 200))
        assert (answer.status, json.loads(answer.body)["__type"]) == (503, "SlowDown")
        await first.send(b"x" * 899)
        assert (await first.answer()).status == 200
        assert (await (await w.client()).ask(write_request("POST", "/", CALLER, b"y" * 200))).status == 200


async def test_a_head_that_trickles_in_is_given_up(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.edge.server.HEAD_SECONDS", 0.2)
    async with world() as w:
        client = await w.client()
        await client.send(b"GET / HTTP/1.1\r\nHost: gw\r\nX-Slow: ")
        for _ in range(6):
            await client.send(b"a")
            await asyncio.sleep(0.05)
        assert (await client.answer()).status == 408
        await w.until(lambda: w.control.refused == {"edge.head_too_slow": 1}, "the count")


async def test_an_idle_connection_is_closed_without_a_word(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.edge.server.IDLE_SECONDS", 0.1)
    async with world() as w:
        client = await w.client()
        assert await client.is_closed()
        assert w.control.refused == {}


async def test_parameters_that_stop_arriving_are_given_up(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.edge.walk.BODY_SECONDS", 0.1)
    async with world() as w:
        client = await w.client()
        await client.send(write_request("POST", "/", {**CALLER, "Content-Length": "900"}) + b"x")
        assert (await client.answer()).status == 408
        assert w.control.admissions == []


async def test_a_full_journal_stops_admissions_and_says_so(world: Worlds) -> None:
    async with world(journal_max_bytes=1500) as w:
        w.control.store_outcomes = False
        client = await w.client()
        call = write_request("POST", "/", CALLER, b"{}")
        for _ in range(20):
            answer = await client.ask(call)
            if answer.status != 200:
                break
        assert (answer.status, json.loads(answer.body)["__type"]) == (503, "ServiceUnavailable")
        assert "journal" in json.loads(answer.body)["message"]
        assert not w.edge._control.is_ready
        sent = len(w.aws.log)
        assert (await client.ask(call)).status == 503
        assert len(w.aws.log) == sent


async def test_a_disk_error_before_the_first_byte_keeps_the_call_from_leaving(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world() as w:
        real = os.write

        def write(descriptor: int, data: bytes) -> int:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "write", write)
        client = await w.client()
        assert (await client.ask(write_request("POST", "/", CALLER, b"{}"))).status == 503
        outcome = await w.outcome()
        assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, "edge.journal_unavailable")
        assert w.aws.log == []
        monkeypatch.setattr(os, "write", real)
        await w.until(lambda: w.edge._control.is_ready, "the journal to be mended")
        assert (await client.ask(write_request("POST", "/", CALLER, b"{}"))).status == 200


async def test_a_stream_asks_for_a_pause_when_nobody_reads_and_goes_on_when_somebody_does() -> None:
    said: list[str] = []
    stream = ByteStream(pause=lambda: said.append("pause"), resume=lambda: said.append("resume"))
    for _ in range(3):
        stream.feed(b"x" * (HIGH_WATER_BYTES // 2))
    assert said == ["pause"]
    assert len(await stream.read() + await stream.read()) == HIGH_WATER_BYTES
    assert said == ["pause", "resume"]
    stream.finish()
    assert len(await stream.read()) == HIGH_WATER_BYTES // 2
    assert await stream.read() == b""


async def test_a_failed_stream_gives_none_of_its_bytes() -> None:
    stream = ByteStream(pause=lambda: None, resume=lambda: None)
    stream.feed(b"part")
    stream.fail(problems.TruncatedRequest())
    with pytest.raises(problems.TruncatedRequest):
        await stream.read()


async def test_a_broken_gate_lets_nobody_wait() -> None:
    gate = Gate()
    gate.shut()
    waiting = asyncio.ensure_future(gate.passed(seconds=5))
    await asyncio.sleep(0)
    gate.break_with(problems.ClientGone())
    with pytest.raises(problems.ClientGone):
        await waiting
    with pytest.raises(problems.ClientGone):
        await gate.passed(seconds=5)


def test_a_flood_of_sources_is_counted_under_one() -> None:
    refusals = Refusals()
    for number in range(MOST_COUNTED + 50):
        refusals.count(source=f"10.0.{number // 256}.{number % 256}", code="edge.malformed_request")
    report = refusals.report()
    assert len(report) <= MOST_COUNTED + 1
    assert Refusal(source=OVERFLOW_SOURCE, code="edge.malformed_request", count=50) in report


def test_what_is_counted_during_a_report_is_in_the_next() -> None:
    refusals = Refusals()
    refusals.count(source="a", code="c")
    report = refusals.report()
    refusals.count(source="a", code="c")
    refusals.confirm(report)
    assert refusals.report() == (Refusal(source="a", code="c", count=1),)
