"""An upload that holds a mask token never becomes whole at AWS, wherever it stands and however the body is framed."""

from __future__ import annotations

import gzip
import json
import os
from typing import Any

import pytest

from gateway.terms import OutcomeKind
from tests.edge.peers import Message, read_body, write_request
from tests.edge.test_signed_chunks import Bucket, body_of, chunks
from tests.edge.world import S3_CALLER, World, Worlds

TOKEN = b"password=[REDACTED:password]\n"
PLAIN = b"host=db.internal\n" * 40_000


def put(body: bytes, **headers: str) -> bytes:
    return write_request("PUT", "/bucket/key", {**S3_CALLER, "Content-Length": str(len(body)), **headers}) + body


def guarded(w: World, **upstream: Any) -> Bucket:
    """A bucket behind a call whose verdict refuses mask tokens."""
    bucket = Bucket(w)
    w.control.decide = lambda a: w.forward(a, refuses_mask_tokens=True, **upstream)
    return bucket


@pytest.mark.parametrize(
    "body",
    [
        TOKEN,
        TOKEN + PLAIN,
        PLAIN + TOKEN + PLAIN,
        PLAIN + TOKEN,
        gzip.compress(TOKEN),
        gzip.compress(os.urandom(200_000) + b"\n" + TOKEN),
    ],
    ids=len,
)
async def test_a_mask_token_is_never_stored(world: Worlds, body: bytes) -> None:
    async with world() as w:
        bucket = guarded(w)
        answer = await (await w.client()).ask(put(body))
        assert answer.status == 403
        assert b"<Code>AccessDenied</Code>" in answer.body
        assert b"unchanged at its source" in answer.body
        assert not bucket.is_whole
        outcome = await w.outcome()
        assert outcome.error == "requests.mask_token_stored"
        assert outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.FAILED)


async def test_what_is_small_never_leaves_at_all(world: Worlds) -> None:
    async with world() as w:
        guarded(w)
        await (await w.client()).ask(put(TOKEN))
        assert (await w.outcome()).kind is OutcomeKind.NOT_SENT
        assert w.aws.log == []


async def test_a_token_across_signed_chunks_is_seen_too(world: Worlds) -> None:
    async with world() as w:
        parts = [b"x" * 70_000 + TOKEN[:14], TOKEN[14:] + b"y" * 70_000]
        bucket = guarded(w, chunks=chunks(sum(map(len, parts))))
        answer = await (await w.client()).ask(put(body_of(parts)))
        assert answer.status == 403
        assert not bucket.is_whole


async def test_other_uploads_and_those_a_rule_permits_go_through(world: Worlds) -> None:
    async with world() as w:
        bucket = guarded(w)
        client = await w.client()
        assert (await client.ask(put(PLAIN))).status == 200
        assert bucket.is_whole
        w.control.decide = w.forward
        assert (await client.ask(put(TOKEN))).status == 200
        assert bucket.size == len(PLAIN) + len(TOKEN)


async def test_parameters_are_the_control_planes_to_judge(world: Worlds) -> None:
    """What is no payload was read whole before it was permitted, so the verdict asks for no second look."""
    said: list[Message] = []

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        said.append(request)
        _ = [chunk async for chunk in read_body(reader, request)]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with world() as w:
        w.aws.answering = answering
        body = json.dumps({"Value": TOKEN.decode()}).encode()
        call = write_request("POST", "/", {**S3_CALLER, "X-Amz-Target": "AmazonSSM.PutParameter"}, body)
        assert (await (await w.client()).ask(call)).status == 200
        assert len(said) == 1
