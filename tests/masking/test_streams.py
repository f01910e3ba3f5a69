"""A stream reads the same wherever it is cut, and no planted secret survives, whatever its size."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.masking.content import ContentScanner
from gateway.masking.cutting import BLOCK, CONTEXT, LONGEST_HELD
from gateway.masking.streaming import Masker
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm
from tests.masking.conftest import plan
from tests.masking.documents import LONG, document, jwt, pem, survivors

TEXT = plan(Protocol.REST_XML, body=BodyForm.BLOB)
SEEDS = st.integers(0, 2**40)
# Small blocks put a cut into every document; the product's own are tested with documents of ten of them.
SIZES = (1, 1, CONTEXT // 2, CONTEXT, 2 * CONTEXT)


def masked(scanner: ContentScanner, text: bytes, cuts: list[int], **how: object) -> bytes:
    masker = Masker(TEXT, scanner=scanner, **how)  # type: ignore[arg-type]  # options as the test names them
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return b"".join(masker.feed(text[start:end]) for start, end in pairwise(edges)) + masker.finish()


def check(scanner: ContentScanner, seed: int) -> None:
    """One document, whole and cut anew: the same output, without a planted secret."""
    random = Random(seed)
    block = random.choice((CONTEXT, 4 * CONTEXT))
    text, secrets = document(seed, around=random.choice(SIZES))
    whole = masked(scanner, text, [], block=block)
    assert survivors(secrets, whole) == []
    cuts = [random.randrange(len(text)) for _ in range(random.randrange(1, 40))]
    assert masked(scanner, text, cuts, block=block) == whole
    if len(text) < 9_000:
        assert masked(scanner, text, list(range(len(text))), block=block) == whole


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=500, deadline=None, suppress_health_check=QUIET)
@given(seed=SEEDS)
def test_a_stream_reads_the_same_wherever_it_is_cut_and_hides_every_secret(scanner: ContentScanner, seed: int) -> None:
    check(scanner, seed)


@pytest.mark.long
@settings(max_examples=10_000, deadline=None, suppress_health_check=QUIET)
@given(seed=SEEDS)
def test_ten_thousand_documents(scanner: ContentScanner, seed: int) -> None:
    check(scanner, seed)


@pytest.mark.parametrize("seed", range(2))
def test_the_products_own_blocks_hide_as_much(scanner: ContentScanner, seed: int) -> None:
    text, secrets = document(seed, around=2 * BLOCK)
    whole = masked(scanner, text, [])
    assert survivors(secrets, whole) == []
    assert masked(scanner, text, list(range(0, len(text), 1460))) == whole


@pytest.mark.parametrize("size", [*LONG, 3 * BLOCK, 5 * BLOCK])
@pytest.mark.parametrize("kind", [pem, jwt])
def test_a_secret_of_any_length_leaves_no_tail(scanner: ContentScanner, kind: Any, size: int) -> None:
    text, secret = kind(Random(size), size)
    before, after = b"plain words " * 2_000, b"\nwords after it\n" + b"plain words " * 2_000
    out = masked(scanner, before + text.encode() + after, [])
    assert survivors([secret], out) == []
    assert out.startswith(before)
    assert out.endswith(after)
    assert out.count(b"[REDACTED:") == 1


def test_a_key_with_strange_characters_is_hidden_to_its_end_marker_across_a_cut(scanner: ContentScanner) -> None:
    text, secret = pem(Random(5), 20 * CONTEXT)
    odd = text.replace("\n", "&#10;").encode()
    out = masked(scanner, b"x " * 1000 + odd + b" after\n" * 5000, [], block=CONTEXT)
    assert survivors([secret], out) == []
    assert out.endswith(b" after\n" * 5000)


def test_bytes_that_are_no_utf8_survive_around_a_secret(scanner: ContentScanner) -> None:
    line = b"caf\xe9 \xff\xfe \x80 words\n"
    out = masked(scanner, line * 8000 + b"password=Sw0rdf1sh9\n" + line * 8000, [100_001])
    assert out == line * 8000 + b"password=[REDACTED:password]\n" + line * 8000


def test_a_number_under_a_secret_name_stays_a_number(scanner: ContentScanner) -> None:
    line = b'{"user": "words", "pin_code": 48291733, "n": 1}\n'
    out = masked(scanner, line * 6000, [])
    assert b"48291733" not in out
    assert [json.loads(one)["pin_code"] for one in out.splitlines()] == [0] * 6000


@pytest.mark.parametrize("block", [CONTEXT, BLOCK])
def test_a_masked_text_of_the_same_length_keeps_every_offset(scanner: ContentScanner, block: int) -> None:
    text, secrets = document(11, around=3 * CONTEXT)
    long, _ = pem(Random(3), 3 * BLOCK)
    whole = text + long.encode() + b"\nend\n" + text
    out = masked(scanner, whole, [777], is_same_length=True, block=block)
    assert len(out) == len(whole)
    assert survivors(secrets, out) == []
    kept = sum(before == after for before, after in zip(whole, out, strict=True))
    assert kept > len(whole) // 20


def test_what_is_held_back_is_bounded_whatever_comes(scanner: ContentScanner) -> None:
    for text in (b"A" * 2_000_000, b"-----BEGIN PRIVATE KEY-----\n" * 20_000, b"plain words\n" * 50_000):
        masker = Masker(TEXT, scanner=scanner)
        most = 0
        for start in range(0, len(text), 60_000):
            masker.feed(text[start : start + 60_000])
            most = max(most, masker.held)
        assert most < LONGEST_HELD


def test_small_chunks_of_a_run_without_end_do_not_cost_their_square(scanner: ContentScanner) -> None:
    masker = Masker(TEXT, scanner=scanner)
    started = time.process_time()
    for _ in range(300_000):
        masker.feed(b"A")
    masker.finish()
    assert time.process_time() - started < 5


def test_counts_are_of_secrets_not_of_pieces(scanner: ContentScanner) -> None:
    masker = Masker(TEXT, scanner=scanner)
    long, _ = pem(Random(1), 8 * BLOCK)
    masker.feed(long.encode() + b"\npassword=Sw0rdf1sh9\n")
    masker.finish()
    assert masker.tally.types() == {"private-key": 1, "password": 1}
