"""What cannot be masked is withheld before its first byte, and what a rule clears passes as it came."""

from __future__ import annotations

import time

import pytest

from gateway.masking.bodies import BodyMasker, End, Reason, Withheld
from gateway.masking.content import ContentScanner
from gateway.masking.masker import open_body
from gateway.terms import Protocol
from gateway.wire.contract import LARGEST_SCANNED_BODY, BodyForm, MaskPlan
from tests.masking.conftest import Send, plan

OBJECT = plan(Protocol.REST_XML, body=BodyForm.BLOB)


def _reason(answer: object) -> Reason:
    assert isinstance(answer, Withheld)
    assert answer.code == "masking.withheld"
    return answer.reason


def test_the_head_alone_refuses_what_could_never_be_masked(scanner: ContentScanner) -> None:
    ranged = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, reads_range=True)
    structure = plan(Protocol.REST_XML)
    too_long = (("Content-Length", str(LARGEST_SCANNED_BODY + 1)),)
    assert _reason(open_body(200, (("Content-Encoding", "gzip"),), structure, scanner=scanner)) is Reason.ENCODED
    assert _reason(open_body(206, (), OBJECT, scanner=scanner)) is Reason.RANGE
    assert _reason(open_body(206, (), ranged, scanner=scanner)) is Reason.RANGE
    assert _reason(open_body(200, too_long, structure, scanner=scanner)) is Reason.TOO_LARGE


def test_a_structure_that_grows_past_the_limit_is_withheld_and_stays_so(scanner: ContentScanner) -> None:
    masker = open_body(200, (), plan(Protocol.REST_XML), scanner=scanner)
    assert isinstance(masker, BodyMasker)
    assert masker.feed(b"x" * LARGEST_SCANNED_BODY) == b""
    assert _reason(masker.feed(b"y")) is Reason.TOO_LARGE
    assert _reason(masker.feed(b"")) is Reason.TOO_LARGE
    assert _reason(masker.finish()) is Reason.TOO_LARGE


def test_an_error_of_a_ranged_or_streamed_call_is_masked_like_any_other(send: Send) -> None:
    ranged = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, reads_range=True)
    body = b"<Error><Code>NoSuchKey</Code></Error>"
    end = send(body, ranged, status=404)
    assert isinstance(end, End)
    assert end.body == body


def test_a_proxy_error_in_html_is_scanned_as_text(send: Send) -> None:
    end = send(b"<html>502 <br>Authorization: Bearer 3f9aa81c77de42b19c", plan(Protocol.JSON), status=502)
    assert isinstance(end, End)
    assert end.body == b"<html>502 <br>Authorization: Bearer [REDACTED:secret]"


def test_a_cleared_body_streams_through_unread(scanner: ContentScanner) -> None:
    cleared = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, is_clear=True, reads_range=True)
    headers = (("Transfer-Encoding", "chunked"), ("x-amz-checksum-crc32", "AAAAAA=="))
    masker = open_body(206, headers, cleared, scanner=scanner)
    assert isinstance(masker, BodyMasker)
    assert masker.headers == headers
    assert masker.feed(b"\x00password=hunter2!") == b"\x00password=hunter2!"
    end = masker.finish()
    assert isinstance(end, End)
    assert (end.body, end.report.bytes_scanned, end.report.bytes_unscanned) == (b"", 0, 18)


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (204, "DELETE"), (304, "GET")])
def test_a_response_without_body_keeps_its_head(scanner: ContentScanner, status: int, method: str) -> None:
    headers = (("Content-Length", "99999999999"), ("ETag", '"abc"'))
    masker = open_body(status, headers, OBJECT, method=method, scanner=scanner)
    assert isinstance(masker, BodyMasker)
    end = masker.finish()
    assert isinstance(end, End)
    assert (end.headers, end.body) == (headers, b"")


@pytest.mark.parametrize("protocol", list(Protocol))
def test_an_empty_body_is_fine_in_every_protocol(send: Send, protocol: Protocol) -> None:
    end = send(b"", plan(protocol, "A"), headers=(("Content-Length", "0"), ("Content-Encoding", "gzip")))
    assert isinstance(end, End)
    assert end.body == b""


def test_cleared_types_pass_and_the_others_do_not(send: Send) -> None:
    body = b"password=hunter2! and ghp_0123456789abcdefghijABCDEFGHIJ012345"
    passwords = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, clear=("password",))
    everything = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, clear=("secret",))
    end = send(body, passwords)
    assert isinstance(end, End)
    assert end.body == b"password=hunter2! and [REDACTED:secret]"
    end = send(body, everything)
    assert isinstance(end, End)
    assert end.body == body


def test_private_types_are_masked_where_policy_asks(send: Send) -> None:
    body = b"paid with 4111 1111 1111 1111 by bob@example.org, order 4111 1111 1111 1112"
    end = send(body, OBJECT)
    assert isinstance(end, End)
    assert end.body == body
    end = send(body, MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, masks=("card", "email")))
    assert isinstance(end, End)
    assert end.body == b"paid with [REDACTED:card] by [REDACTED:email], order 4111 1111 1111 1112"
    assert end.report.masked_by_type == {"card": 1, "email": 1}


@pytest.mark.parametrize("nonsense", [b"token=" * 200_000, b"-----BEGIN PRIVATE KEY-----" * 40_000])
def test_text_that_nests_settings_without_end_is_withheld_or_masked_soon(send: Send, nonsense: bytes) -> None:
    started = time.process_time()
    answer = send(nonsense, OBJECT)
    assert isinstance(answer, Withheld) or answer.report.masked_by_type
    assert time.process_time() - started < 10
