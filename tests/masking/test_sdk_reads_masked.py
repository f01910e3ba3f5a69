"""botocore's own parsers read every masked body: no parser error, typed members typed, checksums accepted."""

from __future__ import annotations

import json
import zlib
from typing import Any

import botocore.session
import cbor2
import pytest
from botocore.awsrequest import AWSResponse
from botocore.parsers import create_parser
from botocore.retryhandler import CRC32Checker

from gateway.masking.bodies import End
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan
from tests.masking.conftest import Send, paths, plan

SESSION = botocore.session.Session()


def parsed(service: str, operation: str, end: End, *, protocol: str | None = None, status: int = 200) -> dict[str, Any]:
    """What botocore makes of a masked response."""
    model = SESSION.get_service_model(service)
    parser = create_parser(protocol or model.metadata["protocol"])
    response = {"headers": dict(end.headers), "body": end.body, "status_code": status}
    answer: dict[str, Any] = parser.parse(response, model.operation_model(operation).output_shape)
    return answer


def test_json(send: Send) -> None:
    body = json.dumps({"SecretString": "a", "SecretBinary": "aGVsbG8=", "CreatedDate": 1.7e9, "Name": "n"}).encode()
    end = send(body, plan(Protocol.JSON, "SecretString", "SecretBinary", "CreatedDate"))
    assert isinstance(end, End)
    answer = parsed("secretsmanager", "GetSecretValue", end)
    assert (answer["SecretString"], answer["SecretBinary"], answer["Name"]) == (
        "[REDACTED:secret]",
        b"[REDACTED:secret]",
        "n",
    )
    assert answer["CreatedDate"].timestamp() == 0


def test_rest_json(send: Send) -> None:
    body = json.dumps({"Environment": {"Variables": {"A": "b", "C": "d"}}, "Timeout": 3, "FunctionName": "f"}).encode()
    end = send(body, plan(Protocol.REST_JSON, "Environment.Variables"))
    assert isinstance(end, End)
    answer = parsed("lambda", "GetFunctionConfiguration", end)
    assert answer["Environment"]["Variables"] == {"A": "[REDACTED:secret]", "C": "[REDACTED:secret]"}
    assert answer["Timeout"] == 3


def test_query(send: Send) -> None:
    body = (
        b'<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        b"<AccessKeyId>ASIAQWERTYUIOPASDFGH</AccessKeyId><SecretAccessKey>abc</SecretAccessKey><SessionToken>t</SessionToken>"
        b"<Expiration>2026-01-02T03:04:05Z</Expiration></Credentials><PackedPolicySize>6</PackedPolicySize>"
        b"</AssumeRoleResult></AssumeRoleResponse>"
    )
    end = send(body, plan(Protocol.QUERY, "Credentials", "PackedPolicySize"))
    assert isinstance(end, End)
    answer = parsed("sts", "AssumeRole", end)
    assert answer["Credentials"]["SecretAccessKey"] == "[REDACTED:secret]"
    assert answer["Credentials"]["Expiration"].year == 1970
    assert answer["PackedPolicySize"] == 0


def test_ec2(send: Send) -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?><GetPasswordDataResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        b"<requestId>r</requestId><instanceId>i-1</instanceId><passwordData>TGludXg=</passwordData>"
        b"<timestamp>2026-01-02T03:04:05.000Z</timestamp></GetPasswordDataResponse>"
    )
    end = send(body, plan(Protocol.EC2, "passwordData", "timestamp"))
    assert isinstance(end, End)
    answer = parsed("ec2", "GetPasswordData", end)
    assert (answer["PasswordData"], answer["InstanceId"]) == ("[REDACTED:secret]", "i-1")


def test_rest_xml(send: Send) -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
        b"<IsTruncated>true</IsTruncated><NextContinuationToken>eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
        b"</NextContinuationToken><Contents><Key>AKIAQWERTYUIOPASDFGH.txt</Key><Size>5</Size>"
        b"<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>"
    )
    end = send(body, plan(Protocol.REST_XML, "Contents.*.Size"))
    assert isinstance(end, End)
    answer = parsed("s3", "ListObjectsV2", end)
    assert answer["NextContinuationToken"].startswith("eyJ")
    assert answer["Contents"][0]["Size"] == 0
    assert answer["Contents"][0]["Key"] == "[REDACTED:aws-access-key].txt"


def test_cbor(send: Send) -> None:
    body = cbor2.dumps({"SecretString": "a", "SecretBinary": b"b", "CreatedDate": cbor2.CBORTag(1, 1.7e9), "Name": "n"})
    end = send(body, plan(Protocol.CBOR, "SecretString", "SecretBinary", "CreatedDate"))
    assert isinstance(end, End)
    answer = parsed("secretsmanager", "GetSecretValue", end, protocol="smithy-rpc-v2-cbor")
    assert (answer["SecretString"], answer["SecretBinary"]) == ("[REDACTED:secret]", b"[REDACTED:secret]")
    assert answer["CreatedDate"].timestamp() == 0


@pytest.mark.parametrize(
    ("service", "operation", "protocol", "body"),
    [
        ("dynamodb", "GetItem", Protocol.JSON, b'{"__type":"com.x#Bad","message":"password=hunter2! is wrong"}'),
        ("lambda", "GetFunction", Protocol.REST_JSON, b'{"Type":"User","Message":"password=hunter2! is wrong"}'),
        (
            "sts",
            "AssumeRole",
            Protocol.QUERY,
            b"<ErrorResponse><Error><Code>Bad</Code><Message>password=hunter2! is wrong</Message></Error></ErrorResponse>",
        ),
        (
            "ec2",
            "GetPasswordData",
            Protocol.EC2,
            b"<Response><Errors><Error><Code>Bad</Code><Message>password=hunter2! is wrong</Message></Error></Errors></Response>",
        ),
        (
            "s3",
            "GetObject",
            Protocol.REST_XML,
            b"<Error><Code>Bad</Code><Message>password=hunter2! is wrong</Message></Error>",
        ),
    ],
)
def test_errors(send: Send, service: str, operation: str, protocol: Protocol, body: bytes) -> None:
    end = send(body, plan(protocol), status=400, headers=(("x-amzn-errortype", "Bad"),))
    assert isinstance(end, End)
    answer = parsed(service, operation, end, status=400)
    assert answer["Error"]["Code"] == "Bad"
    assert answer["Error"]["Message"] == "password=[REDACTED:password] is wrong"


def test_dynamodbs_checksum_holds_for_the_masked_item(send: Send) -> None:
    body = b'{"Item":{"password":{"S":"hunter2!"},"n":{"N":"42"}}}'
    end = send(body, plan(Protocol.JSON), headers=(("x-amz-crc32", str(zlib.crc32(body))),))
    assert isinstance(end, End)
    assert parsed("dynamodb", "GetItem", end)["Item"] == {"password": {"S": "[REDACTED:password]"}, "n": {"N": "42"}}
    response = AWSResponse("http://dynamodb", 200, dict(end.headers), None)
    response._content = end.body
    # Raises ChecksumError where the header does not hold.
    CRC32Checker("x-amz-crc32")(1, (response, None), None)


def test_a_streamed_object_reads_as_plain_text(send: Send) -> None:
    mask = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, header_paths=paths("x-amz-meta-k"))
    end = send(b"a=1\npassword=hunter2!\n", mask, headers=(("x-amz-meta-k", "v"), ("Content-Type", "text/plain")))
    assert isinstance(end, End)
    assert dict(end.headers)["Content-Length"] == str(len(end.body))
    assert end.body == b"a=1\npassword=[REDACTED:password]\n"
