"""Payloads by what they are: text is masked inside its codings, the rest follows the connection's choice."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable

import pytest
import zstandard

from gateway.masking.bodies import End, Reason, Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.content_types import Readability, classify, is_text
from gateway.masking.masker import open_body
from gateway.masking.payloads import LARGEST_KEPT
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan, OpaqueChoice
from tests.masking.conftest import Send, plan

OBJECT = plan(Protocol.REST_XML, body=BodyForm.BLOB)
PASSING = plan(Protocol.REST_XML, body=BodyForm.BLOB, opaque=OpaqueChoice.PASS)
LINE = "order 7 shipped, password=Sw0rdf1sh9, next\n"
MASKED = "order 7 shipped, password=[REDACTED:password], next\n"
FEW, MANY = 20, 60_000
CLEAN = "plain words of a log, nothing else\n"


def zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", text)
    return out.getvalue()


def zlib_gzip(text: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(text) + packer.flush()


def reason(answer: object) -> Reason:
    assert isinstance(answer, Withheld), answer
    return answer.reason


# --- text inside its codings

CODINGS: dict[str, tuple[Callable[[str], bytes], Callable[[bytes], str]]] = {
    "plain": (str.encode, bytes.decode),
    "gzip": (lambda text: gzip.compress(text.encode()), lambda body: gzip.decompress(body).decode()),
    "two gzip members": (
        lambda text: gzip.compress(text[:100].encode()) + gzip.compress(text[100:].encode()),
        lambda body: gzip.decompress(body).decode(),
    ),
    "zstd": (
        lambda text: zstandard.compress(text.encode()),
        lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body).decode(),
    ),
    "utf-16": (lambda text: text.encode("utf-16"), lambda body: body.decode("utf-16")),
    "utf-16 without mark": (lambda text: text.encode("utf-16-be"), lambda body: body.decode("utf-16-be")),
    "utf-8 with mark": (lambda text: text.encode("utf-8-sig"), lambda body: body.decode("utf-8-sig")),
    "utf-16 in gzip": (
        lambda text: gzip.compress(text.encode("utf-16")),
        lambda body: gzip.decompress(body).decode("utf-16"),
    ),
}


@pytest.mark.parametrize("lines", [FEW, MANY])
@pytest.mark.parametrize("name", CODINGS)
def test_text_is_masked_inside_its_codings(send: Send, name: str, lines: int) -> None:
    write, read = CODINGS[name]
    text = LINE + CLEAN * lines + LINE
    body = write(text)
    end = send(body, OBJECT, headers=(("Content-Type", "binary/octet-stream"),), cuts=range(0, len(body), 50_021))
    assert isinstance(end, End)
    assert read(end.body) == MASKED + CLEAN * lines + MASKED
    assert end.report.masked_by_type == {"password": 2}
    assert (end.report.bytes_scanned, end.report.bytes_unscanned) == (len(body), 0)


@pytest.mark.parametrize("name", CODINGS)
def test_a_small_text_without_secrets_is_upstreams_own(send: Send, name: str) -> None:
    body = CODINGS[name][0](CLEAN * FEW)
    headers = (("Content-Length", str(len(body))), ("ETag", '"abc"'), ("x-amz-checksum-crc32", "AAAAAA=="))
    end = send(body, OBJECT, headers=headers)
    assert isinstance(end, End)
    assert end.body == body
    assert set(end.headers) == set(headers)


def test_the_header_that_names_a_coding_stays_true(send: Send) -> None:
    body = gzip.compress((LINE * FEW).encode())
    end = send(body, OBJECT, headers=(("Content-Encoding", "gzip"),))
    assert isinstance(end, End)
    assert ("Content-Encoding", "gzip") in end.headers
    assert gzip.decompress(end.body).decode() == MASKED * FEW


def test_a_large_text_is_sent_while_it_comes_and_says_nothing_it_cannot_know(scanner: ContentScanner) -> None:
    text = (CLEAN * MANY).encode()
    headers = (
        ("Content-Length", str(len(text))),
        ("Content-Type", "text/plain"),
        ("ETag", '"5d41402abc4b2a76b9719d911017c592"'),
        ("x-amz-checksum-crc64nvme", "x"),
        ("x-amz-meta-owner", "billing"),
    )
    masker = open_body(200, headers, OBJECT, scanner=scanner)
    assert not isinstance(masker, Withheld)
    sent = b""
    for start in range(0, len(text) // 2, 65_536):
        sent += masker.feed(text[start : start + 65_536])  # type: ignore[operator]
    assert masker.headers == (("Content-Type", "text/plain"), ("x-amz-meta-owner", "billing"))
    assert masker.length is None
    assert len(sent) > len(text) // 3


def test_json_of_any_small_size_is_read_as_json(send: Send) -> None:
    record = {"name": "db", "clientSecret": 48291733, "nested": json.dumps({"password": "Sw0rdf1sh9"})}
    end = send(json.dumps([record] * 3000).encode(), OBJECT)
    assert isinstance(end, End)
    masked = json.loads(end.body)
    assert (len(masked), masked[0]["name"], masked[2999]["clientSecret"]) == (3000, "db", 0)
    assert b"Sw0rdf1sh9" not in end.body


@pytest.mark.parametrize("declared", ["image/png", "application/zip", "application/octet-stream", "", "video/mp4"])
def test_a_declared_type_never_hides_text(send: Send, declared: str) -> None:
    end = send(LINE.encode(), PASSING, headers=(("Content-Type", declared),))
    assert isinstance(end, End)
    assert end.body == MASKED.encode()


# --- what cannot be read

OPAQUE = {
    "image": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "archive": zipped(LINE),
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"1 0 obj\n" * 20,
    "parquet": b"PAR1\x15\x04\x15\x10" + bytes(64),
    "xz": lzma.compress(LINE.encode()),
    "bzip2": bz2.compress(LINE.encode()),
    "encrypted": b"Salted__" + bytes(range(128, 256)),
    "archive in gzip": gzip.compress(zipped(LINE)),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_an_opaque_payload_is_withheld_unless_the_connection_passes_it(send: Send, name: str) -> None:
    assert reason(send(OPAQUE[name], OBJECT)) is Reason.OPAQUE
    headers = (("Content-Length", str(len(OPAQUE[name]))), ("ETag", '"abc"'))
    end = send(OPAQUE[name], PASSING, headers=headers)
    assert isinstance(end, End)
    assert (end.body, set(end.headers)) == (OPAQUE[name], set(headers))
    assert (end.report.bytes_scanned, end.report.bytes_unscanned) == (0, len(OPAQUE[name]))


UNKNOWN = [bytes(range(256)) * 8, b"text\x00more", b"\x80\x03}q\x00X\x01"]


@pytest.mark.parametrize("body", UNKNOWN)
def test_unknown_bytes_follow_the_choice_too(send: Send, body: bytes) -> None:
    assert reason(send(body, OBJECT)) is Reason.UNKNOWN
    end = send(body, PASSING)
    assert isinstance(end, End)
    assert end.body == body
    assert end.report.bytes_unscanned == len(body)


def test_a_large_opaque_payload_is_withheld_before_its_first_byte(scanner: ContentScanner) -> None:
    masker = open_body(200, (("Content-Length", str(3 * LARGEST_KEPT)),), OBJECT, scanner=scanner)
    assert not isinstance(masker, Withheld)
    assert masker.feed(OPAQUE["image"]) == b""
    assert reason(masker.feed(bytes(LARGEST_KEPT))) is Reason.OPAQUE
    assert reason(masker.feed(b"more")) is Reason.OPAQUE
    assert reason(masker.finish()) is Reason.OPAQUE


def test_a_large_opaque_payload_that_may_pass_keeps_its_length(scanner: ContentScanner) -> None:
    body = OPAQUE["image"] + bytes(2 * LARGEST_KEPT)
    masker = open_body(200, (("Content-Length", str(len(body))),), PASSING, scanner=scanner)
    assert not isinstance(masker, Withheld)
    assert masker.feed(body) == body
    assert (masker.length, masker.headers) == (len(body), (("Content-Length", str(len(body))),))


def test_text_that_turns_into_something_else_stops_there(scanner: ContentScanner) -> None:
    masker = open_body(200, (), OBJECT, scanner=scanner)
    assert not isinstance(masker, Withheld)
    assert isinstance(masker.feed((CLEAN * MANY).encode()), bytes)
    last = [masker.feed(bytes(1000) + (CLEAN * 10_000).encode()), masker.finish()]
    assert {reason(each) for each in last} == {Reason.UNKNOWN}


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(LINE.encode())[:-9],
        b"\x1f\x8b\x08" + b"words and words" * 9,
        zstandard.compress(LINE.encode())[:-4],
        gzip.compress(LINE.encode()) + b"trailing words",
    ],
)
def test_broken_codings_are_withheld(send: Send, body: bytes) -> None:
    assert reason(send(body, OBJECT)) is Reason.UNDECODABLE


@pytest.mark.parametrize("coding", ["br", "compress", "gzip, br"])
def test_a_coding_nobody_here_speaks_is_withheld_even_around_text(send: Send, coding: str) -> None:
    assert reason(send(LINE.encode(), OBJECT, headers=(("Content-Encoding", coding),))) is Reason.ENCODED


@pytest.mark.parametrize("pack", [zlib_gzip, zstandard.compress])
def test_a_bomb_ends_early(
    scanner: ContentScanner, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.masking.codings.SMALLEST_BOMB", 2 * 1024 * 1024)
    body = pack(b" " * 40_000_000)
    masker = open_body(200, (), OBJECT, scanner=scanner)
    assert not isinstance(masker, Withheld)
    answer = masker.feed(body)
    assert reason(masker.finish() if answer == b"" else answer) is Reason.UNDECODABLE


# --- the table


@pytest.mark.parametrize(
    ("declared", "sample", "expected"),
    [
        ("image/png", b"words", Readability.DECODED),
        ("image/svg+xml", b"<svg/>", Readability.DECODED),
        ("text/plain", b"\x89PNG\r\n\x1a\n", Readability.OPAQUE),
        ("application/vnd.apache.parquet", b"\x00\x01\x02", Readability.OPAQUE),
        ("application/octet-stream", b"\x00\x01\x02", Readability.UNKNOWN),
        ("text/plain", b"\x00\x01\x02", Readability.UNKNOWN),
        ("", b"", Readability.DECODED),
        ("", b"\x1b[31mred\x1b[0m\n", Readability.DECODED),
        ("", "größer, 大きい".encode(), Readability.DECODED),
        ("", "größer, 大きい".encode()[:-1], Readability.DECODED),
        ("", "ein größerer Preis".encode("latin-1"), Readability.DECODED),
    ],
)
def test_what_a_payload_is(declared: str, sample: bytes, expected: Readability) -> None:
    assert classify(declared, sample).readability is expected


def test_random_bytes_are_no_text() -> None:
    assert not is_text(bytes(range(1, 256)))
    assert not is_text(b"\x93\xfe\xd0" * 100)


def test_no_way_of_cutting_changes_what_is_sent(scanner: ContentScanner) -> None:
    body = gzip.compress((LINE * 3 + CLEAN * 200).encode())
    whole: set[tuple[object, ...]] = set()
    for step in (1, 7, 100, len(body)):
        masker = open_body(200, (), MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB), scanner=scanner)
        assert not isinstance(masker, Withheld)
        assert all(masker.feed(body[start : start + step]) == b"" for start in range(0, len(body), step))
        end = masker.finish()
        assert isinstance(end, End)
        whole.add((end.body, end.headers))
    assert len(whole) == 1
