"""A signature is believed exactly when the secret we issued made it over exactly this request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.wire import problems
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import PayloadMode, claim_of, verify
from tests.wire.corpus import ACCESS_KEY, SECRET, wire_request

URL = "https://gateway.test:8443"


def signed(
    service: str = "dynamodb",
    *,
    method: str = "POST",
    path: str = "/",
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    token: str | None = None,
) -> WireRequest:
    auth = S3SigV4Auth if service in ("s3", "s3express") else SigV4Auth
    request = AWSRequest(method=method, url=URL + path, data=body, headers=headers or {})
    auth(Credentials(ACCESS_KEY, SECRET, token), service, "eu-west-1").add_auth(request)
    return wire_request(request.prepare())


def presigned(service: str = "s3", *, method: str = "GET", path: str = "/b/k", expires: int = 900) -> WireRequest:
    auth = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
    request = AWSRequest(method=method, url=URL + path)
    auth(Credentials(ACCESS_KEY, SECRET), service, "eu-west-1", expires=expires).add_auth(request)
    return wire_request(request.prepare())


def check(request: WireRequest, *, secret: str = SECRET, now: datetime | None = None) -> None:
    digest = hashlib.sha256(request.body).hexdigest()
    verify(request, claim_of(request), secret, now=now or datetime.now(UTC), body_sha256=digest)


def with_header(request: WireRequest, name: str, value: str) -> WireRequest:
    others = tuple(pair for pair in request.headers if pair[0].lower() != name.lower())
    return replace(request, headers=(*others, (name, value)))


PATHS = [
    "/",
    "/plain",
    "/a%20b",
    "/a%2Fb",
    "/caf%C3%A9/%E2%82%AC",
    "/~tilde/-._",
    "/arn%3Aaws%3Alambda%3Aeu-west-1%3A111122223333%3Afunction%3Af",
    "/a/b/",
    "/with%25percent",
    "/plus%2Bplus",
    "/semi%3Bcolon%40at",
    "/?a=1",
    "/?b=2&a=1&a=0",
    "/?acl",
    "/?acl=&x",
    "/?k%C3%A9y=v%20v%2Bv",
    "/p?prefix=a%2Fb&delimiter=%2F&list-type=2",
]
SERVICES = [
    "dynamodb",
    "ec2",
    "lambda",
    "sts",
    "execute-api",
    "s3",
    "s3express",
    "secretsmanager",
    "IoTSecuredTunneling",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("service", SERVICES)
def test_what_botocore_signs_is_accepted(service: Any, path: Any) -> None:
    check(signed(service, path=path))


@pytest.mark.parametrize("path", ["/b//double//slash", "/b/./dot", "/b/../up", "/b/key%20(1)%2B%E2%82%AC/", "/b//"])
def test_s3_paths_are_taken_as_they_are(path: Any) -> None:
    check(signed("s3", method="GET", path=path, body=b""))


@pytest.mark.parametrize(("path", "folded"), [("/a/./b", "/a/b"), ("/a/../b", "/b"), ("//a", "/a")])
def test_other_paths_are_folded_before_signing(path: Any, folded: Any) -> None:
    check(replace(signed("lambda", path=folded), target=path))


@pytest.mark.parametrize("path", PATHS[:6])
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
def test_presigned_urls_are_accepted(method: Any, path: Any) -> None:
    check(presigned(method=method, path=path))


def test_a_presigned_sts_url_is_accepted_with_an_empty_body() -> None:
    check(presigned("sts", path="/?Action=GetCallerIdentity&Version=2011-06-15"))


@pytest.mark.parametrize("service", SERVICES)
def test_the_session_token_is_part_of_what_is_signed(service: Any) -> None:
    request = signed(service, token="gateway-token")
    assert claim_of(request).session_token == "gateway-token"
    check(request)
    with pytest.raises(problems.SignatureDoesNotMatch):
        check(with_header(request, "X-Amz-Security-Token", "another"))


TAMPERINGS: dict[str, Callable[[WireRequest], WireRequest]] = {
    "method": lambda r: replace(r, method="PUT" if r.method != "PUT" else "POST"),
    "path": lambda r: replace(r, target="/x" + r.target),
    "query": lambda r: replace(r, target=r.target + ("&" if "?" in r.target else "?") + "x=1"),
    "body": lambda r: replace(r, body=r.body + b" "),
    "host": lambda r: with_header(r, "host", "other.test"),
    "date": lambda r: with_header(r, "X-Amz-Date", f"{datetime.now(UTC) + timedelta(seconds=7):%Y%m%dT%H%M%S}Z"),
    "added header": lambda r: with_header(r, "x-amz-acl", "public-read"),
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("what", TAMPERINGS)
def test_whatever_is_changed_on_the_way_is_refused(service: Any, what: Any) -> None:
    tampered = TAMPERINGS[what](signed(service, path="/a?b=1", body=b"body"))
    with pytest.raises(problems.SignatureProblem):
        check(tampered)


@pytest.mark.parametrize("service", SERVICES)
def test_another_secret_is_refused(service: Any) -> None:
    with pytest.raises(problems.SignatureDoesNotMatch):
        check(signed(service), secret=SECRET + "x")


@pytest.mark.parametrize("at", range(0, 64, 7))
def test_one_changed_digit_of_the_signature_is_refused(at: Any) -> None:
    request = signed()
    claim = claim_of(request)
    digit = "0" if claim.signature[at] != "0" else "1"
    forged = replace(claim, signature=claim.signature[:at] + digit + claim.signature[at + 1 :])
    with pytest.raises(problems.SignatureDoesNotMatch):
        verify(request, forged, SECRET, now=datetime.now(UTC), body_sha256=hashlib.sha256(b"{}").hexdigest())


def test_one_changed_character_of_a_presigned_url_is_refused() -> None:
    request = presigned()
    with pytest.raises(problems.SignatureProblem):
        check(replace(request, target=request.target.replace("/b/k", "/b/l")))
    with pytest.raises(problems.SignatureProblem):
        check(replace(request, target=request.target.replace("X-Amz-Expires=900", "X-Amz-Expires=901")))


# --- time


@pytest.mark.parametrize("seconds", [-299, -1, 0, 1, 299])
def test_five_minutes_of_difference_are_accepted(seconds: Any) -> None:
    check(signed(), now=datetime.now(UTC) + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-3600, -302, 302, 3600, 86400 * 7])
def test_more_than_five_minutes_are_refused(seconds: Any) -> None:
    with pytest.raises(problems.RequestExpired):
        check(signed(), now=datetime.now(UTC) + timedelta(seconds=seconds))


def test_a_presigned_url_lives_as_long_as_it_says() -> None:
    request = presigned(expires=1000)
    check(request, now=datetime.now(UTC) + timedelta(seconds=990))
    with pytest.raises(problems.RequestExpired):
        check(request, now=datetime.now(UTC) + timedelta(seconds=1002))


# --- the body


def test_a_body_that_is_not_the_signed_one_is_refused_by_its_digest() -> None:
    request = signed("s3", method="PUT", path="/b/k", body=b"data")
    assert claim_of(request).payload_mode is PayloadMode.HASHED
    with pytest.raises(problems.BodyHashMismatch):
        check(replace(request, body=b"other"))


def test_a_streamed_body_is_left_to_whoever_streams_it() -> None:
    request = signed("s3", method="PUT", path="/b/k", body=b"data")
    claim = claim_of(request)
    verify(request, claim, SECRET, now=datetime.now(UTC), body_sha256=None)
    assert claim.payload_sha256 == hashlib.sha256(b"data").hexdigest()


def test_a_body_the_signature_covers_without_naming_its_digest_must_be_known() -> None:
    request = signed("dynamodb")
    assert claim_of(request).payload_mode is PayloadMode.IMPLICIT
    with pytest.raises(problems.BodyHashNeeded):
        verify(request, claim_of(request), SECRET, now=datetime.now(UTC), body_sha256=None)


@pytest.mark.parametrize(
    "mode",
    [
        PayloadMode.UNSIGNED,
        PayloadMode.STREAMING_UNSIGNED_TRAILER,
        PayloadMode.STREAMING_SIGNED,
        PayloadMode.STREAMING_SIGNED_TRAILER,
    ],
)
def test_each_payload_mode_is_told_apart(mode: Any) -> None:
    unsent = AWSRequest(method="PUT", url=URL + "/b/k", data=b"x", headers={"X-Amz-Content-SHA256": mode.value})
    SigV4Auth(Credentials(ACCESS_KEY, SECRET), "s3", "eu-west-1").add_auth(unsent)
    request = wire_request(unsent.prepare())
    assert claim_of(request).payload_mode is mode
    check(request)


@pytest.mark.parametrize("mode", [mode for mode in PayloadMode if mode.startswith("STREAMING")])
def test_chunks_are_s3s_alone(mode: Any) -> None:
    with pytest.raises(problems.IncompleteSignature) as refused:
        claim_of(signed("dynamodb", headers={"X-Amz-Content-SHA256": mode.value}))
    assert "Only S3" in refused.value.message


@pytest.mark.parametrize("value", ["", "implicit", "hashed", "abc", "0" * 63, "G" * 64, "STREAMING-SOMETHING"])
def test_a_payload_mode_nobody_defined_is_refused(value: Any) -> None:
    request = with_header(signed(), "X-Amz-Content-SHA256", value)
    with pytest.raises(problems.IncompleteSignature):
        claim_of(request)


# --- what must be signed


def test_an_unsigned_host_is_refused() -> None:
    request = signed()
    claim = claim_of(request)
    less = replace(claim, signed_headers=tuple(name for name in claim.signed_headers if name != "host"))
    with pytest.raises(problems.UnsignedHeader):
        verify(request, less, SECRET, now=datetime.now(UTC), body_sha256=None)


def test_headers_that_no_signer_covers_may_be_added_on_the_way() -> None:
    request = signed()
    for name in ("User-Agent", "amz-sdk-invocation-id", "X-Amzn-Trace-Id", "X-Forwarded-For"):
        check(with_header(request, name, "added"))


def test_a_signed_header_that_is_missing_is_refused() -> None:
    request = signed(headers={"content-type": "application/json"})
    without = replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != "content-type"))
    with pytest.raises(problems.SignatureDoesNotMatch):
        check(without)


def test_a_signed_header_that_came_twice_is_refused() -> None:
    request = signed(headers={"content-type": "a"})
    with pytest.raises(problems.RepeatedHeader):
        check(replace(request, headers=(*request.headers, ("Content-Type", "b"))))


def test_neither_claim_nor_request_shows_a_secret_in_its_repr() -> None:
    request = signed(token="gateway-token", body=b"secret-body")
    shown = repr(request) + repr(claim_of(request))
    assert "gateway-token" not in shown
    assert "secret-body" not in shown
    assert claim_of(request).signature not in shown
