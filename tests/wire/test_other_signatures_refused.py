"""What is not Signature Version 4 is refused, each kind with a sentence that says what to do instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.problems import Problem
from gateway.wire import problems
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import claim_of
from tests.wire.test_signatures_verified import presigned, signed

SCOPE = "AKIDEXAMPLE/20260101/eu-west-1/s3/aws4_request"
GOOD = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host;x-amz-date, Signature={'a' * 64}"


def request(
    authorization: str | None = None, *, target: str = "/b/k", headers: tuple = (), body: bytes = b""
) -> WireRequest:
    given = (("Host", "gateway.test"), ("X-Amz-Date", "20260101T000000Z"), *headers)
    if authorization is not None:
        given = (*given, ("Authorization", authorization))
    return WireRequest(method="GET", target=target, headers=given, body=body)


FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
KINDS = [
    (request(), problems.MissingAuthentication, "gateway's access key"),
    (request("AWS AKIDEXAMPLE:c2lnbmF0dXJl"), problems.SignatureVersion2, "s3v4"),
    (request("AWS3-HTTPS AWSAccessKeyId=A,Algorithm=HmacSHA256,Signature=x"), problems.SignatureVersion2, "s3v4"),
    (request(target="/b/k?AWSAccessKeyId=A&Signature=b&Expires=1"), problems.SignatureVersion2, "s3v4"),
    (request(headers=FORM, body=b"Action=Select&AWSAccessKeyId=A&Signature=b"), problems.SignatureVersion2, "s3v4"),
    (request(GOOD.replace("HMAC-SHA256", "ECDSA-P256-SHA256")), problems.SignatureVersion4A, "regional endpoint"),
    (
        request(target="/b/k?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Signature=0"),
        problems.SignatureVersion4A,
        "regional",
    ),
    (request(target="/b/k?X-Amz-Region-Set=*"), problems.SignatureVersion4A, "regional"),
    (
        request(GOOD, headers=(("X-Amz-Content-SHA256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"),)),
        problems.SignatureVersion4A,
        "regional",
    ),
    (
        request(GOOD, headers=(("X-Amz-Content-SHA256", "STREAMING-AWS4-HMAC-SHA256-EVENTS"),)),
        problems.EventStreamRequest,
        "one-way operation",
    ),
    (request("Bearer eyJhbGciOi"), problems.BearerToken, "AWS_BEARER_TOKEN_BEDROCK"),
    (request(headers=(("Content-Type", "multipart/form-data; boundary=x"),)), problems.AnonymousPost, "presigned PUT"),
    (request("Basic dXNlcjpwdw=="), problems.IncompleteSignature, "Signature Version 4"),
]


def test_a_signed_form_may_hold_another_systems_key() -> None:
    """EC2's BundleInstance takes an S3 upload policy with an AWSAccessKeyId of its own."""
    form = request(GOOD, headers=FORM, body=b"Action=BundleInstance&Storage.S3.AWSAccessKeyId=A")
    assert claim_of(form).service == "s3"


@pytest.mark.parametrize(("sent", "problem", "advice"), KINDS)
def test_each_other_scheme_says_what_to_do(sent: Any, problem: Any, advice: Any) -> None:
    with pytest.raises(problem) as refused:
        claim_of(sent)
    assert advice in refused.value.message


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        GOOD.replace("Signature=", "Signature=A"),
        GOOD.replace("aws4_request", "aws5_request"),
        GOOD.replace("/20260101/", "/2026-01-01/"),
        GOOD.replace("/eu-west-1/", "/EU WEST/"),
        GOOD.replace("host;x-amz-date", "x-amz-date;host"),
        GOOD.replace("host;x-amz-date", "host;host"),
        GOOD.replace("host;x-amz-date", "Host;x-amz-date"),
        GOOD.replace("host;x-amz-date", "host;;x-amz-date"),
        GOOD.replace("host;x-amz-date", ""),
        GOOD + ", Signature=" + "b" * 64,
        GOOD.replace("Credential=", "Credential=A/B/"),
        GOOD + " ",
        GOOD.replace(", SignedHeaders", ", Credential=X, SignedHeaders"),
        "AWS4-HMAC-SHA256 Credential=/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=" + "a" * 64,
    ],
)
def test_a_header_that_is_nearly_right_is_not_right(authorization: Any) -> None:
    try:
        claim = claim_of(request(authorization))
    except problems.SignatureProblem:
        return
    # The only tolerance is white space around the header's value.
    assert authorization.strip() == GOOD
    assert claim.signature == "a" * 64


@pytest.mark.parametrize(
    "date", ["", "20260101", "2026-01-01T00:00:00Z", "20260101T000000", "20261301T000000Z", "20260102T000000Z"]
)
def test_the_date_must_be_whole_and_of_the_credentials_day(date: Any) -> None:
    sent = WireRequest(method="GET", target="/", headers=(("Host", "h"), ("X-Amz-Date", date), ("Authorization", GOOD)))
    with pytest.raises(problems.IncompleteSignature):
        claim_of(sent)


def test_a_request_without_a_date_is_refused() -> None:
    with pytest.raises(problems.IncompleteSignature):
        claim_of(WireRequest(method="GET", target="/", headers=(("Host", "h"), ("Authorization", GOOD))))


@pytest.mark.parametrize("name", ["Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-SHA256"])
def test_a_header_the_claim_is_read_from_may_come_once(name: Any) -> None:
    sent = signed("s3", token="t", method="GET", path="/b", body=b"")
    value = sent.header(name)
    assert value is not None
    with pytest.raises(problems.RepeatedHeader):
        claim_of(replace(sent, headers=(*sent.headers, (name.lower(), value))))


def test_two_signatures_at_once_are_refused() -> None:
    with pytest.raises(problems.AmbiguousProtocol):
        claim_of(replace(presigned(), headers=(*presigned().headers, ("Authorization", GOOD))))


@pytest.mark.parametrize(
    "name",
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"],
)
def test_a_presigned_url_must_be_whole_and_say_each_thing_once(name: Any) -> None:
    sent = presigned()
    path, _, query = sent.target.partition("?")
    parts = query.split("&")
    without = [part for part in parts if not part.startswith(f"{name}=")]
    twice = [*parts, next(part for part in parts if part.startswith(f"{name}="))]
    with pytest.raises(problems.IncompleteSignature):
        claim_of(replace(sent, target=f"{path}?{'&'.join(without)}"))
    with pytest.raises(problems.RepeatedHeader):
        claim_of(replace(sent, target=f"{path}?{'&'.join(twice)}"))


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "1e3", "", "9999999"])
def test_a_presigned_url_lives_at_most_a_week(expires: Any) -> None:
    sent = presigned(expires=900)
    with pytest.raises(problems.IncompleteSignature):
        claim_of(replace(sent, target=sent.target.replace("X-Amz-Expires=900", f"X-Amz-Expires={expires}")))


PROBLEMS = [
    value
    for value in vars(problems).values()
    if isinstance(value, type) and issubclass(value, Problem) and value is not Problem
]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_has_a_code_a_title_and_a_remedy(problem: Any) -> None:
    made = problem("The particulars")
    assert made.remedy
    assert made.message.startswith(made.title.rstrip("."))
    assert made.message.endswith(".")
    assert 400 <= made.status < 600
    assert made.code.startswith("wire.")


def test_codes_are_told_apart() -> None:
    assert len({problem.code for problem in PROBLEMS}) == len(PROBLEMS)
