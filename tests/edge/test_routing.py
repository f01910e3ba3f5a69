"""Which requests are streamed: only an object or a part on its way to S3, and in doubt not."""

from __future__ import annotations

import pytest

from gateway.edge.http1 import Head
from gateway.edge.routing import bears_interim, body_mode
from gateway.wire.contract import BodyMode

SCOPE = "AWS4-HMAC-SHA256 Credential=GWIAX/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=ab"
PRESIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=GWIAX%2F20260101%2Feu-west-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=ab"
)


def head(
    method: str, target: str, *, scope: str = "s3", length: int | None = 5, chunked: bool = False, **more: str
) -> Head:
    headers = tuple((name.replace("_", "-"), value) for name, value in more.items())
    signed = (("Authorization", SCOPE.format(scope)),) if scope else ()
    return Head(
        method=method,
        target=target,
        headers=(*signed, *headers),
        content_length=length,
        is_chunked=chunked,
        expects_continue=False,
    )


PAYLOADS = [
    head("PUT", "/bucket/key"),
    head("PUT", "/bucket/a/b/c"),
    head("PUT", "/bucket//odd"),
    head("PUT", "/bucket/key?x-id=PutObject"),
    head("PUT", "/bucket/key?partNumber=1&uploadId=u&x-id=UploadPart"),
    head("PUT", "/bucket/key?partNumber=1&uploadId=u"),
    head("PUT", "/bucket/key", length=None, chunked=True),
    head("PUT", "/bucket/key", scope="s3express"),
    head("PUT", f"/bucket/key?{PRESIGNED}", scope=""),
]
PARAMETERS = [
    head("PUT", "/bucket"),
    head("PUT", "/bucket/"),
    head("POST", "/bucket/key"),
    head("POST", "/bucket/key?uploads"),
    head("PUT", "/bucket/key?acl"),
    head("PUT", "/bucket/key?tagging="),
    head("PUT", "/bucket/key?x-id=PutObjectAcl"),
    head("PUT", "/bucket/key?partNumber=1"),
    head("PUT", "/bucket/key?partNumber=1&uploadId=u&uploadId=v"),
    head("PUT", "/bucket/key?partNumber=1&uploadId=u&legal-hold"),
    head("PUT", "/bucket/key?%70artNumber=1&uploadId=u"),
    head("PUT", "/bucket/key", x_amz_copy_source="/other/key"),
    head("PUT", "/bucket/key", scope="lambda"),
    head("PUT", "/bucket/key", scope=""),
    head("PUT", "/2015-03-31/functions/f/code", scope="lambda"),
    # S3 control signs as S3, and these bodies are policies.
    head("PUT", "/v20180820/bucket/b/policy"),
    head("PUT", "/v20180820/bucket/b/policy", x_amz_account_id="123456789012"),
]
NONE = [
    head("GET", "/bucket/key", length=None),
    head("PUT", "/bucket/key", length=0),
    head("PUT", "/bucket/key", length=None, x_amz_copy_source="/other/key"),
    head("DELETE", "/bucket/key", length=None),
]


@pytest.mark.parametrize("request_head", PAYLOADS, ids=lambda h: h.target)
def test_objects_and_parts_on_their_way_to_s3_are_payloads(request_head: Head) -> None:
    assert body_mode(request_head) is BodyMode.PAYLOAD


@pytest.mark.parametrize("request_head", PARAMETERS, ids=lambda h: f"{h.method} {h.target}")
def test_every_other_body_is_read_whole_and_decided_upon(request_head: Head) -> None:
    assert body_mode(request_head) is BodyMode.PARAMETERS


NAMES = ("gw.example",)


@pytest.mark.parametrize(
    "request_head",
    [
        head("PUT", "/key", host="bucket.gw.example"),
        head("PUT", "/key", host="bucket.s3.gw.example:8443"),
        head("PUT", "/key", host="dotted.bucket.GW.example"),
        head("PUT", "/bucket/key", host="gw.example"),
    ],
    ids=lambda h: f"{dict(h.headers)['host']}{h.target}",
)
def test_a_bucket_before_the_gateways_name_makes_an_object_of_any_path(request_head: Head) -> None:
    assert body_mode(request_head, NAMES) is BodyMode.PAYLOAD


@pytest.mark.parametrize(
    "request_head",
    [
        head("PUT", "/", host="bucket.gw.example"),
        head("PUT", "/bucket", host="gw.example"),
        head("PUT", "/bucket", host="s3.gw.example"),
        head("PUT", "/bucket", host="elsewhere.example"),
        head("PUT", "/v20180820/bucket/b/policy", host="123456789012.gw.example"),
        head("PUT", "/key", host="not~a~bucket.gw.example"),
        head("PUT", "/key", scope="lambda", host="bucket.gw.example"),
    ],
    ids=lambda h: f"{dict(h.headers)['host']}{h.target}",
)
def test_a_bucket_itself_is_made_of_parameters_whatever_its_host(request_head: Head) -> None:
    assert body_mode(request_head, NAMES) is BodyMode.PARAMETERS


@pytest.mark.parametrize("request_head", NONE, ids=lambda h: f"{h.method} {h.target}")
def test_without_bytes_there_is_no_body(request_head: Head) -> None:
    assert body_mode(request_head) is BodyMode.NONE


@pytest.mark.parametrize(
    ("agent", "bears"),
    [
        ("Boto3/1.44.5 md/Botocore#1.44.5 ua/2.0", True),
        ("Botocore/1.44.5 ua/2.0", True),
        ("aws-cli/1.46.3 md/Botocore#1.44.5", True),
        ("aws-sdk-js/3.1169.0 ua/2.1", True),
        ("aws-sdk-java/2.30.0", True),
        ("aws-sdk-go-v2/1.48.0", False),
        ("curl/8.0", False),
        ("", False),
    ],
)
def test_interim_answers_go_only_to_clients_known_to_bear_them(agent: str, bears: bool) -> None:
    assert bears_interim((("User-Agent", agent),)) is bears
