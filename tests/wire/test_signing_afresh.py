"""A forwarded request is signed so that AWS's own rules accept it, and carries nothing of the client's credentials."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway.wire import problems
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import EMPTY_SHA256, claim_of, forwardable_headers, sign, verify, without_presign
from tests.wire.test_signatures_verified import presigned

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
KEY, SECRET, TOKEN = "ASIAUPSTREAM00000000", "upstream/secret", "upstream-token"


def fresh(
    service: str, target: str = "/", headers: tuple = (), payload: str = EMPTY_SHA256, method: str = "GET"
) -> WireRequest:
    given = (("host", "aws.test"), *headers)
    signed = sign(
        method=method,
        target=target,
        headers=given,
        payload_hash=payload,
        access_key_id=KEY,
        secret=SECRET,
        session_token=TOKEN,
        region="eu-west-1",
        service=service,
        now=NOW,
    )
    return WireRequest(method=method, target=target, headers=signed)


def recomputed(request: WireRequest, service: str) -> str:
    """The signature botocore computes for the same headers, by its own code."""
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials(KEY, SECRET, TOKEN), service, "eu-west-1")
    claim = claim_of(request)
    made = AWSRequest(method=request.method, url=f"https://aws.test{request.target}")
    for name in claim.signed_headers:
        made.headers[name] = request.header(name)
    made.context["timestamp"] = f"{NOW:%Y%m%dT%H%M%SZ}"
    return str(auth.signature(auth.string_to_sign(made, auth.canonical_request(made)), made))


TARGETS = ["/", "/b/k%20k", "/b/%E2%82%AC?acl", "/x?b=2&a=1", "/x?k=v%2Bv%20v", "/a~b/c-d_e.f", "/arn%3Aaws%3Ax"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("service", ["s3", "lambda", "dynamodb", "execute-api"])
def test_botocore_computes_the_same_signature(service: Any, target: Any) -> None:
    request = fresh(service, target, (("content-type", "application/json"), ("x-amz-meta-a", " two  spaces ")))
    assert claim_of(request).signature == recomputed(request, service)


@pytest.mark.parametrize("payload", [EMPTY_SHA256, "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])
def test_what_is_signed_here_is_accepted_here(payload: Any) -> None:
    request = fresh("s3", "/b/k", payload=payload, method="PUT")
    verify(request, claim_of(request), SECRET, now=NOW, body_sha256=None)
    assert request.header("x-amz-security-token") == TOKEN
    assert request.header("x-amz-content-sha256") == payload


def test_a_key_that_a_client_left_half_encoded_is_signed_as_aws_encodes_it() -> None:
    request = fresh("s3", "/b/a(1)*!")
    whole = fresh("s3", "/b/a%281%29%2A%21")
    assert claim_of(request).signature == claim_of(whole).signature


def test_the_secret_is_in_none_of_the_headers() -> None:
    assert SECRET not in str(fresh("s3").headers)


@pytest.mark.parametrize("headers", [(), (("host", "a"), ("Host", "b"))])
def test_a_request_is_signed_for_exactly_one_host(headers: Any) -> None:
    with pytest.raises(ValueError):
        sign(
            method="GET",
            target="/",
            headers=headers,
            payload_hash=EMPTY_SHA256,
            access_key_id=KEY,
            secret=SECRET,
            session_token=None,
            region="r",
            service="s3",
            now=NOW,
        )


def test_without_a_session_token_none_is_sent() -> None:
    signed = sign(
        method="GET",
        target="/",
        headers=(("host", "a"),),
        payload_hash=EMPTY_SHA256,
        access_key_id=KEY,
        secret=SECRET,
        session_token=None,
        region="r",
        service="s3",
        now=NOW,
    )
    assert "x-amz-security-token" not in dict(signed)


# --- what may travel on

SENT = (
    ("Host", "gateway.test"),
    ("Authorization", "AWS4-HMAC-SHA256 ..."),
    ("X-Amz-Date", "20260101T000000Z"),
    ("Date", "x"),
    ("X-Amz-Security-Token", "client"),
    ("X-Amz-Content-SHA256", "0"),
    ("Expect", "100-continue"),
    ("Accept-Encoding", "gzip"),
    ("Connection", "keep-alive, X-Private"),
    ("X-Private", "1"),
    ("Keep-Alive", "5"),
    ("TE", "trailers"),
    ("Transfer-Encoding", "chunked"),
    ("Content-Length", "3"),
    ("Upgrade", "h2c"),
    ("Proxy-Authorization", "x"),
    ("Content-Type", "text/plain"),
    ("X-Amz-Meta-A", "1"),
    ("Range", "bytes=0-1"),
    ("User-Agent", "Boto3"),
)


def test_the_clients_credentials_and_hops_stay_behind() -> None:
    kept = dict(forwardable_headers(SENT))
    assert set(kept) == {"content-type", "x-amz-meta-a", "range", "user-agent", "accept-encoding"}


def test_aws_is_asked_not_to_compress_what_must_be_masked() -> None:
    assert forwardable_headers((("accept-encoding", "gzip, br"),)) == (("accept-encoding", "identity"),)


def test_a_presigned_request_becomes_what_a_header_signer_would_have_sent() -> None:
    request = presigned(path="/b/k?versionId=1&x-amz-acl=private")
    plain = without_presign(request)
    assert plain.target == "/b/k?versionId=1"
    assert plain.header("x-amz-acl") == "private"
    assert plain.presign == {}


def test_a_presigned_url_without_other_parameters_loses_its_question_mark() -> None:
    assert without_presign(presigned()).target == "/b/k"


def test_a_header_signed_request_stays_as_it_is() -> None:
    request = fresh("s3", "/b?acl")
    assert without_presign(request) is request


def test_a_hoisted_header_that_also_came_as_one_is_refused() -> None:
    request = presigned(path="/b/k?x-amz-acl=private")
    doubled = WireRequest(method="GET", target=request.target, headers=(*request.headers, ("x-amz-acl", "public-read")))
    with pytest.raises(problems.AmbiguousProtocol):
        without_presign(doubled)


def test_a_hoisted_header_cannot_smuggle_another() -> None:
    request = presigned(path="/b/k?x-amz-acl=private%0D%0AX-Evil%3A1")
    with pytest.raises(problems.MalformedHeader):
        without_presign(request)


def test_the_digest_of_an_empty_body_is_the_known_one() -> None:
    assert hashlib.sha256(b"").hexdigest() == EMPTY_SHA256
