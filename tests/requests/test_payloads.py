"""Payloads of S3: what the edge needs to verify signed chunks, and nothing that would let parameters pass unread."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.wire.aws_chunked import ChunkReader
from gateway.wire.contract import BodyMode, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.test_allowed import upstream_of
from tests.requests.world import EdgeLife, Keys, again

CHUNKED = {
    "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "x-amz-decoded-content-length": "4",
    "content-encoding": "aws-chunked,gzip",
}
TRAILED = {
    **CHUNKED,
    "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "x-amz-trailer": "x-amz-checksum-crc32",
}


def put(keys: Keys, headers: dict[str, str], **changed: Any) -> Any:
    signed = keys.sign(method="PUT", target="/bucket/key", headers=dict(headers), body=b"", service="s3")
    return again(signed, **{"body_mode": BodyMode.PAYLOAD, **changed})


def test_signed_chunks_are_verified_with_a_key_for_one_day_and_go_on_plain(
    ready: StrictSts, edge: EdgeLife, keys: Keys
) -> None:
    verdict = edge.admit_one(put(keys, CHUNKED))
    upstream, sent = upstream_of(verdict), dict(upstream_of(verdict).headers)
    assert upstream.chunks is not None
    assert upstream.chunks.decoded_length == 4
    assert ChunkReader(upstream.chunks).receive(b"") == b""
    assert keys.secret not in str(verdict)
    assert sent["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert sent["content-encoding"] == "gzip"
    assert "x-amz-decoded-content-length" not in sent


def test_with_trailers_they_go_on_framed_anew(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    upstream = upstream_of(edge.admit_one(put(keys, TRAILED)))
    sent = dict(upstream.headers)
    assert upstream.chunks is not None
    assert upstream.chunks.trailers == ("x-amz-checksum-crc32",)
    assert sent["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert (sent["x-amz-trailer"], sent["x-amz-decoded-content-length"]) == ("x-amz-checksum-crc32", "4")


@pytest.mark.parametrize("missing", ["x-amz-decoded-content-length", "x-amz-trailer"])
def test_chunks_that_do_not_say_what_comes_are_refused(
    ready: StrictSts, edge: EdgeLife, keys: Keys, missing: str
) -> None:
    headers = {name: value for name, value in TRAILED.items() if name != missing}
    verdict = edge.admit_one(put(keys, headers))
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    assert verdict.answer.status < 500


def test_other_payload_modes_carry_no_key(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    admission = keys.call("s3", "put_object", Bucket="b", Key="k", Body=b"words")
    assert upstream_of(edge.admit_one(admission)).chunks is None


@pytest.mark.parametrize(
    ("target", "service"),
    [("/bucket?policy", "s3"), ("/bucket/key?acl", "s3"), ("/2015-03-31/functions/f/code", "lambda")],
)
def test_what_an_edge_takes_for_an_object_must_be_one(
    ready: StrictSts, edge: EdgeLife, keys: Keys, target: str, service: str
) -> None:
    headers = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    signed = keys.sign(method="PUT", target=target, headers=headers, body=b"", service=service)
    verdict = edge.admit_one(again(signed, body_mode=BodyMode.PAYLOAD))
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    assert b"nobody has read" in verdict.answer.body
