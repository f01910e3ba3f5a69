"""Route a request without any service model: no body, parameters (read whole), or payload (streamed).

A payload is an object or a part on its way to S3; whether it may pass is the control plane's to say.
"""

from __future__ import annotations

import re

from gateway.edge import http1
from gateway.wire.contract import BodyMode
from gateway.wire.hosts import bucket_of
from gateway.wire.problems import WireProblem
from gateway.wire.request import WireRequest

# Signing names under which S3's data calls travel.
_S3_SCOPES = frozenset(("s3", "s3express", "s3-object-lambda", "s3-outposts"))
_SCOPE = re.compile(
    r"(?:Credential=|X-Amz-Credential=)[^/%,&]+(?:/|%2F)\d{8}(?:/|%2F)[^/%,&]+(?:/|%2F)([a-z0-9-]+)", re.I
)
_OBJECT_PATH = re.compile(r"/[^/]+/.+", re.S)
# S3 control shares S3's signing name, and its bodies are parameters. A bucket of that name, which would be an odd
# one, has its objects read whole.
_CONTROL_PATH = re.compile(r"/v20180820(?:/|\Z)")
_PRESIGNED = re.compile(r"X-Amz-(?:Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Security-Token)\Z", re.I)
# PutObject is called with nothing or its name, UploadPart with its two; any other query is another operation.
_PAYLOAD_QUERIES = (frozenset[str](), frozenset(("partNumber", "uploadId")))

# Clients whose HTTP stack takes any number of interim answers and restarts its read timeout at each (measured).
# Go's gives up after five of them; everybody else is let to wait in silence.
_BEARS_INTERIM = re.compile(r"boto3/|botocore/|aws-cli/|aws-sdk-js/|aws-sdk-java/", re.I)


def body_mode(head: http1.Head, names: tuple[str, ...] = ()) -> BodyMode:
    """Say how the body must be handled. In doubt it is parameters, which are decided upon in full.

    `names` are the gateway's own: a bucket may stand before one of them in Host.
    """
    if not head.has_body:
        return BodyMode.NONE
    return BodyMode.PAYLOAD if _is_payload(head, names) else BodyMode.PARAMETERS


def bears_interim(headers: http1.Headers) -> bool:
    """Whether the client is known to bear repeated `100 Continue` while its call is held."""
    return _BEARS_INTERIM.search(http1.header(headers, "user-agent")) is not None


def _is_payload(head: http1.Head, names: tuple[str, ...]) -> bool:
    path, _, query = head.target.partition("?")
    if head.method != "PUT" or _CONTROL_PATH.match(path) or http1.header(head.headers, "x-amz-copy-source"):
        return False
    scope = _signing_scope(head, query)
    if scope not in _S3_SCOPES or not _OBJECT_PATH.match(_with_bucket(head, path, scope, names)):
        return False
    given = [part.partition("=")[0] for part in query.split("&") if part]
    own = [name for name in given if not _PRESIGNED.match(name)]
    operation = [part.partition("=")[2] for part in query.split("&") if part.startswith("x-id=")]
    if operation not in ([], ["PutObject"], ["UploadPart"]) or len(own) != len(set(own)):
        return False
    return frozenset(own) - {"x-id"} in _PAYLOAD_QUERIES


def _with_bucket(head: http1.Head, path: str, scope: str, names: tuple[str, ...]) -> str:
    """The path as a path-style client would have sent it; one that cannot be read is no object's."""
    try:
        request = WireRequest(method=head.method, target=head.target, headers=head.headers)
        bucket = bucket_of(request, scope, names)
    except WireProblem:
        return ""
    return f"/{bucket}{path}" if bucket else path


def _signing_scope(head: http1.Head, query: str) -> str:
    found = _SCOPE.search(http1.header(head.headers, "authorization") or query)
    return found[1].lower() if found else ""
