"""Parts of an object fit together, show no secret that a cut goes through, and are as long as they say."""

from __future__ import annotations

import gzip
from random import Random

import pytest

from gateway.masking.bodies import End, Reason, Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.masker import open_body
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan, OpaqueChoice
from gateway.wire.ranges import WIDENED_BYTES, read_range
from tests.masking.documents import document, jwt, pem, survivors


def plan(asked: str, opaque: OpaqueChoice = OpaqueChoice.WITHHOLD) -> MaskPlan:
    return MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, range=asked, opaque=opaque)


def part(
    scanner: ContentScanner, whole: bytes, asked: str, opaque: OpaqueChoice = OpaqueChoice.WITHHOLD
) -> End | Withheld:
    """What a client gets that asks for this range: AWS is asked for the widened one."""
    wanted = read_range(asked)
    assert wanted is not None
    came = read_range(wanted.widened())
    assert came is not None
    first, last = came.within(len(whole)) or (0, 0)
    headers = (
        ("Content-Range", f"bytes {first}-{last}/{len(whole)}"),
        ("Content-Length", str(last - first + 1)),
        ("ETag", '"abc-2"'),
        ("x-amz-checksum-crc32", "AAAAAA=="),
    )
    masker = open_body(206, headers, plan(asked, opaque), scanner=scanner)
    if isinstance(masker, Withheld):
        return masker
    out = b""
    for start in range(first, last + 1, 60_000):
        piece = masker.feed(whole[start : min(start + 60_000, last + 1)])
        if isinstance(piece, Withheld):
            return piece
        out += piece
    end = masker.finish()
    return end if isinstance(end, Withheld) else End(headers=end.headers, body=out + end.body, report=end.report)


def parts(scanner: ContentScanner, whole: bytes, size: int) -> bytes:
    out = b""
    for start in range(0, len(whole), size):
        end = part(scanner, whole, f"bytes={start}-{start + size - 1}")
        assert isinstance(end, End), end
        assert len(end.body) == min(size, len(whole) - start)
        out += end.body
    return out


@pytest.mark.parametrize("seed", range(12))
def test_parts_fit_together_and_hide_what_the_cuts_go_through(scanner: ContentScanner, seed: int) -> None:
    text, secrets = document(seed, around=60_000)
    size = Random(seed).randrange(9_000, 30_000)
    together = parts(scanner, text, size)
    assert len(together) == len(text)
    assert survivors(secrets, together) == []


@pytest.mark.parametrize("kind", [pem, jwt])
def test_a_secret_longer_than_many_parts_shows_in_none(scanner: ContentScanner, kind: object) -> None:
    text, secret = kind(Random(3), 120_000)  # type: ignore[operator]
    whole = b"some words before it\n" * 3000 + text.encode() + b"\n" + b"some words after it\n" * 3000
    together = parts(scanner, whole, 17_001)
    assert survivors([secret], together) == []
    assert together.startswith(b"some words before it\n" * 3000)
    assert together.endswith(b"some words after it\n" * 2000)


def test_clean_text_is_left_as_it_is_in_every_part(scanner: ContentScanner) -> None:
    for line in (b"plain words of a log line\n", b"12345\n", b"a,b,c;1.5,2.5\n", "größe=大きい\n".encode()):
        whole = line * (80_000 // len(line))
        assert parts(scanner, whole, 11_113) == whole


def test_a_part_says_where_it_lies_and_keeps_what_binds_parts_together(scanner: ContentScanner) -> None:
    whole = b"plain words\n" * 10_000
    end = part(scanner, whole, "bytes=50000-50099")
    assert isinstance(end, End)
    assert dict(end.headers) == {"Content-Range": f"bytes 50000-50099/{len(whole)}", "ETag": '"abc-2"'}
    assert end.body == whole[50000:50100]


@pytest.mark.parametrize(("asked", "expected"), [("bytes=-7", slice(-7, None)), ("bytes=119990-", slice(119990, None))])
def test_the_end_may_be_asked_for(scanner: ContentScanner, asked: str, expected: slice) -> None:
    whole = b"plain words\n" * 10_000
    end = part(scanner, whole, asked)
    assert isinstance(end, End)
    assert end.body == whole[expected]


def test_a_range_behind_the_end_is_none_though_its_widening_brings_bytes(scanner: ContentScanner) -> None:
    answer = part(scanner, b"plain words\n", "bytes=12-99")
    assert isinstance(answer, Withheld)
    assert answer.reason is Reason.OUTSIDE


@pytest.mark.parametrize("stated", ["", "bytes 5-9/*", "bytes 20-29/100", "bytes 0-4/100"])
def test_another_part_than_was_asked_for_is_withheld(scanner: ContentScanner, stated: str) -> None:
    answer = open_body(206, (("Content-Range", stated),), plan("bytes=3-9"), scanner=scanner)
    assert isinstance(answer, Withheld)
    assert answer.reason is Reason.RANGE


def test_a_part_of_packed_text_cannot_be_read(scanner: ContentScanner) -> None:
    noise = "".join(Random(1).choices("abcdefghij klmnop\n", k=80_000))
    packed = gzip.compress(f"password=Sw0rdf1sh9 {noise}".encode())
    for asked, expected in (("bytes=0-99", packed[:100]), (f"bytes={2 * WIDENED_BYTES}-", packed[2 * WIDENED_BYTES :])):
        assert isinstance(part(scanner, packed, asked), Withheld)
        end = part(scanner, packed, asked, OpaqueChoice.PASS)
        assert isinstance(end, End)
        assert (end.body, end.report.bytes_scanned) == (expected, 0)


def test_a_whole_answer_to_a_range_is_masked_as_a_whole(scanner: ContentScanner) -> None:
    masker = open_body(200, (), plan("bytes=0-1,5-6"), scanner=scanner)
    assert not isinstance(masker, Withheld)
    masker.feed(b"password=Sw0rdf1sh9\n")
    end = masker.finish()
    assert isinstance(end, End)
    assert end.body == b"password=[REDACTED:password]\n"
