"""A stream of any size costs no memory of its own: plain, compressed, and full of secrets."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gateway.masking.bodies import Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.masker import open_body
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm
from tests.masking.conftest import plan

OBJECT = plan(Protocol.REST_XML, body=BodyForm.BLOB)
LINE = '{"ts":"2026-01-02T10:00:00Z","level":"info","path":"/v1/orders/%d/items","status":200,"ms":%d}\n'
CLEAN = "".join(LINE % (number, number % 900) for number in range(10_000)).encode()
SPARSE = CLEAN[:20_000] + b"password=Sw0rdf1sh9\n"
# The first blocks fill the process's own pools.
WARM_UP_BYTES = 10_000_000
LARGEST_GROWTH_BYTES = 4_000_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def growth(scanner: ContentScanner, body: bytes, total: int) -> int:
    """How much more memory the process has at the end of a stream that repeats `body` than after its first blocks."""
    masker = open_body(200, (("Content-Length", str(total)),), OBJECT, scanner=scanner, salt=b"salt")
    assert not isinstance(masker, Withheld)
    fed = after_first = most = 0
    while fed < total:
        for start in range(0, len(body), 64 * 1024):
            chunk = body[start : start + 64 * 1024]
            assert isinstance(masker.feed(chunk), bytes)
            fed += len(chunk)
        if fed >= WARM_UP_BYTES:
            after_first = after_first or resident_bytes()
            most = max(most, resident_bytes())
    return most - after_first


@pytest.mark.parametrize("body", [CLEAN, SPARSE], ids=["clean", "a secret every 20 KB"])
def test_a_stream_does_not_grow_the_process(scanner: ContentScanner, body: bytes) -> None:
    assert growth(scanner, body, 60_000_000) < LARGEST_GROWTH_BYTES


def test_a_compressed_stream_does_not_either(scanner: ContentScanner) -> None:
    # Members one after the other, as log writers append them.
    assert growth(scanner, gzip.compress(CLEAN * 4), 12_000_000) < LARGEST_GROWTH_BYTES


@pytest.mark.long
def test_a_gigabyte_does_not_grow_the_process(scanner: ContentScanner) -> None:
    assert growth(scanner, CLEAN, 1_000_000_000) < LARGEST_GROWTH_BYTES
