"""Short ways to a request and its readings, for tests that are about what a request means."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from gateway.terms import Candidate, Operation
from gateway.wire import tables
from gateway.wire.aws.candidates import candidate_of
from gateway.wire.aws.parsing import parse
from gateway.wire.aws.reading import Reading
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import claim_of
from tests.wire.corpus import REGION, captured

ACCOUNT, HOME = "111122223333", "eu-west-1"


def call(service: str, operation: str, **parameters: Any) -> WireRequest:
    """The request a real client makes of this call."""
    request = captured(service, operation, parameters)
    assert request is not None
    return request


def readings_of(service: str, operation: str, **parameters: Any) -> tuple[Reading, ...]:
    request = call(service, operation, **parameters)
    return parse(request, claim_of(request).service, REGION)


def reading_of(service: str, operation: str, **parameters: Any) -> Reading:
    """The one reading that is the operation called."""
    found = [
        reading
        for reading in readings_of(service, operation, **parameters)
        if (reading.operation.service, reading.operation.name) == (service, operation)
    ]
    assert len(found) == 1
    return found[0]


def candidate(service: str, operation: str, **parameters: Any) -> Candidate:
    return candidate_of(reading_of(service, operation, **parameters), account=ACCOUNT, region=HOME)


def arns(service: str, operation: str, **parameters: Any) -> list[str]:
    return [resource.arn for resource in candidate(service, operation, **parameters).resources]


def names(found: tuple[Reading, ...]) -> list[tuple[str, str]]:
    return [(reading.operation.service, reading.operation.name) for reading in found]


def raw(
    method: str = "GET", target: str = "/", *, headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
) -> WireRequest:
    return WireRequest(method=method, target=target, headers=(("Host", "gateway.test"), *headers), body=body)


def json_call(target: str, body: Any, **changes: Any) -> WireRequest:
    """A JSON protocol request; `body` is encoded unless it is bytes."""
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = (("X-Amz-Target", target), ("Content-Type", "application/x-amz-json-1.0"), *changes.pop("headers", ()))
    return raw("POST", changes.pop("at", "/"), headers=headers, body=encoded)


FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")


def form_call(fields: dict[str, str] | bytes, at: str = "/") -> WireRequest:
    """A query protocol request."""
    return raw("POST", at, headers=(FORM,), body=fields if isinstance(fields, bytes) else urlencode(fields).encode())


def bare(service: str, operation: str, parameters: dict | None = None) -> Reading:
    """A reading of an operation with these parameters, without a request behind it."""
    table = tables.service(service)
    named = Operation(service=service, name=operation, protocol=table.protocols[0], signing_name=table.signing_name)
    return Reading(operation=named, region="r", parameters=parameters or {})
