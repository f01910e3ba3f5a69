"""Headers: users' text in them is masked, and lengths and checksums tell of the bytes that are really sent."""

from __future__ import annotations

import base64
import hashlib
import zlib

from gateway.masking.bodies import End
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan
from tests.masking.conftest import Send, paths, plan

CANARY = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
OBJECT = plan(Protocol.REST_XML, body=BodyForm.BLOB)


def test_metadata_is_masked_on_get_and_head(send: Send) -> None:
    headers = (
        ("x-amz-meta-note", f"uses {CANARY}"),
        ("x-amz-meta-password", "hunter2"),
        ("x-amz-meta-owner", "team-a"),
    )
    for method in ("GET", "HEAD"):
        end = send(b"", OBJECT, headers=headers, method=method)
        assert isinstance(end, End)
        assert end.headers[:3] == (
            ("x-amz-meta-note", "uses [REDACTED:secret]"),
            ("x-amz-meta-password", "[REDACTED:password]"),
            ("x-amz-meta-owner", "team-a"),
        )
        assert end.report.masked_by_type == {"secret": 1, "password": 1}


def test_metadata_in_rfc_2047_words_is_read_before_it_is_judged(send: Send) -> None:
    word = base64.b64encode(f"schlüssel {CANARY}".encode()).decode()
    end = send(
        b"", OBJECT, headers=(("x-amz-meta-note", f"=?UTF-8?B?{word}?="), ("x-amz-meta-city", "=?UTF-8?Q?K=C3=B6ln?="))
    )
    assert isinstance(end, End)
    assert end.headers[0] == ("x-amz-meta-note", "schl?ssel [REDACTED:secret]")
    assert end.headers[1] == ("x-amz-meta-city", "=?UTF-8?Q?K=C3=B6ln?=")


def test_headers_named_by_the_plan_are_masked(send: Send) -> None:
    mask = MaskPlan(
        protocol=Protocol.REST_JSON, body=BodyForm.STRUCTURE, header_paths=paths("X-Session-Token", "x-amz-meta-*")
    )
    end = send(b"{}", mask, headers=(("x-session-token", "abc"), ("X-Amz-Meta-A", "b"), ("X-Other", "c")))
    assert isinstance(end, End)
    assert end.headers[:3] == (
        ("x-session-token", "[REDACTED:secret]"),
        ("X-Amz-Meta-A", "[REDACTED:secret]"),
        ("X-Other", "c"),
    )


def test_lambdas_log_tail_is_masked_inside_its_base64(send: Send) -> None:
    log = base64.b64encode(b"START\npassword=hunter2!\nEND").decode()
    end = send(b"{}", plan(Protocol.REST_JSON, body=BodyForm.BLOB), headers=(("X-Amz-Log-Result", log), ("a", "b")))
    assert isinstance(end, End)
    assert base64.b64decode(end.headers[0][1]) == b"START\npassword=[REDACTED:password]\nEND"


def test_a_log_tail_that_is_marked_secret_still_decodes(send: Send) -> None:
    log = base64.b64encode(b"START\npassword=hunter2!\nEND").decode()
    marked = plan(Protocol.REST_JSON, body=BodyForm.BLOB, header_paths=paths("x-amz-log-result"))
    end = send(b"{}", marked, headers=(("X-Amz-Log-Result", log),))
    assert isinstance(end, End)
    assert (
        base64.b64decode(dict(end.headers)["X-Amz-Log-Result"], validate=True)
        == b"START\npassword=[REDACTED:password]\nEND"
    )


def test_a_log_tail_that_does_not_decode_is_replaced(send: Send) -> None:
    end = send(
        b"{}", plan(Protocol.REST_JSON, body=BodyForm.BLOB), headers=(("X-Amz-Log-Result", "!password=hunter2!"),)
    )
    assert isinstance(end, End)
    assert base64.b64decode(end.headers[0][1]) == b"[REDACTED:secret]"


def test_an_unchanged_body_keeps_its_checksums_and_is_framed_by_length(send: Send) -> None:
    headers = (("ETag", '"' + "a" * 32 + '"'), ("x-amz-checksum-crc32", "AAAAAA=="), ("Transfer-Encoding", "chunked"))
    end = send(b"hello", OBJECT, headers=headers)
    assert isinstance(end, End)
    assert end.headers == (*headers[:2], ("Content-Length", "5"))


def test_a_changed_body_gets_headers_of_its_own(send: Send) -> None:
    stale = (
        ("Content-Length", "21"),
        ("Content-MD5", "x"),
        ("x-amz-checksum-sha256", "x"),
        ("X-Amz-Checksum-Crc64nvme", "x"),
        ("x-amz-crc32", "1"),
        ("ETag", '"' + "a" * 32 + '"'),
        ("x-amz-request-id", "R"),
    )
    end = send(b"password=hunter2! bye", OBJECT, headers=stale)
    assert isinstance(end, End)
    assert end.headers == (
        ("x-amz-crc32", str(zlib.crc32(end.body))),
        ("ETag", f'"{hashlib.md5(end.body).hexdigest()}"'),
        ("x-amz-request-id", "R"),
        ("Content-Length", str(len(end.body))),
    )


def test_the_etag_of_a_multipart_object_is_no_digest_and_stays(send: Send) -> None:
    end = send(b"password=hunter2! bye", OBJECT, headers=(("ETag", '"' + "a" * 32 + '-2"'),))
    assert isinstance(end, End)
    assert end.headers[0] == ("ETag", '"' + "a" * 32 + '-2"')


def test_awss_own_headers_are_left_alone(send: Send) -> None:
    token = "Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg=="
    headers = (("x-amz-id-2", token), ("x-amz-version-id", "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"), ("Server", "AmazonS3"))
    end = send(b"", OBJECT, headers=headers)
    assert isinstance(end, End)
    assert end.headers[:3] == headers
