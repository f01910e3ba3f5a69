"""A mask token inside a compressed upload is seen, however it is framed and cut; what cannot be unpacked is passed over."""

from __future__ import annotations

import gzip
import os
import random
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.masking import uploads
from gateway.masking.replacement import token
from gateway.masking.uploads import UploadWatch

TEXT = b"name,password\n" * 500 + f"app,{token('password')}\n".encode() + b"end,none\n" * 500
CLEAN = TEXT.replace(b"REDACTED", b"redacted")
PACKED = {
    "gzip": gzip.compress(TEXT),
    "zstd": zstandard.compress(TEXT),
    "members": gzip.compress(b"x") + gzip.compress(TEXT),
}


def framed(data: bytes, size: int, *, is_signed: bool = False) -> bytes:
    """As SDKs send it: aws-chunked, with a trailer."""
    mark = b";chunk-signature=" + b"5e" * 32 if is_signed else b""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return (
        b"".join(b"%x" % len(piece) + mark + b"\r\n" + piece + b"\r\n" for piece in pieces)
        + b"0"
        + mark
        + b"\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    )


def is_seen(data: bytes, cuts: list[int]) -> bool:
    watch, places = UploadWatch(), [0, *sorted(cuts), len(data)]
    for start, end in pairwise(places):
        watch.look(data[start:end])
    watch.end()
    return watch.has_token


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("is_signed", [None, False, True])
@given(seed=st.integers(0, 2**32))
def test_a_token_is_seen_wherever_the_upload_is_cut(packed: bytes, is_signed: bool | None, seed: int) -> None:
    drawn = random.Random(seed)
    data = packed if is_signed is None else framed(packed, drawn.randrange(1, 200), is_signed=is_signed)
    assert is_seen(data, [drawn.randrange(len(data)) for _ in range(drawn.randrange(12))])


@pytest.mark.parametrize("data", [gzip.compress(TEXT), framed(gzip.compress(TEXT), 64)])
def test_a_token_is_seen_byte_by_byte(data: bytes) -> None:
    assert is_seen(data, list(range(1, len(data))))


def test_a_short_upload_is_judged_at_its_end() -> None:
    data = gzip.compress(token("card").encode())
    assert len(data) < uploads._HEAD
    watch = UploadWatch()
    watch.look(data)
    assert not watch.has_token
    watch.end()
    assert watch.has_token


@pytest.mark.parametrize("data", [TEXT, framed(TEXT, 100), b"[REDACTED:card]"])
def test_plain_uploads_are_watched_as_before(data: bytes) -> None:
    assert is_seen(data, [])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        gzip.compress(CLEAN),
        framed(gzip.compress(CLEAN), 50),
        gzip.compress(TEXT)[:60],
        b"\x1f\x8b\x08" + os.urandom(400),
        b"\x28\xb5\x2f\xfd" + os.urandom(400),
        b"ff\r\n\x1f\x8b\x08" + os.urandom(300),
        b"5\r\n\x1f\x8b\x08\x00\x00zzzz" + b"q" * 300,
    ],
)
def test_what_holds_none_or_cannot_be_unpacked_raises_no_alarm(data: bytes) -> None:
    assert not is_seen(data, [3, 40, 90])


def test_a_bomb_is_not_unpacked_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b"\0" * 100_000_000 + TEXT)
    assert not is_seen(bomb, [])
    monkeypatch.setattr(uploads, "MOST_UNPACKED", 1000)
    assert not is_seen(gzip.compress(b"words of a line\n" * 100_000 + TEXT), [])
