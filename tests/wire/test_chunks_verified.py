"""A signed aws-chunked body is passed on exactly when its whole chain of signatures holds."""

from __future__ import annotations

import hashlib
import hmac
import random
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from gateway.wire import problems
from gateway.wire.aws_chunked import (
    LARGEST_CHUNK,
    LARGEST_TRAILERS,
    ChunkReader,
    announced_trailers,
    signed_chunks,
)
from gateway.wire.contract import SignedChunks
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import PayloadMode, claim_of, sign, verify

# AWS's own published example: docs "Signature calculations: chunked upload" and "... trailing headers".
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS_TIME = datetime(2013, 5, 24, tzinfo=UTC)
AWS_HEAD = (
    ("Host", "s3.amazonaws.com"),
    ("x-amz-date", "20130524T000000Z"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ("Content-Encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "66560"),
)
PLAIN_SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
PLAIN_CHAIN = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILER_CHAIN = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
TRAILER_SIGNATURE = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
PAYLOAD = b"a" * 66560


def published(*, has_trailer: bool) -> tuple[WireRequest, bytes]:
    """AWS's example as a request head and the body on the wire."""
    mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if has_trailer else "")
    seed, chain = (TRAILER_SEED, TRAILER_CHAIN) if has_trailer else (PLAIN_SEED, PLAIN_CHAIN)
    headers = [*AWS_HEAD, ("x-amz-content-sha256", mode)]
    headers.append(("x-amz-trailer", "x-amz-checksum-crc32c") if has_trailer else ("Content-Length", "66824"))
    names = ";".join(sorted(name.lower() for name, _ in headers))
    scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={names},Signature={seed}"
    request = WireRequest(
        method="PUT",
        target="/examplebucket/chunkObject.txt",
        headers=(*headers, ("Authorization", authorization)),
    )
    body = b"".join(
        b"%x;chunk-signature=%b\r\n%b\r\n" % (len(data), signature.encode(), data)
        for data, signature in zip((b"a" * 65536, b"a" * 1024), chain, strict=False)
    )
    body += b"0;chunk-signature=%b\r\n" % chain[2].encode()
    if has_trailer:
        body += b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:%b\r\n" % TRAILER_SIGNATURE.encode()
    return request, body + b"\r\n"


def chunks_of(request: WireRequest, secret: str = AWS_SECRET) -> SignedChunks:
    chunks = signed_chunks(request, claim_of(request), secret)
    assert chunks is not None
    return chunks


def decode(chunks: SignedChunks, body: bytes, cuts: tuple[int, ...] = ()) -> tuple[bytes, Any]:
    reader = ChunkReader(chunks)
    places = (0, *cuts, len(body))
    got = b"".join(reader.receive(body[a:b]) for a, b in pairwise(places))
    rest, trailers = reader.finish()
    return got + rest, trailers


@pytest.mark.parametrize("has_trailer", [False, True])
def test_awss_published_example_holds_from_head_to_end(has_trailer: Any) -> None:
    request, body = published(has_trailer=has_trailer)
    verify(request, claim_of(request), AWS_SECRET, now=AWS_TIME, body_sha256=None)
    data, trailers = decode(chunks_of(request), body)
    assert data == PAYLOAD
    assert trailers == ((("x-amz-checksum-crc32c", "sOO8/Q=="),) if has_trailer else ())


# --- bodies of our own making, signed as an SDK signs them

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECRET = "gateway-secret"
CHECKSUM = "x-amz-checksum-crc32"


def upload(*, mode: PayloadMode = PayloadMode.STREAMING_SIGNED, length: int = 9, **headers: str) -> WireRequest:
    """A signed head for an upload of `length` bytes."""
    added = {name.replace("_", "-"): value for name, value in headers.items()}
    if mode is PayloadMode.STREAMING_SIGNED_TRAILER:
        added.setdefault("x-amz-trailer", CHECKSUM)
    given = {"host": "gateway.test", "x-amz-decoded-content-length": str(length), **added}
    signed = sign(
        method="PUT",
        target="/bucket/key",
        headers=tuple((name, value) for name, value in given.items() if value),
        payload_hash=mode.value,
        access_key_id="AKID",
        secret=SECRET,
        session_token=None,
        region="eu-west-1",
        service="s3",
        now=NOW,
    )
    return WireRequest(method="PUT", target="/bucket/key", headers=signed)


def chained(chunks: SignedChunks, parts: list[bytes], trailers: bytes = b"", ends: bytes = b"\r\n") -> bytes:
    """The body an SDK makes of these parts, the empty one at the end included."""
    previous, body = chunks.seed, b""
    empty = hashlib.sha256(b"").hexdigest()

    def next_signature(kind: str, hashes: str) -> str:
        to_sign = "\n".join((kind, chunks.timestamp, chunks.scope, previous, hashes))
        return hmac.digest(chunks.key, to_sign.encode(), "sha256").hex()

    for part in [*parts, b""]:
        previous = next_signature("AWS4-HMAC-SHA256-PAYLOAD", f"{empty}\n{hashlib.sha256(part).hexdigest()}")
        body += b"%x;chunk-signature=%b\r\n%b" % (len(part), previous.encode(), part)
        body += b"\r\n" if part else b""
    if trailers:
        signature = next_signature("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(trailers + b"\n").hexdigest())
        body += trailers + ends + b"x-amz-trailer-signature:" + signature.encode() + b"\r\n"
    return body + b"\r\n"


def plain() -> tuple[SignedChunks, bytes]:
    chunks = chunks_of(upload(), SECRET)
    return chunks, chained(chunks, [b"four", b"five5"])


def with_trailer() -> tuple[SignedChunks, bytes]:
    chunks = chunks_of(upload(mode=PayloadMode.STREAMING_SIGNED_TRAILER), SECRET)
    return chunks, chained(chunks, [b"four", b"five5"], b"x-amz-checksum-crc32:AAAAAA==")


KINDS = {"plain": plain, "trailer": with_trailer}


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_reads_the_same_wherever_it_is_cut(kind: Any) -> None:
    chunks, body = KINDS[kind]()
    for cut in range(len(body) + 1):
        assert decode(chunks, body, (cut,))[0] == b"fourfive5"
    assert decode(chunks, body, tuple(range(1, len(body))))[0] == b"fourfive5"


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_of_it_may_be_changed(kind: Any) -> None:
    chunks, body = KINDS[kind]()
    for at in range(len(body)):
        changed = body[:at] + bytes((body[at] ^ 0x01,)) + body[at + 1 :]
        with pytest.raises(problems.SignatureProblem):
            decode(chunks, changed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_stops_early_is_never_finished(kind: Any) -> None:
    chunks, body = KINDS[kind]()
    # Behind a trailer the empty last line says nothing more: the signature over the trailers has come.
    whole = len(body) - (2 if kind == "trailer" else 0)
    for at in range(whole):
        with pytest.raises(problems.SignatureProblem):
            decode(chunks, body[:at])


def test_the_last_chunk_is_held_until_the_end_is_verified() -> None:
    chunks, body = plain()
    reader = ChunkReader(chunks)
    end = body.rindex(b"0;chunk-signature")
    assert reader.receive(body[:end]) == b"four"
    with pytest.raises(problems.SignatureDoesNotMatch):
        reader.receive(b"0;chunk-signature=" + b"0" * 64 + b"\r\n\r\n")


def test_nothing_of_a_chunk_is_passed_on_before_its_signature_holds() -> None:
    chunks, body = plain()
    reader = ChunkReader(chunks)
    assert reader.receive(body[: body.index(b"four") + 4]) == b""


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_behind_the_end_are_refused(kind: Any) -> None:
    chunks, body = KINDS[kind]()
    with pytest.raises(problems.SignatureProblem):
        decode(chunks, body + b"0\r\n\r\n")


def test_chunks_of_another_key_day_or_place_are_refused() -> None:
    chunks, body = plain()
    for other in (
        chunks_of(upload(), SECRET + "x"),
        msgspec.structs.replace(chunks, scope=chunks.scope.replace("eu-west-1", "us-east-1")),
        msgspec.structs.replace(chunks, timestamp="20260304T050608Z"),
        msgspec.structs.replace(chunks, seed="0" * 64),
    ):
        with pytest.raises(problems.SignatureDoesNotMatch):
            decode(other, body)


def test_chunks_in_another_order_are_refused() -> None:
    chunks, body = plain()
    first, second, end = body.split(b"\r\n", 4)[:2], body.split(b"\r\n", 4)[2:4], body.split(b"\r\n", 4)[4]
    with pytest.raises(problems.SignatureDoesNotMatch):
        decode(chunks, b"\r\n".join([*second, *first, end]))


@pytest.mark.parametrize("length", [8, 10])
def test_the_payload_is_as_long_as_the_head_says(length: Any) -> None:
    chunks = chunks_of(upload(length=length), SECRET)
    with pytest.raises(problems.SignatureProblem):
        decode(chunks, chained(chunks, [b"four", b"five5"]))


@pytest.mark.parametrize(
    "body",
    [
        b"4\r\nfour\r\n0\r\n\r\n",
        b"-4;chunk-signature=" + b"0" * 64 + b"\r\n",
        b"4;chunk-signature=" + b"A" * 64 + b"\r\n",
        b"4;chunk-signature=" + b"0" * 64 + b"\n",
        b"4;x=1;chunk-signature=" + b"0" * 64 + b"\r\n",
        b"\r\n",
        b"x" * 200,
    ],
)
def test_a_chunk_that_begins_otherwise_is_refused(body: Any) -> None:
    with pytest.raises(problems.BodyHashMismatch):
        ChunkReader(plain()[0]).receive(body)


def test_a_chunk_larger_than_any_sdk_sends_is_refused_before_it_comes() -> None:
    chunks = chunks_of(upload(length=LARGEST_CHUNK * 4), SECRET)
    with pytest.raises(problems.BodyHashMismatch):
        ChunkReader(chunks).receive(b"%x;chunk-signature=%b\r\n" % (LARGEST_CHUNK + 1, b"0" * 64))


def test_a_chunk_head_without_end_takes_no_memory() -> None:
    reader = ChunkReader(plain()[0])
    for _ in range(12):
        assert reader.receive(b"1" * 10) == b""
    with pytest.raises(problems.BodyHashMismatch):
        reader.receive(b"1" * 10)


def test_trailers_without_end_take_no_memory() -> None:
    chunks, body = with_trailer()
    reader = ChunkReader(chunks)
    reader.receive(body[: body.rindex(b"x-amz-checksum")])
    for _ in range(LARGEST_TRAILERS // 8):
        assert reader.receive(b"x-a:bc\r\n") == b""
    with pytest.raises(problems.BodyHashMismatch):
        reader.receive(b"x-a:bc\r\n")


def test_the_reader_holds_two_chunks_and_no_more() -> None:
    size = 64 * 1024
    chunks = chunks_of(upload(length=size * 20), SECRET)
    body = chained(chunks, [bytes((n,)) * size for n in range(20)])
    reader = ChunkReader(chunks)
    released, received = 0, 0
    for at in range(0, len(body), 5000):
        received += len(body[at : at + 5000])
        released += len(reader.receive(body[at : at + 5000]))
        assert received - released < 2 * size + 6000 + 21 * 100
    assert released + len(reader.finish()[0]) == size * 20


def test_an_empty_payload_is_one_empty_chunk() -> None:
    chunks = chunks_of(upload(length=0), SECRET)
    assert decode(chunks, chained(chunks, [])) == (b"", ())


def test_random_parts_come_back_whole() -> None:
    random.seed(7)
    for _ in range(30):
        parts = [random.randbytes(random.randint(1, 3000)) for _ in range(random.randint(0, 6))]
        chunks = chunks_of(upload(length=sum(map(len, parts))), SECRET)
        body = chained(chunks, parts)
        cuts = tuple(sorted(random.randrange(len(body)) for _ in range(5)))
        assert decode(chunks, body, cuts)[0] == b"".join(parts)


# --- trailers


@pytest.mark.parametrize("ends", [b"\r\n", b"\n", b"\n\r\n", b"\r\n\r\n"])
def test_trailer_lines_end_as_their_sender_ends_them(ends: Any) -> None:
    chunks, _ = with_trailer()
    body = chained(chunks, [b"four", b"five5"], b"x-amz-checksum-crc32:AAAAAA==", ends)
    assert decode(chunks, body) == (b"fourfive5", (("x-amz-checksum-crc32", "AAAAAA=="),))


@pytest.mark.parametrize(
    "lines",
    [
        b"x-amz-checksum-sha1:AAAA",
        b"x-amz-checksum-crc32:AAAAAA==\nx-amz-checksum-crc32:AAAAAA==",
        b"x-amz-checksum-crc32:AAAAAA==\nx-amz-acl:public-read",
        b"x-amz-acl:public-read",
        b"x-amz-checksum-crc32: A A",
        b"x-amz-checksum-crc32",
    ],
)
def test_only_the_announced_trailers_may_come(lines: Any) -> None:
    chunks, _ = with_trailer()
    with pytest.raises(problems.SignatureProblem):
        decode(chunks, chained(chunks, [b"four", b"five5"], lines))


def test_announced_trailers_must_come() -> None:
    chunks, _ = with_trailer()
    body = chained(chunks, [b"four", b"five5"])
    with pytest.raises(problems.SignatureProblem):
        decode(chunks, body)


# --- the head


@pytest.mark.parametrize(
    "name", ["", "x-amz-acl", "x-amz-checksum-crc32,x-amz-checksum-crc32", "x-amz-checksum-crc32,"]
)
def test_a_head_announces_checksums_only(name: Any) -> None:
    request = WireRequest(method="PUT", target="/b/k", headers=(("x-amz-trailer", name),))
    with pytest.raises(problems.IncompleteSignature):
        announced_trailers(request)


@pytest.mark.parametrize("length", ["", "-1", "1e3", "٣", "1" * 16])
def test_a_head_says_how_long_the_payload_is(length: Any) -> None:
    request = upload()
    kept = tuple(pair for pair in request.headers if pair[0] != "x-amz-decoded-content-length")
    request = replace(request, headers=(*kept, ("x-amz-decoded-content-length", length)))
    with pytest.raises(problems.IncompleteSignature):
        signed_chunks(request, claim_of(request), SECRET)


@pytest.mark.parametrize("mode", [PayloadMode.UNSIGNED, PayloadMode.STREAMING_UNSIGNED_TRAILER])
def test_other_modes_have_no_chunks_to_verify(mode: Any) -> None:
    request = upload(mode=mode)
    assert signed_chunks(request, claim_of(request), SECRET) is None


def test_the_key_that_travels_shows_nowhere() -> None:
    chunks, _ = plain()
    assert chunks.key.hex() not in repr(chunks)
    assert repr(chunks.key) not in repr(chunks)
