"""The control plane slow, silent, restarted or saying no: nothing is forwarded that it has not recorded."""

from __future__ import annotations

import asyncio
import json
import time
from uuid import uuid4

import pytest

from gateway.edge.control import GATHER_SECONDS, EdgeEnded
from gateway.terms import OutcomeKind
from gateway.wire.contract import LARGEST_BATCH_ITEMS, LARGEST_SHARED_BODY, Admission, Verdict, VerdictKind
from tests.edge.peers import FakeServer, write_request
from tests.edge.world import CALLER, RESULT, Worlds

CALL = write_request("POST", "/", CALLER, b"{}")


async def test_an_edge_enrols_once_and_signs_every_later_call(world: Worlds) -> None:
    async with world() as w:
        [enrolment] = w.control.enrolments
        assert (enrolment.token, enrolment.name, len(enrolment.public_key)) == ("one-time", "edge-1", 32)
        await w.stop_edge()
        await w.start_edge()
        await w.until(lambda: len(w.control.boots) == 2, "the second boot")
        assert len(w.control.enrolments) == 1
        assert w.control.boots[0].boot != w.control.boots[1].boot


async def test_the_edges_key_is_readable_by_nobody_else(world: Worlds) -> None:
    async with world() as w:
        state = w.folder / "state"
        assert (state / "edge.key").stat().st_mode & 0o777 == 0o600
        assert (state / "journal").stat().st_mode & 0o777 == 0o700
        for path in (state / "journal").iterdir():
            assert path.stat().st_mode & 0o777 == 0o600


async def test_without_a_control_plane_the_call_is_refused_retryably_and_nothing_leaves(world: Worlds) -> None:
    async with world(control_seconds=0.5) as w:
        await w.control.server.stop()
        client = await w.client()
        answer = await client.ask(CALL)
        assert (answer.status, json.loads(answer.body)["__type"]) == (503, "ServiceUnavailable")
        assert w.aws.log == []


async def test_an_unanswered_admission_is_reported_as_not_sent(world: Worlds) -> None:
    async with world(control_seconds=0.5) as w:
        w.control.hang_admissions = True
        client = await w.client()
        assert (await client.ask(CALL)).status == 503
        outcome = await w.outcome()
        assert outcome.id == w.control.admissions[0].id
        assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, "admission.unanswered")


async def test_a_resent_batch_has_the_same_ids(world: Worlds) -> None:
    async with world() as w:
        w.control.fail_first = 2
        client = await w.client()
        assert (await client.ask(CALL)).status == 200
        first, second, third = w.control.batches
        assert first == second == third
        assert len(w.aws.log) == 1


async def test_a_dead_control_address_is_passed_over_for_the_next(world: Worlds) -> None:
    dead = FakeServer(lambda reader, writer: asyncio.sleep(0))
    await dead.start()
    await dead.stop()
    async with world() as w:
        await w.stop_edge()
        w._settings["control_urls"] = (f"http://127.0.0.1:{dead.port}", w.control.url)
        await w.start_edge()
        await w.until(lambda: len(w.control.boots) == 2, "the boot at the second address")
        assert (await (await w.client()).ask(CALL)).status == 200


async def test_calls_that_arrive_while_posts_are_in_flight_share_the_next_batch(world: Worlds) -> None:
    async with world() as w:
        held = asyncio.Event()

        async def decide_later(admission: Admission) -> Verdict:
            await held.wait()
            return w.forward(admission)

        w.control.decide = decide_later
        clients = [await w.client() for _ in range(12)]
        for client in clients[:2]:
            await client.send(CALL)
            await asyncio.sleep(0.02)
        await w.until(lambda: len(w.control.batches) == 2, "two posts in flight")
        for client in clients[2:]:
            await client.send(CALL)
        await asyncio.sleep(0.1)
        assert len(w.control.batches) == 2
        held.set()
        for client in clients:
            assert (await client.answer()).status == 200
        assert [len(batch.items) for batch in w.control.batches] == [1, 1, 10]


async def test_one_call_does_not_wait_for_a_slow_post_before_it(world: Worlds) -> None:
    async with world() as w:
        slow = asyncio.Event()

        async def decide_the_first_later(admission: Admission) -> Verdict:
            if len(w.control.batches) == 1:
                await slow.wait()
            return w.forward(admission)

        w.control.decide = decide_the_first_later
        first, second = await w.client(), await w.client()
        await first.send(CALL)
        await w.until(lambda: len(w.control.batches) == 1, "the first post")
        await second.send(CALL)
        assert (await second.answer()).status == 200
        slow.set()
        assert (await first.answer()).status == 200


async def test_a_crowd_does_not_wait_for_the_posts_before_it(world: Worlds) -> None:
    async with world() as w:
        held = asyncio.Event()

        async def decide_later(admission: Admission) -> Verdict:
            await held.wait()
            return w.forward(admission)

        w.control.decide = decide_later
        clients = [await w.client() for _ in range(60)]
        for client in clients:
            await client.send(CALL)
        # The first at once, others with a crowd each; what comes then waits for one of them.
        await w.until(lambda: sum(len(batch.items) for batch in w.control.batches) >= 34, "a crowd in flight")
        assert len(w.control.batches) <= 4
        held.set()
        for client in clients:
            assert (await client.answer()).status == 200
        assert sum(len(batch.items) for batch in w.control.batches) == 60
        assert all(len(batch.items) <= LARGEST_BATCH_ITEMS for batch in w.control.batches)


async def test_a_large_body_travels_alone(world: Worlds) -> None:
    async with world() as w:
        gate = asyncio.Event()

        async def decide_later(admission: Admission) -> Verdict:
            await gate.wait()
            return w.refuse(admission)

        w.control.decide = decide_later
        first = [await w.client() for _ in range(4)]
        for client in first:
            await client.send(CALL)
            await asyncio.sleep(0.02)
        clients = [await w.client() for _ in range(3)]
        large = write_request("POST", "/", CALLER, b"x" * (LARGEST_SHARED_BODY + 1))
        for client, sent in zip(clients, (CALL, large, CALL), strict=True):
            await client.send(sent)
            await asyncio.sleep(0.05)
        gate.set()
        for client in clients:
            assert (await client.answer()).status == 403
        [alone] = [batch for batch in w.control.batches if any(len(item.body) > 2 for item in batch.items)]
        assert len(alone.items) == 1
        assert alone.items[0].can_hold is False


async def test_outcomes_of_a_steady_caller_share_posts(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        started = time.monotonic()
        for _ in range(60):
            assert (await client.ask(CALL)).status == 200
        await w.until(lambda: len(w.control.outcomes) == 60, "all outcomes")
        lasted = time.monotonic() - started
        assert w.control.outcome_posts <= lasted / GATHER_SECONDS + 1


async def test_outcomes_wait_for_a_control_plane_that_takes_none(world: Worlds) -> None:
    async with world() as w:
        w.control.store_outcomes = False
        client = await w.client()
        assert (await client.ask(CALL)).status == 200
        await asyncio.sleep(0.3)
        assert w.control.outcomes == {}
        w.control.store_outcomes = True
        assert (await w.outcome()).kind is OutcomeKind.COMPLETED


async def test_a_revoked_edge_stops_admitting_within_a_feed_and_ends(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        assert (await client.ask(CALL)).status == 200
        revoked_at = time.monotonic()
        w.control.is_revoked = True
        await asyncio.wait({w.running}, timeout=5)
        assert time.monotonic() - revoked_at < 2
        with pytest.raises(EdgeEnded, match="revoked"):
            w.running.result()


async def test_a_fenced_boot_ends(world: Worlds) -> None:
    async with world() as w:
        w.control.is_fenced = True
        await asyncio.wait({w.running}, timeout=5)
        with pytest.raises(EdgeEnded, match="fenced"):
            w.running.result()
        assert w.aws.log == []


async def test_an_edge_that_is_not_enrolled_and_has_no_token_ends(world: Worlds) -> None:
    async with world() as w:
        await w.stop_edge()
        (w.folder / "state" / "edge.id").unlink()
        w._settings["enrol_token"] = ""
        await w.start_edge()
        await asyncio.wait({w.running}, timeout=5)
        with pytest.raises(EdgeEnded, match="HOOPWEB_EDGE_ENROL_TOKEN"):
            w.running.result()


async def test_ready_means_booted_and_heard(world: Worlds) -> None:
    async with world() as w:
        health = await w.client(port=w.edge.ports["health"])
        await w.until(lambda: w.edge._control.is_ready, "readiness")
        assert (await health.ask(write_request("GET", "/-/ready", {}))).status == 200
        await w.control.server.stop()
        await w.until(lambda: not w.edge._control.is_ready, "the loss to be noticed")
        assert (await health.ask(write_request("GET", "/-/ready", {}))).status == 503
        assert (await health.ask(write_request("GET", "/-/live", {}))).status == 200


async def test_the_health_paths_do_not_exist_for_clients(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = w.refuse
        client = await w.client()
        assert (await client.ask(write_request("GET", "/-/ready", CALLER))).status == 403
        health = await w.client(port=w.edge.ports["health"])
        assert (await health.ask(write_request("GET", "/", CALLER))).status == 404


async def test_the_feeds_cursor_goes_back_as_it_came(world: Worlds) -> None:
    async with world() as w:
        await w.until(lambda: len(w.control.feeds) > 2, "feeds")
        assert w.control.feeds[0].cursor == {}
        assert w.control.feeds[2].cursor == {"acme": 2}


async def test_before_the_boot_is_registered_calls_are_refused_retryably(world: Worlds) -> None:
    async with world() as w:
        await w.stop_edge()
        await w.control.server.stop()
        await w.start_edge()
        await w.until(lambda: "plain" in w.edge.ports, "the listener")
        answer = await (await w.client()).ask(CALL)
        assert (answer.status, json.loads(answer.body)["__type"]) == (503, "ServiceUnavailable")


async def test_one_rejected_admission_does_not_fail_its_neighbours(world: Worlds) -> None:
    async with world() as w:
        gate = asyncio.Event()

        async def decide_later(admission: Admission) -> Verdict:
            await gate.wait()
            return w.forward(admission)

        w.control.decide = decide_later
        w.control.reject = lambda batch: any(item.target == "/poison" for item in batch.items)
        clients = [await w.client() for _ in range(8)]
        for client in clients[:4]:
            await client.send(CALL)
            await asyncio.sleep(0.02)
        for number, client in enumerate(clients[4:]):
            await client.send(write_request("POST", "/poison" if number == 2 else "/fine", CALLER, b"{}"))
        await asyncio.sleep(0.1)
        gate.set()
        statuses = [(await client.answer()).status for client in clients]
        assert statuses == [200] * 6 + [503, 200]


async def test_one_rejected_outcome_does_not_hold_up_the_others(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        w.control.store_outcomes = False
        for _ in range(3):
            assert (await client.ask(CALL)).status == 200
        poison = w.control.admissions[1].id
        w.control.reject_outcome = poison
        w.control.store_outcomes = True
        await w.until(lambda: len(w.control.outcomes) == 2, "the other two")
        assert poison not in w.control.outcomes
        w.control.reject_outcome = None
        await w.until(lambda: poison in w.control.outcomes, "the third, once it is taken")


async def test_an_outcome_the_control_plane_did_not_store_is_offered_again(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        w.control.forget_first = True
        assert (await client.ask(CALL)).status == 200
        await w.until(lambda: not w.control.forget_first, "the first offer")
        assert w.control.outcomes == {}
        assert (await w.outcome()).kind is OutcomeKind.COMPLETED


async def test_a_hung_control_address_costs_one_attempt(world: Worlds) -> None:
    hung = FakeServer(lambda reader, writer: asyncio.sleep(3600))
    await hung.start()
    async with world(control_seconds=2.0) as w:
        await w.stop_edge()
        w._settings["control_urls"] = (f"http://127.0.0.1:{hung.port}", w.control.url)
        await w.start_edge()
        await w.until(lambda: len(w.control.boots) == 2, "the boot at the second address")
        started = time.monotonic()
        assert (await (await w.client()).ask(CALL)).status == 200
        assert time.monotonic() - started < 1
    await hung.stop()


async def test_a_verdict_without_what_its_kind_needs_is_no_verdict(world: Worlds) -> None:
    async with world(control_seconds=0.5) as w:
        w.control.decide = lambda a: Verdict(id=a.id, kind=VerdictKind.FORWARD)
        assert (await (await w.client()).ask(CALL)).status == 503
        assert w.aws.log == []


async def test_a_verdict_for_another_call_answers_nobody(world: Worlds) -> None:
    async with world(control_seconds=0.5) as w:
        w.control.decide = lambda a: Verdict(id=uuid4(), kind=VerdictKind.RESULT, answer=RESULT)
        assert (await (await w.client()).ask(CALL)).status == 503


async def test_an_edge_the_control_plane_does_not_know_ends(world: Worlds) -> None:
    async with world() as w:
        w.control.is_unknown = True
        await asyncio.wait({w.running}, timeout=5)
        with pytest.raises(EdgeEnded, match="not known"):
            w.running.result()
