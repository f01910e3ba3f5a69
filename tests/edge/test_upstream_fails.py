"""AWS out of reach, silent, cut off or making no sense: what the client is told and what the outcome says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.terms import OutcomeKind
from tests.edge.peers import Message, read_body, write_answer, write_request
from tests.edge.world import CALLER, S3_CALLER, Worlds

CALL = write_request("POST", "/", CALLER, b"{}")


async def test_an_unreachable_aws_is_a_retryable_error_and_not_sent(world: Worlds) -> None:
    async with world() as w:
        await w.aws.server.stop()
        client = await w.client()
        answer = await client.ask(CALL)
        assert (answer.status, json.loads(answer.body)["__type"]) == (503, "ServiceUnavailable")
        outcome = await w.outcome()
        assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, "upstream.unreachable")
        assert outcome.started_at is None


async def _hang_up(request: Message, reader: Any, writer: Any) -> None:
    writer.transport.abort()


async def _read_and_hang_up(request: Message, reader: Any, writer: Any) -> None:
    _ = [chunk async for chunk in read_body(reader, request)]
    writer.transport.abort()


async def _nonsense(request: Message, reader: Any, writer: Any) -> None:
    writer.write(b"I am not HTTP\r\n\r\n")


async def _two_framings(request: Message, reader: Any, writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


async def _silence(request: Message, reader: Any, writer: Any) -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize("fault", [_hang_up, _read_and_hang_up, _nonsense, _two_framings, _silence])
async def test_a_call_without_an_answer_is_ambiguous_and_not_to_be_retried(world: Worlds, fault: Any) -> None:
    async with world(upstream_seconds=0.5) as w:
        w.aws.answering = fault
        client = await w.client()
        answer = await client.ask(CALL)
        assert (answer.status, json.loads(answer.body)["__type"]) == (409, "OutcomeUnknown")
        outcome = await w.outcome()
        assert (outcome.kind, outcome.status) == (OutcomeKind.AMBIGUOUS, None)
        assert len(w.aws.log) == 1


async def test_an_answer_cut_in_its_body_is_never_taken_for_whole(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with world() as w:
        w.aws.answering = answering
        client = await w.client()
        await client.send(CALL)
        with pytest.raises(asyncio.IncompleteReadError):
            await client.answer()
        outcome = await w.outcome()
        assert (outcome.kind, outcome.status) == (OutcomeKind.FAILED, 200)


async def test_a_chunked_answer_cut_short_has_no_clean_end(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with world() as w:
        w.aws.answering = answering
        client = await w.client()
        await client.send(CALL)
        with pytest.raises(asyncio.IncompleteReadError):
            await client.answer()


async def test_interim_answers_of_aws_are_swallowed(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        writer.write(write_answer(200, {"X-A": "b"}, b"ok"))

    async with world() as w:
        w.aws.answering = answering
        client = await w.client()
        answer = await client.ask(CALL)
        assert (answer.status, answer.interims, answer.body) == (200, 0, b"ok")
        assert "link" not in answer.headers


async def test_an_answer_that_ends_with_its_connection_is_whole(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
        writer.close()

    async with world() as w:
        w.aws.answering = answering
        client = await w.client()
        answer = await client.ask(CALL)
        assert (answer.status, answer.body) == (200, b"all of it")
        assert (await w.outcome()).kind is OutcomeKind.COMPLETED


async def test_a_connection_with_bytes_nobody_asked_for_is_not_used_again(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        writer.write(write_answer(200, {}, b"mine") + write_answer(200, {}, b"forged"))

    async with world() as w:
        w.aws.answering = answering
        client = await w.client()
        assert (await client.ask(CALL)).body == b"mine"
        assert (await client.ask(CALL)).body == b"mine"
        assert w.aws.connections == 2


async def test_a_pooled_connection_that_aws_closed_is_dialled_anew(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        assert (await client.ask(CALL)).status == 200
        await w.aws.server.stop()
        await w.aws.server.start()
        assert (await client.ask(CALL)).status == 200
        assert w.aws.connections == 2


async def test_an_upload_that_aws_refuses_early_brings_that_refusal_back(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        writer.write(write_answer(403, {"Content-Type": "application/xml"}, b"<Error/>"))

    async with world() as w:
        w.aws.answering = answering
        client = await w.client()
        size = 8 * 1024 * 1024
        client.writer.write(write_request("PUT", "/b/k", {**S3_CALLER, "Content-Length": str(size)}))
        client.writer.write(b"x" * (size - 1))
        answer = await client.answer()
        assert (answer.status, answer.body) == (403, b"<Error/>")
        assert (await w.outcome()).kind is OutcomeKind.COMPLETED


async def test_an_upload_that_aws_breaks_off_may_be_tried_again(world: Worlds) -> None:
    async with world() as w:
        w.aws.answering = _hang_up
        client = await w.client()
        size = 8 * 1024 * 1024
        client.writer.write(write_request("PUT", "/b/k", {**S3_CALLER, "Content-Length": str(size)}))
        client.writer.write(b"x" * (size // 2))
        assert (await client.answer()).status == 503
        outcome = await w.outcome()
        assert (outcome.kind, outcome.error) == (OutcomeKind.FAILED, "upstream.upload_interrupted")


async def test_a_client_that_left_does_not_undo_what_ran(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        _ = [chunk async for chunk in read_body(reader, request)]
        await asyncio.sleep(0.2)
        writer.write(write_answer(200, {"x-amz-request-id": "S3-1"}, b"late"))

    async with world() as w:
        w.aws.answering = answering
        client = await w.client()
        await client.send(CALL)
        await w.until(lambda: bool(w.aws.log), "the call")
        client.leave()
        outcome = await w.outcome()
        assert (outcome.kind, outcome.status, outcome.error) == (OutcomeKind.COMPLETED, 200, "client.gone")
        assert outcome.aws_request_id == "S3-1"
