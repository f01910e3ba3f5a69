"""A verified upload travels on plain, or framed anew where S3 has a checksum to check."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.wire.aws_chunked import frame, last_frame, upstream_headers, upstream_payload_hash
from tests.wire.test_chunks_verified import CHECKSUM, decode, plain, with_trailer


def test_without_trailers_the_payload_goes_plain() -> None:
    chunks, _ = plain()
    headers = (
        ("Content-Encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "9"),
        ("x-amz-meta-a", "b"),
    )
    assert upstream_headers(headers, chunks) == (("x-amz-meta-a", "b"),)
    assert upstream_payload_hash(chunks) == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize(("given", "left"), [("aws-chunked,gzip", "gzip"), ("gzip, AWS-Chunked", "gzip")])
def test_other_encodings_of_the_object_stay(given: Any, left: Any) -> None:
    assert upstream_headers((("content-encoding", given),), plain()[0]) == (("content-encoding", left),)


def test_with_trailers_the_payload_goes_framed_so_that_s3_checks_them() -> None:
    chunks, body = with_trailer()
    headers = (("content-encoding", "aws-chunked"), ("x-amz-trailer", CHECKSUM))
    assert upstream_headers(headers, chunks) == headers
    assert upstream_payload_hash(chunks) == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    data, trailers = decode(chunks, body)
    assert frame(data) + last_frame(trailers) == b"9\r\nfourfive5\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    assert frame(b"") == b""
