"""A refusal arrives in the SDK as its usual exception, with our code and our words, whatever protocol it speaks."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from gateway.terms import Protocol
from gateway.wire.errors import guess_protocol, render

MESSAGE = 'Denied by rule "no-<delete>" & kin: ask é first.'
# A service and operation to parse with, for each protocol and for S3's own error form.
SPEAKERS = [
    (Protocol.JSON, "dynamodb", "GetItem", False),
    (Protocol.REST_JSON, "lambda", "Invoke", False),
    (Protocol.REST_JSON, "lambda", "ListFunctions", False),
    (Protocol.QUERY, "sts", "GetCallerIdentity", False),
    (Protocol.EC2, "ec2", "DescribeInstances", False),
    (Protocol.REST_XML, "route53", "ListHostedZones", False),
    (Protocol.REST_XML, "s3", "GetObject", True),
    (Protocol.CBOR, "cloudwatch", "ListMetrics", False),
    (Protocol.CBOR, "keyspaces", "ListTables", False),
]


def parsed(protocol: Protocol, service: str, operation: str, *, is_s3: bool, message: str = MESSAGE) -> Any:
    answer = render(protocol, code="AccessDenied", message=message, status=403, request_id="req-1", is_s3=is_s3)
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    response = {"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body}
    return create_parser(protocol.value).parse(response, model.operation_model(operation).output_shape)


@pytest.mark.parametrize(("protocol", "service", "operation", "is_s3"), SPEAKERS)
def test_botocore_reads_our_code_and_message(protocol: Any, service: Any, operation: Any, is_s3: Any) -> None:
    error = parsed(protocol, service, operation, is_s3=is_s3)["Error"]
    assert error["Code"] == "AccessDenied"
    assert error["Message"] == MESSAGE


@pytest.mark.parametrize(("protocol", "service", "operation", "is_s3"), SPEAKERS)
def test_the_request_id_is_where_the_sdk_looks_for_it(protocol: Any, service: Any, operation: Any, is_s3: Any) -> None:
    metadata = parsed(protocol, service, operation, is_s3=is_s3)["ResponseMetadata"]
    assert metadata["RequestId"] == "req-1"
    assert metadata["HTTPStatusCode"] == 403


@pytest.mark.parametrize(("protocol", "service", "operation", "is_s3"), SPEAKERS)
def test_control_characters_never_break_the_answer(protocol: Any, service: Any, operation: Any, is_s3: Any) -> None:
    error = parsed(protocol, service, operation, is_s3=is_s3, message="bell \x07 and \ud7ff end")["Error"]
    assert error["Message"].startswith("bell ")
    assert error["Message"].endswith(" end")


def test_an_answer_to_head_has_no_body_and_keeps_its_status() -> None:
    answer = render(
        Protocol.REST_XML, code="NoSuchKey", message="gone", status=404, request_id="r", is_s3=True, method="HEAD"
    )
    assert answer.body == b""
    assert answer.status == 404


def test_a_code_cannot_smuggle_a_header_or_markup() -> None:
    answer = render(Protocol.REST_JSON, code="A\r\nX: <b>", message="m", status=400, request_id="r")
    assert ("x-amzn-errortype", "AXb") in answer.headers


def signed(service: str) -> tuple[str, str]:
    scope = f"AKIAEXAMPLE/20260101/eu-west-1/{service}/aws4_request"
    return ("Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}")


FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
GUESSES = [
    ((signed("dynamodb"), ("X-Amz-Target", "DynamoDB_20120810.GetItem")), "/", "POST", Protocol.JSON, False),
    (
        (signed("monitoring"), ("smithy-protocol", "rpc-v2-cbor")),
        "/service/x/operation/y",
        "POST",
        Protocol.CBOR,
        False,
    ),
    ((signed("s3"),), "/bucket/key", "GET", Protocol.REST_XML, True),
    ((signed("s3express"),), "/bucket/key", "PUT", Protocol.REST_XML, True),
    ((signed("ec2"), FORM), "/", "POST", Protocol.EC2, False),
    ((signed("sts"), FORM), "/", "POST", Protocol.QUERY, False),
    (
        (),
        "/?Action=GetCallerIdentity&X-Amz-Credential=A%2F20260101%2Fus-east-1%2Fsts%2Faws4_request",
        "GET",
        Protocol.QUERY,
        False,
    ),
    ((), "/b/k?X-Amz-Credential=A%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", "GET", Protocol.REST_XML, True),
    ((("Authorization", "AWS AKIA:abc="),), "/b/k", "GET", Protocol.REST_XML, True),
    ((), "/b/k?AWSAccessKeyId=A&Signature=b&Expires=1", "GET", Protocol.REST_XML, True),
    ((signed("route53"),), "/2013-04-01/hostedzone", "GET", Protocol.REST_XML, False),
    ((signed("lambda"),), "/2015-03-31/functions", "GET", Protocol.REST_JSON, False),
    ((), "/", "GET", Protocol.REST_JSON, False),
    ((("authorization", "\x00 nonsense"),), "not a path", "?", Protocol.REST_JSON, False),
]


@pytest.mark.parametrize(("headers", "target", "method", "protocol", "is_s3"), GUESSES)
def test_the_protocol_is_guessed_before_anything_is_verified(
    headers: Any, target: Any, method: Any, protocol: Any, is_s3: Any
) -> None:
    assert guess_protocol(headers, target, method) == (protocol, is_s3)
