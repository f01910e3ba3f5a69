"""Every operation of botocore's models as a signed request, with the parameters that made it.

A real client builds, serialises and signs each; the request is caught before it is sent.
"""

from __future__ import annotations

import datetime
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.serialize import create_serializer

from gateway.wire.request import WireRequest

ACCESS_KEY, SECRET = "AKIDEXAMPLEEXAMPLE00", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"
TIME = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)


class Caught(Exception):
    """Carries the prepared request out of the client before anything is sent."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


@dataclass(frozen=True)
class Sample:
    service: str
    operation: str
    parameters: Mapping[str, Any]
    request: WireRequest


@cache
def session() -> botocore.session.Session:
    made = botocore.session.Session()
    made.set_credentials(ACCESS_KEY, SECRET)
    return made


def client(service: str, **config: Any) -> Any:
    # Members a client adds of its own accord are off: they would be no part of what was asked.
    quiet = {
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "parameter_validation": False,
        "inject_host_prefix": False,
        "s3": {"addressing_style": "path"},
    }
    made = session().create_client(
        service,
        region_name=REGION,
        endpoint_url="https://gateway.test:8443",
        config=Config(**(quiet | config)),
    )
    made.meta.events.register_first("before-send", _catch)
    return made


def _catch(request: Any, **_: Any) -> None:
    raise Caught(request)


def captured(service: str, operation: str, parameters: Mapping[str, Any], made: Any = None) -> WireRequest | None:
    """The request a client makes of this call, or None when botocore itself cannot build it."""
    made = made or client(service)
    try:
        made._make_api_call(operation, dict(parameters))
    except Caught as caught:
        return wire_request(caught.request)
    except (BotoCoreError, KeyError, ValueError, TypeError, AttributeError):
        return None
    return None


def wire_request(request: Any) -> WireRequest:
    """An AWSPreparedRequest as it would go over the wire."""
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [(name, v.decode() if isinstance(v, bytes) else str(v)) for name, v in request.headers.items()]
    if not any(name.lower() == "host" for name, _ in headers):
        headers.append(("Host", parts.netloc))
    return WireRequest(method=request.method, target=target, headers=tuple(headers), body=_bytes(request.body))


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, bytes | bytearray) else body.read()


def samples(service: str, *, depth: int = 0, **config: Any) -> Iterator[Sample]:
    """One sample per operation: required members only, or all members down to `depth`."""
    made = client(service, **config)
    for name in made.meta.service_model.operation_names:
        operation = made.meta.service_model.operation_model(name)
        parameters = parameters_of(operation, depth)
        request = captured(service, name, parameters, made)
        if request is not None:
            yield Sample(service, name, parameters, request)


def forced(service: str, protocol: str) -> Iterator[Sample]:
    """The same calls in a protocol botocore would not choose by itself."""
    names = {"cbor": "smithy-rpc-v2-cbor"}
    made = client(service)
    serializer = create_serializer(names.get(protocol, protocol), include_validation=False)
    made._serializer = serializer
    for name in made.meta.service_model.operation_names:
        operation = made.meta.service_model.operation_model(name)
        parameters = parameters_of(operation, 2)
        request = captured(service, name, parameters, made)
        if request is not None:
            yield Sample(service, name, parameters, request)


def speaks(service: str, protocol: str) -> bool:
    """Whether botocore's model of a service names a protocol among those it answers."""
    facts = session().get_service_model(service).metadata
    return protocol in (facts["protocol"], *facts.get("protocols", ()))


def changed(request: WireRequest, **changes: Any) -> WireRequest:
    """A copy with some parts exchanged."""
    return replace(request, **changes)


def parameters_of(operation: OperationModel, depth: int) -> dict[str, Any]:
    shape = operation.input_shape
    if shape is None:
        return {}
    return dict(_structure(shape, depth, ()))


def _structure(shape: StructureShape, depth: int, above: tuple[str, ...]) -> dict[str, Any]:
    required = shape.metadata.get("required", [])
    wanted = list(shape.members) if depth > 0 else list(required)
    if shape.metadata.get("union") or shape.is_tagged_union:
        wanted = list(shape.members)[:1]
    return {
        name: _value(shape.members[name], name, depth - 1, above)
        for name in wanted
        if shape.members[name].name not in above or name in required
    }


def _value(shape: Shape, name: str, depth: int, above: tuple[str, ...]) -> Any:
    if len(above) > 8:
        return None
    above = (*above, shape.name)
    if shape.type_name == "structure":
        if getattr(shape, "is_document_type", False):
            return {"any": "thing"}
        return _structure(shape, depth, above)
    if isinstance(shape, ListShape):
        return [_value(shape.member, name, depth, above)]
    if isinstance(shape, MapShape):
        return {_string(shape.key, "Key").replace(" ", "-"): _value(shape.value, name, depth, above)}
    return _scalar(shape, name)


def _scalar(shape: Shape, name: str) -> Any:
    match shape.type_name:
        case "integer" | "long":
            return max(int(shape.metadata.get("min", 1)), 1)
        case "float" | "double":
            return max(float(shape.metadata.get("min", 0.5)), 0.5)
        case "boolean":
            return True
        case "timestamp":
            return TIME
        case "blob":
            return BLOB
        case _:
            return _string(shape, name)


BLOB = b"blob \x00\xff bytes"


def _string(shape: Shape, name: str) -> str:
    if name == "assetSHA256":
        # CodeArtifact's own member is the header that signs the body.
        return hashlib.sha256(BLOB).hexdigest()
    enum = shape.metadata.get("enum")
    if enum:
        return str(enum[0])
    if name.lower().endswith("arn"):
        return "arn:aws:service:us-east-1:123456789012:thing/a"
    if name in ("AccountId", "accountId", "awsAccountId", "AwsAccountId"):
        return "123456789012"
    least = int(shape.metadata.get("min", 1))
    return (f"{name} v+1" if name not in ("Bucket", "Key") else f"{name.lower()}-one").ljust(least, "x")


def comparable(value: Any) -> Any:
    """Parameters in one form: times in UTC seconds, empty containers as absent, numbers as floats."""
    match value:
        case dict():
            kept = {key: comparable(item) for key, item in value.items() if item is not None}
            return {key: item for key, item in kept.items() if item not in ({}, [])}
        case list():
            # Forms cannot say "one empty structure".
            return [item for item in map(comparable, value) if item != {}]
        case datetime.datetime():
            return value.timestamp()
        case bool() | str() | bytes():
            return value
        case float() if math.isnan(value):
            return "NaN"
        case int() | float():
            return float(value)
        case _:
            return value
