"""A change is sent once for one signature; reads, presigned URLs and honest second calls are not in its way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, Verdict
from gateway.wire.replay import SAME_SECOND
from gateway.wire.sigv4 import sign
from tests.edge.peers import write_request
from tests.edge.world import CALLER, World, Worlds

BODY = b'{"TableName":"t"}'
HOST = "gw.example"


def signed(**headers: str) -> bytes:
    """A call as a client signs it, with a try's own names unsigned, as boto3 sends them."""
    made = sign(
        method="POST",
        target="/",
        headers=(("host", HOST), ("x-amz-target", CALLER["X-Amz-Target"])),
        payload_hash="0" * 64,
        access_key_id="GWIAX",
        secret="secret",
        session_token=None,
        region="eu-west-1",
        service="dynamodb",
        now=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {name: value for name, value in made if name != "host"}
    return write_request("POST", "/", {**own, "User-Agent": CALLER["User-Agent"], **named}, BODY)


FIRST = {"amz_sdk_invocation_id": "call-1", "amz_sdk_request": "attempt=1"}


def changing(w: World) -> Any:
    def decide(admission: Admission) -> Verdict:
        return msgspec.structs.replace(w.forward(admission), changes=True)

    return decide


async def statuses(w: World, *calls: bytes) -> list[int]:
    client = await w.client()
    return [(await client.ask(call)).status for call in calls]


async def test_a_copy_of_a_change_is_refused_and_never_leaves(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = changing(w)
        client = await w.client()
        assert (await client.ask(signed(**FIRST))).status == 200
        answer = await client.ask(signed(**FIRST))
        assert answer.status == 403
        assert b"Sign each request anew" in answer.body
        assert len(w.aws.log) == 1


async def test_the_copy_is_on_record_as_not_sent(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = changing(w)
        await statuses(w, signed(**FIRST), signed(**FIRST))
        await w.until(lambda: len(w.control.outcomes) == 2, "both outcomes")
        outcome = w.control.outcomes[w.control.admissions[1].id]
        assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, "wire.request_replayed")


async def test_a_read_may_come_as_often_as_it_likes(world: Worlds) -> None:
    async with world() as w:
        assert await statuses(w, signed(**FIRST), signed(**FIRST)) == [200, 200]


async def test_another_call_and_a_retry_within_the_same_second_pass(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = changing(w)
        retry = signed(amz_sdk_invocation_id="call-1", amz_sdk_request="attempt=2; max=3")
        other = signed(amz_sdk_invocation_id="call-2", amz_sdk_request="attempt=1")
        assert await statuses(w, signed(**FIRST), retry, other) == [200, 200, 200]


async def test_a_call_that_was_refused_does_not_use_its_signature_up(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = w.refuse
        assert await statuses(w, signed(**FIRST)) == [403]
        w.control.decide = changing(w)
        assert await statuses(w, signed(**FIRST)) == [200]


async def test_two_that_were_held_count_from_when_they_came(world: Worlds) -> None:
    """People may take their time over twins that two processes signed in one second."""
    async with world() as w:
        w.control.decide = lambda a: w.hold(a, seconds=20)
        first, second = await w.client(), await w.client()
        await first.send(signed(amz_sdk_invocation_id="call-1"))
        await second.send(signed(amz_sdk_invocation_id="call-2"))
        await w.until(lambda: len(w.control.admissions) == 2, "both admissions")
        one, other = w.control.admissions
        assert abs(one.received_at - other.received_at) < SAME_SECOND.total_seconds()
        w.control.resolutions.append(changing(w)(one))
        assert (await first.answer()).status == 200
        w.control.resolutions.append(changing(w)(other))
        assert (await second.answer()).status == 200
