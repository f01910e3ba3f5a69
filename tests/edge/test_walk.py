"""One call through a real edge: asked about, forwarded as signed, answered, reported."""

from __future__ import annotations

import hashlib
import hmac

from gateway.terms import OutcomeKind
from gateway.wire.contract import BodyMode, Verdict, VerdictKind
from tests.edge.peers import write_request
from tests.edge.world import CALLER, RESULT, Worlds

BODY = b'{"TableName":"t"}'


async def test_a_permitted_call_reaches_aws_as_the_control_plane_signed_it(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        answer = await client.ask(write_request("POST", "/", CALLER, BODY))
        assert (answer.status, answer.body) == (200, b"{}")
        [sent] = w.aws.log
        assert (sent.first, sent.body) == ("POST / HTTP/1.1", BODY)
        assert sent.headers["x-signed"] == "by-the-gateway"
        assert sent.headers["host"] == "service.eu-west-1.amazonaws.com"
        assert "authorization" not in sent.headers


async def test_the_admission_carries_the_request_as_it_came(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.ask(write_request("POST", "/a%2Fb?x=%20y", CALLER, BODY))
        [admission] = w.control.admissions
        assert (admission.method, admission.target, admission.body) == ("POST", "/a%2Fb?x=%20y", BODY)
        assert admission.body_mode is BodyMode.PARAMETERS
        assert admission.body_sha256 == hashlib.sha256(BODY).hexdigest()
        assert ("X-Amz-Target", CALLER["X-Amz-Target"]) in admission.headers
        assert (admission.listener, admission.source, admission.can_hold) == ("aws", "127.0.0.1", True)


async def test_the_outcome_says_what_happened(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.ask(write_request("POST", "/", CALLER, BODY))
        outcome = await w.outcome()
        assert outcome.id == w.control.admissions[0].id
        assert (outcome.kind, outcome.status, outcome.aws_request_id) == (OutcomeKind.COMPLETED, 200, "AWS-1")
        assert (outcome.bytes_up, outcome.bytes_down, outcome.head) == (len(BODY), 2, b"{}")
        assert outcome.request_commitment == hmac.digest(b"salt", BODY, "sha256").hex()
        assert outcome.response_commitment == hmac.digest(b"salt", b"{}", "sha256").hex()
        assert outcome.started_at is not None
        assert outcome.started_at <= outcome.ended_at


async def test_a_refused_call_gets_the_refusal_and_never_leaves(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = w.refuse
        client = await w.client()
        answer = await client.ask(write_request("POST", "/", CALLER, BODY))
        assert (answer.status, answer.body) == (403, b'{"__type":"AccessDeniedException","message":"no"}')
        assert w.aws.log == []


async def test_a_ready_result_is_handed_over_without_a_call(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = lambda a: Verdict(id=a.id, kind=VerdictKind.RESULT, answer=RESULT)
        client = await w.client()
        answer = await client.ask(write_request("POST", "/", CALLER, BODY))
        assert (answer.status, answer.body, w.aws.log) == (200, b'{"Item":{}}', [])


async def test_two_calls_share_one_connection_on_both_sides(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        for _ in range(2):
            assert (await client.ask(write_request("POST", "/", CALLER, BODY))).status == 200
        assert len(w.aws.log) == 2
        assert w.aws.connections == 1
        assert len({admission.id for admission in w.control.admissions}) == 2


async def test_tls_is_ended_by_the_edge_itself(world: Worlds) -> None:
    async with world() as w:
        client = await w.client(tls=True)
        assert (await client.ask(write_request("POST", "/", CALLER, BODY))).status == 200


async def test_a_head_call_has_the_length_and_no_body(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        answer = await client.ask(write_request("HEAD", "/bucket/key", CALLER), is_head=True)
        assert answer.status == 200
        assert answer.headers["content-length"] == "2"
        again = await client.ask(write_request("POST", "/", CALLER, BODY))
        assert again.body == b"{}"


async def test_a_client_that_closed_its_sending_side_still_reads_its_answer(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.send(write_request("POST", "/", CALLER, BODY))
        client.writer.write_eof()
        assert (await client.answer()).status == 200
        assert await client.is_closed()
