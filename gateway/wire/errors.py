"""Say an error in the client's own protocol, so that an SDK raises its usual exception with our code and words.

What went wrong is a `Problem`'s or a `Decision`'s to say; this room only knows how each protocol spells it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import assert_never
from xml.sax.saxutils import escape

from gateway.terms import Protocol
from gateway.wire.aws import cbor
from gateway.wire.canonical import S3_FAMILY
from gateway.wire.contract import Answer

# The signing names whose errors are REST XML though they are not S3's.
_REST_XML = frozenset(("route53", "cloudfront", "cloudfront-keyvaluestore"))
_SCOPE = re.compile(
    r"Credential=[^/%,&\s]+(?:/|%2F)\d{8}(?:/|%2F)[^/%,&\s]+(?:/|%2F)(?P<service>[a-z0-9-]+)", re.IGNORECASE
)
_ACTION = re.compile(r"(?:^|&)Action=", re.ASCII)
_NOT_IN_CODE = re.compile(r"[^A-Za-z0-9._-]")
# What XML 1.0 cannot carry even as a reference.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FORM = "application/x-www-form-urlencoded"


def guess_protocol(headers: Iterable[tuple[str, str]], target: str, method: str) -> tuple[Protocol, bool]:
    """The protocol a request seems to speak, and whether it is S3's; for errors before anything is verified.

    Never raises: what is too broken to tell is answered as REST JSON, which every SDK can show.
    """
    found = {name.lower(): value for name, value in headers}
    query = target.partition("?")[2]
    scope = _SCOPE.search(found.get("authorization", "")) or _SCOPE.search(query)
    service = scope["service"].lower() if scope else ""
    if "smithy-protocol" in found:
        return Protocol.CBOR, False
    if "x-amz-target" in found:
        return Protocol.JSON, False
    if service in S3_FAMILY or (not service and _is_s3_without_scope(found, query)):
        return Protocol.REST_XML, True
    if service == "ec2":
        return Protocol.EC2, False
    is_form = method == "POST" and found.get("content-type", "").lower().startswith(_FORM)
    if is_form or _ACTION.search(query):
        return Protocol.QUERY, False
    return (Protocol.REST_XML if service in _REST_XML else Protocol.REST_JSON), False


def _is_s3_without_scope(headers: dict[str, str], query: str) -> bool:
    """Signature Version 2, presigned or not, is spoken by S3 clients only."""
    return headers.get("authorization", "").startswith("AWS ") or "AWSAccessKeyId=" in query


def render(
    protocol: Protocol,
    *,
    code: str,
    message: str,
    status: int,
    request_id: str,
    is_s3: bool = False,
    method: str = "",
) -> Answer:
    """One error as a whole response. An answer to HEAD has no body: SDKs then show the status alone."""
    code = _NOT_IN_CODE.sub("", code) or "InternalFailure"
    content_type, body = _body(protocol, code, message, status, request_id, is_s3=is_s3)
    headers = [("content-type", content_type), *_headers(protocol, code, request_id, is_s3=is_s3)]
    return Answer(status=status, headers=tuple(headers), body=b"" if method == "HEAD" else body)


def _headers(protocol: Protocol, code: str, request_id: str, *, is_s3: bool) -> list[tuple[str, str]]:
    if is_s3:
        return [("x-amz-request-id", request_id)]
    named = [("x-amzn-requestid", request_id)]
    if protocol in (Protocol.JSON, Protocol.REST_JSON):
        named.append(("x-amzn-errortype", code))
    if protocol is Protocol.CBOR:
        named.append(("smithy-protocol", "rpc-v2-cbor"))
    return named


def _body(
    protocol: Protocol, code: str, message: str, status: int, request_id: str, *, is_s3: bool
) -> tuple[str, bytes]:
    match protocol:
        case Protocol.JSON:
            return "application/x-amz-json-1.0", _json({"__type": code, "message": message})
        case Protocol.REST_JSON:
            return "application/json", _json({"code": code, "message": message})
        case Protocol.CBOR:
            return "application/cbor", cbor.encode({"__type": code, "message": message})
        case Protocol.EC2:
            return "text/xml;charset=UTF-8", _ec2(code, message, request_id)
        case Protocol.QUERY | Protocol.REST_XML:
            xml = _s3(code, message, request_id) if is_s3 else _query(code, message, status, request_id)
            return "text/xml" if not is_s3 else "application/xml", xml
        case unknown:
            assert_never(unknown)


def _json(value: dict[str, str]) -> bytes:
    return json.dumps(value).encode()


def _text(value: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", value))


def _error(code: str, message: str) -> str:
    return f"<Code>{code}</Code><Message>{_text(message)}</Message>"


def _query(code: str, message: str, status: int, request_id: str) -> bytes:
    fault = "Sender" if status < 500 else "Receiver"
    return (
        f"<ErrorResponse><Error><Type>{fault}</Type>{_error(code, message)}</Error>"
        f"<RequestId>{_text(request_id)}</RequestId></ErrorResponse>"
    ).encode()


def _ec2(code: str, message: str, request_id: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error>{_error(code, message)}</Error></Errors>"
        f"<RequestID>{_text(request_id)}</RequestID></Response>"
    ).encode()


def _s3(code: str, message: str, request_id: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error>{_error(code, message)}<RequestId>{_text(request_id)}</RequestId></Error>"
    ).encode()
