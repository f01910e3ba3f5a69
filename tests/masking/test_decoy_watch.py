"""Decoys are found wherever they stand in what is sent, in whatever pieces it comes; what is none raises no alarm."""

from __future__ import annotations

import base64
import gzip
import hashlib
import random
import uuid
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.masking.decoy_forms import decoy_for
from gateway.masking.decoy_watch import MOST_FOUND, DecoyWatch, Found, in_value, read_found
from gateway.masking.decoys import SHAPES, Press
from gateway.masking.uploads import UploadWatch

KEY = b"k" * 32
PRESS = Press(key=KEY, tag=7)
KINDS = ("password", "email", "iban", "jwt", "private-key", "aws-access-key", "aws-secret-key", "connection-string")
VALUES = {"aws-access-key": "AKIAQ3EGRIRO7ABCDEFG", "private-key": "-----BEGIN\n", "connection-string": "db://a:b@c"}
DECOYS = {kind: decoy_for(PRESS, kind, VALUES.get(kind, "x")) or "" for kind in KINDS}
PASSWORD = DECOYS["password"]
BASIC = base64.b64encode(f"app:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize(
    "value",
    [
        {"SecretString": PASSWORD},
        {"Item": {"id": {"S": "1"}, "notes": {"L": [{"S": f"uses {PASSWORD}."}]}}},
        {PASSWORD: 1},
        {"Environment": {"Variables": {"DB": f"postgres://app:{PASSWORD}@db/app"}}},
        {"Body": f'{{"password":"{PASSWORD}"}}'.encode()},
        {"header": f"Basic {BASIC}"},
        {"url": f"https://x/?p={quote(PASSWORD)}&q=1"},
        [("a", f"x_{PASSWORD}-y")],
        f"'{PASSWORD}'",
    ],
    ids=str,
)
def test_a_decoy_is_found_wherever_it_stands_in_a_value(value: object) -> None:
    assert set(in_value(KEY, value)) == {Found("word-20", 7)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_found_in_text_and_in_its_base64(kind: str) -> None:
    text = f"export IT='{DECOYS[kind]}'"
    assert {found.tag for found in in_value(KEY, text)} == {7}
    assert {found.tag for found in in_value(KEY, base64.b64encode(text.encode()).decode())} == {7}


@pytest.mark.parametrize("kind", ["email", "iban"])
def test_the_case_in_which_people_write_them_does_not_matter(kind: str) -> None:
    assert {found.tag for found in in_value(KEY, DECOYS[kind].swapcase())} == {7}


@given(seed=st.integers(0, 2**32))
def test_ordinary_ids_raise_no_alarm(seed: int) -> None:
    drawn = random.Random(seed)
    texts = [
        "AKIA" + "".join(drawn.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16)),
        hashlib.sha256(drawn.randbytes(8)).hexdigest(),
        str(uuid.UUID(bytes=drawn.randbytes(16), version=4)),
        base64.b64encode(drawn.randbytes(drawn.randrange(80))).decode(),
        drawn.randbytes(20).hex(),
        f"{drawn.randbytes(12).hex()}@example.com",
    ]
    assert list(in_value(KEY, texts)) == []


@pytest.mark.parametrize("value", [None, 7, "", "short", b"", {}, "A" * 100_000, "=" * 50, "é" * 40, "\ud800" * 40])
def test_odd_values_hold_none(value: object) -> None:
    assert list(in_value(KEY, value)) == []


# -- bytes in pieces

TEXT = b"host=db.internal\n" * 300 + PASSWORD.encode() + b"\n" + b"port=5432\n" * 300


def found_in(data: bytes, cuts: list[int], **watching: Any) -> set[Found]:
    watch, places = UploadWatch(decoy_key=KEY, **watching), [0, *sorted(cuts), len(data)]
    for start, end in pairwise(places):
        watch.look(data[start:end])
    watch.end()
    assert not watch.has_token
    return set(watch.decoys)


PACKED = {
    "plain": TEXT,
    "alone": PASSWORD.encode(),
    "last": b"x " + PASSWORD.encode(),
    "gzip": gzip.compress(TEXT),
    "zstd": zstandard.compress(TEXT),
    "utf-16": TEXT.decode().encode("utf-16"),
    "framed": b"%x\r\n" % len(TEXT) + TEXT + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("data", PACKED.values(), ids=PACKED)
@given(seed=st.integers(0, 2**32))
def test_a_decoy_is_found_wherever_an_upload_is_cut(data: bytes, seed: int) -> None:
    drawn = random.Random(seed)
    assert found_in(data, [drawn.randrange(len(data)) for _ in range(drawn.randrange(12))]) == {Found("word-20", 7)}


@pytest.mark.parametrize("data", PACKED.values(), ids=PACKED)
def test_a_decoy_is_found_byte_by_byte(data: bytes) -> None:
    assert found_in(data, list(range(1, len(data)))) == {Found("word-20", 7)}


def test_a_frames_line_amid_a_decoy_does_not_hide_it() -> None:
    middle = b"aa\r\n" + TEXT[: 5100 + 7] + b"\r\nff;chunk-signature=" + b"5e" * 32 + b"\r\n" + TEXT[5107:]
    assert found_in(middle, [5105, 5150]) == {Found("word-20", 7)}


@pytest.mark.parametrize("cuts", [[], [10], [21], [30], [5, 25, 26]])
def test_a_part_of_a_longer_run_is_no_decoy_wherever_it_is_cut(cuts: list[int]) -> None:
    assert found_in(b"x" + PASSWORD.encode() + b"yz" * 300, cuts) == set()


def test_without_a_key_only_tokens_are_looked_for() -> None:
    watch = UploadWatch()
    watch.look(TEXT + b"[REDACTED:password]")
    watch.end()
    assert (watch.has_token, watch.decoys) == (True, ())


def test_tokens_may_pass_where_only_decoys_are_looked_for() -> None:
    assert found_in(b"[REDACTED:password] " + PASSWORD.encode(), [], tokens=False) == {Found("word-20", 7)}


def test_no_more_are_told_of_than_help() -> None:
    watch = DecoyWatch(KEY)
    for tag in range(2 * MOST_FOUND):
        watch.look((decoy_for(Press(key=KEY, tag=tag), "password", "x") or "").encode() + b"\n")
    assert len(watch.found) == MOST_FOUND


# -- what an edge tells


@pytest.mark.parametrize("found", [Found("word-20", 7), Found("access-key", 499_999_999_999)])
def test_what_an_edge_tells_is_read_back(found: Found) -> None:
    assert read_found(str(found)) == found


@pytest.mark.parametrize(
    "text", ["", "word-20", "word-20:", "word-20:x", "word-99:7", "word-20:500000000000", "word-20:-1", "word-20:७"]
)
def test_and_nothing_else_is(text: str) -> None:
    assert read_found(text) is None
    assert "word-99" not in SHAPES
