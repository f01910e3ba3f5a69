"""Objects on their way to and from S3: streamed in constant memory, and never completed with the wrong bytes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
from typing import Any

import pytest

from gateway.terms import OutcomeKind
from gateway.wire.contract import BodyMode
from tests.edge.peers import Message, read_body, write_request
from tests.edge.world import S3_CALLER, Worlds

SIZE = 50 * 1024 * 1024
BLOCK = os.urandom(1024 * 1024)


def _rss_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _put(size: int, **headers: str) -> bytes:
    return write_request("PUT", "/bucket/key", {**S3_CALLER, "Content-Length": str(size), **headers})


async def test_a_large_upload_streams_with_bounded_memory(world: Worlds) -> None:
    seen = hashlib.sha256()

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        async for chunk in read_body(reader, request):
            seen.update(chunk)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    expected = hashlib.sha256(BLOCK * 50)
    async with world() as w:
        w.aws.answering = answering
        w.control.decide = lambda a: w.forward(a, payload_sha256=expected.hexdigest())
        before = _rss_kib()
        client = await w.client()
        await client.send(_put(SIZE))
        for _ in range(50):
            await client.send(BLOCK)
        assert (await client.answer(seconds=30)).status == 200
        assert seen.digest() == expected.digest()
        # The test's own sender and receiver live in this process too.
        assert _rss_kib() - before < 24 * 1024
        outcome = await w.outcome()
        assert (outcome.kind, outcome.bytes_up) == (OutcomeKind.COMPLETED, SIZE)


async def test_a_large_download_streams_with_bounded_memory(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(50):
            writer.write(BLOCK)
            await writer.drain()

    async with world() as w:
        w.aws.answering = answering
        before = _rss_kib()
        client = await w.client()
        await client.send(write_request("GET", "/bucket/key", S3_CALLER))
        seen, size = hashlib.sha256(), 0
        await client.reader.readuntil(b"\r\n\r\n")
        while size < SIZE:
            chunk = await client.reader.read(65536)
            seen.update(chunk)
            size += len(chunk)
        assert seen.digest() == hashlib.sha256(BLOCK * 50).digest()
        assert _rss_kib() - before < 24 * 1024
        outcome = await w.outcome()
        assert (outcome.bytes_down, outcome.head_is_whole) == (SIZE, False)
        assert outcome.head == BLOCK[: 64 * 1024]


async def test_a_reader_that_stops_reading_stops_aws_too(world: Worlds) -> None:
    sent = 0

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(50):
            writer.write(BLOCK)
            await writer.drain()
            sent += len(BLOCK)

    async with world() as w:
        w.aws.answering = answering
        client = await w.client()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # uvloop's transports read too
        await client.send(write_request("GET", "/bucket/key", S3_CALLER))
        await asyncio.sleep(0.5)
        # What is under way is in the kernel's socket buffers, not in the edge.
        assert sent < SIZE // 2


@pytest.mark.parametrize("size", [0, 10, 300_000])
async def test_bytes_that_do_not_match_their_digest_never_complete_an_upload(world: Worlds, size: int) -> None:
    completed = []

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        completed.append([chunk async for chunk in read_body(reader, request)])

    async with world() as w:
        w.aws.answering = answering
        w.control.decide = lambda a: w.forward(a, payload_sha256=hashlib.sha256(b"something else").hexdigest())
        client = await w.client()
        answer = await client.ask(_put(size) + b"x" * size)
        assert answer.status == 400
        assert b"<Code>XAmzContentSHA256Mismatch</Code>" in answer.body
        outcome = await w.outcome()
        assert outcome.error == "payload.digest_mismatch"
        assert outcome.kind in (OutcomeKind.FAILED, OutcomeKind.NOT_SENT)
        assert completed == []


async def test_an_upload_of_unknown_length_stays_chunked_and_is_checked_too(world: Worlds) -> None:
    body: list[bytes] = []

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        body.extend([chunk async for chunk in read_body(reader, request)])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with world() as w:
        w.aws.answering = answering
        w.control.decide = lambda a: w.forward(a, payload_sha256=hashlib.sha256(b"hello world").hexdigest())
        client = await w.client()
        head = write_request("PUT", "/bucket/key", {**S3_CALLER, "Transfer-Encoding": "chunked"})
        answer = await client.ask(head + b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Outer: trailer\r\n\r\n")
        assert answer.status == 200
        assert b"".join(body) == b"hello world"
        assert w.control.admissions[0].body_mode is BodyMode.PAYLOAD
        assert w.aws.log[0].trailers == []


async def test_a_client_that_leaves_amid_its_upload_leaves_an_outcome(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.send(_put(1000_000) + b"x" * 400_000)
        await w.until(lambda: bool(w.aws.log), "the head at AWS")
        client.leave()
        outcome = await w.outcome()
        assert (outcome.kind, outcome.error) == (OutcomeKind.FAILED, "client.gone")


async def test_an_upload_that_turns_malformed_is_cut_and_told_so(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        head = write_request("PUT", "/bucket/key", {**S3_CALLER, "Transfer-Encoding": "chunked"})
        await client.send(head + b"5\r\nhello\r\n5\r\nhello\r\n")
        answer = await client.ask(b"zz\r\n")
        assert answer.status == 400
        outcome = await w.outcome()
        assert outcome.error == "edge.malformed_request"
        assert outcome.kind is not OutcomeKind.COMPLETED


async def test_a_waiting_client_is_told_to_send_its_payload_only_once_it_is_permitted(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.send(_put(5, Expect="100-continue"))
        interim = await client.reader.readuntil(b"\r\n\r\n")
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert len(w.control.admissions) == 1
        assert (await client.ask(b"hello")).status == 200
        assert "expect" not in w.aws.log[0].headers


async def test_a_waiting_client_that_is_refused_never_sends_its_payload(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = w.refuse
        client = await w.client()
        answer = await client.ask(_put(5, Expect="100-continue"))
        assert (answer.status, answer.interims) == (403, 0)
        assert await client.is_closed()


async def test_a_client_waiting_with_parameters_is_told_to_send_them_at_once(world: Worlds) -> None:
    async with world() as w:
        w.control.decide = w.refuse
        client = await w.client()
        await client.send(write_request("POST", "/", {**S3_CALLER, "Content-Length": "2", "Expect": "100-continue"}))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"{}")).status == 403
        assert w.control.admissions[0].body == b"{}"
