"""Uploads in signed chunks: AWS gets the verified payload, and never a whole upload with one wrong signature in it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import resource
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.edge.passage import open_passage
from gateway.edge.tally import CallTally
from gateway.problems import Problem
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, SignedChunks, Upstream
from tests.edge.peers import Message, read_body, write_request
from tests.edge.world import S3_CALLER, World, Worlds

KEY, SEED, STAMP, SCOPE = b"derived key", "5" * 64, "20260304T050607Z", "20260304/eu-west-1/s3/aws4_request"
EMPTY = hashlib.sha256(b"").hexdigest()
PART = b"0123456789abcdef" * 4096
TRAILER = b"x-amz-checksum-crc32:AAAAAA=="


def chunks(length: int, *, trailers: tuple[str, ...] = ()) -> SignedChunks:
    return SignedChunks(key=KEY, seed=SEED, timestamp=STAMP, scope=SCOPE, decoded_length=length, trailers=trailers)


class Signer:
    """The chain of one upload, written from AWS's documentation and apart from the product's own."""

    def __init__(self) -> None:
        self.previous = SEED

    def _next(self, kind: str, hashes: str) -> bytes:
        text = "\n".join((kind, STAMP, SCOPE, self.previous, hashes))
        self.previous = hmac.digest(KEY, text.encode(), "sha256").hex()
        return self.previous.encode()

    def chunk(self, data: bytes) -> bytes:
        signature = self._next("AWS4-HMAC-SHA256-PAYLOAD", f"{EMPTY}\n{hashlib.sha256(data).hexdigest()}")
        return b"%x;chunk-signature=%b\r\n%b%b" % (len(data), signature, data, b"\r\n" if data else b"")

    def end(self, trailer: bytes = b"") -> bytes:
        last = self.chunk(b"")
        if trailer:
            signature = self._next("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(trailer + b"\n").hexdigest())
            last += trailer + b"\r\nx-amz-trailer-signature:" + signature + b"\r\n"
        return last + b"\r\n"


def body_of(parts: list[bytes], trailer: bytes = b"") -> bytes:
    signer = Signer()
    return b"".join(signer.chunk(part) for part in parts) + signer.end(trailer)


class Bucket:
    """An AWS that keeps what it was sent, and whether it came to its end."""

    def __init__(self, world: World) -> None:
        self.body = hashlib.sha256()
        self.raw = b""
        self.size = 0
        self.is_whole = False
        world.aws.answering = self._answer

    async def _answer(self, request: Message, reader: Any, writer: Any) -> None:
        async for chunk in read_body(reader, request):
            self.body.update(chunk)
            self.size += len(chunk)
            self.raw += chunk if self.size < 4096 else b""
        self.is_whole = True
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def permitting(world: World, signed: SignedChunks) -> None:
    def decide(admission: Admission) -> Any:
        return world.forward(admission, chunks=signed)

    world.control.decide = decide


def put(size: int) -> bytes:
    return write_request("PUT", "/bucket/key", {**S3_CALLER, "Content-Length": str(size)})


async def test_aws_gets_the_plain_payload_with_its_own_length(world: Worlds) -> None:
    async with world() as w:
        bucket = Bucket(w)
        permitting(w, chunks(9))
        body = body_of([b"four", b"five5"])
        assert (await (await w.client()).ask(put(len(body)) + body)).status == 200
        assert bucket.raw == b"fourfive5"
        assert w.aws.log[0].headers["content-length"] == "9"
        outcome = await w.outcome()
        assert (outcome.kind, outcome.bytes_up) == (OutcomeKind.COMPLETED, 9)
        assert outcome.request_commitment == hmac.digest(b"salt", b"fourfive5", "sha256").hex()


async def test_a_checksum_in_the_trailers_travels_on_in_frames_made_anew(world: Worlds) -> None:
    async with world() as w:
        bucket = Bucket(w)
        permitting(w, chunks(4, trailers=("x-amz-checksum-crc32",)))
        body = body_of([b"four"], TRAILER)
        assert (await (await w.client()).ask(put(len(body)) + body)).status == 200
        assert bucket.raw == b"4\r\nfour\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
        assert b"signature" not in bucket.raw


async def test_an_empty_object_is_an_upload_too(world: Worlds) -> None:
    async with world() as w:
        bucket = Bucket(w)
        permitting(w, chunks(0))
        body = body_of([])
        assert (await (await w.client()).ask(put(len(body)) + body)).status == 200
        assert (bucket.is_whole, bucket.size) == (True, 0)


@pytest.mark.parametrize("wrong", ["first", "middle", "last"])
async def test_one_wrong_signature_and_the_object_never_comes_to_be(world: Worlds, wrong: str) -> None:
    async with world() as w:
        bucket = Bucket(w)
        permitting(w, chunks(6 * len(PART)))
        body = bytearray(body_of([PART] * 6))
        at = {"first": body.index(b"=") + 5, "middle": len(body) // 2, "last": body.rindex(b"=") + 5}[wrong]
        body[at] = body[at] ^ 1
        answer = await (await w.client()).ask(put(len(body)) + bytes(body))
        assert answer.status == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body
        outcome = await w.outcome()
        assert outcome.kind is (OutcomeKind.NOT_SENT if wrong == "first" else OutcomeKind.FAILED)
        assert not bucket.is_whole


async def test_a_body_shorter_than_its_head_said_never_becomes_an_object(world: Worlds) -> None:
    async with world() as w:
        bucket = Bucket(w)
        permitting(w, chunks(3 * len(PART)))
        body = body_of([PART, PART])
        answer = await (await w.client()).ask(put(len(body)) + body)
        assert answer.status == 400
        assert (await w.outcome()).kind is not OutcomeKind.COMPLETED
        assert not bucket.is_whole


async def test_a_large_signed_upload_needs_little_memory(world: Worlds) -> None:
    parts = 800
    async with world() as w:
        bucket = Bucket(w)
        permitting(w, chunks(parts * len(PART)))
        signer, client = Signer(), await w.client()
        size = len(body_of([PART])) - len(body_of([]))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await client.send(put(parts * size + len(body_of([]))))
        for _ in range(parts):
            await client.send(signer.chunk(PART))
        assert (await client.ask(signer.end())).status == 200
        assert bucket.size == parts * len(PART)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


async def test_a_client_that_stops_amid_a_chunk_is_told_so_and_leaves_an_outcome(world: Worlds) -> None:
    async with world() as w:
        bucket = Bucket(w)
        permitting(w, chunks(2 * len(PART)))
        client = await w.client()
        body = body_of([PART, PART])
        await client.send(put(len(body)) + body[:-9])
        await asyncio.sleep(0.1)
        client.leave()
        assert (await w.outcome()).kind is not OutcomeKind.COMPLETED
        assert not bucket.is_whole


# --- the same without sockets, for any bytes

PARTS = st.lists(st.binary(min_size=1, max_size=200), max_size=6)


def passed(signed: SignedChunks, pieces: list[bytes]) -> bytes:
    upstream = Upstream(
        method="PUT", target="/b/k", host="h", headers=(), dial_host="h", dial_port=1, is_tls=False, chunks=signed
    )
    passage = open_passage(upstream, length=None, tally=CallTally(id=UUID(int=7), salt=b""))
    return b"".join([passage.feed(piece) for piece in pieces]) + passage.end()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts=PARTS, cuts=st.lists(st.integers(0, 3000), max_size=8))
def test_any_payload_cut_anywhere_arrives_as_it_was(parts: list[bytes], cuts: list[int]) -> None:
    body = body_of(parts)
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    pieces = [body[start:stop] for start, stop in pairwise(places)]
    assert passed(chunks(sum(map(len, parts))), pieces) == b"".join(parts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts=PARTS, place=st.integers(0, 5000), bit=st.integers(0, 7))
def test_any_flipped_bit_cuts_the_upload(parts: list[bytes], place: int, bit: int) -> None:
    body = bytearray(body_of(parts))
    body[place % len(body)] ^= 1 << bit
    try:
        arrived = passed(chunks(sum(map(len, parts))), [bytes(body)])
    except Problem:
        return
    # Hexadecimal digits of a size may change their case and mean the same.
    assert arrived == b"".join(parts)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_at_all_are_refused_as_a_problem(noise: bytes) -> None:
    with pytest.raises(Problem):
        passed(chunks(40), [noise])
