"""Hostile input over TLS to the running edge: an error in the client's dialect, a count, and no memory kept.

The whole catalogue is `tests/edge/test_hostile_input.py`; here a few of each kind meet the whole product.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.wire.sigv4 import sign
from tests.journeys.product import Product, Tenant

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n"
TARGET = b"X-Amz-Target: DynamoDB_20120810.ListTables\r\n"
MOST_GROWTH = 48 * 1024 * 1024


def send(product: Product, data: bytes, *, edge: int = 0) -> tuple[int, dict[str, str], bytes]:
    """Send raw bytes over TLS; return status, headers and body of what comes back."""
    plan = product.stack.plan
    trust = ssl.create_default_context(cafile=str(plan.certificates.authority))
    with (
        socket.create_connection(("127.0.0.1", plan.edges[edge].port), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(data)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += client.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        while len(body) < int(headers.get("content-length", "0")):
            body += client.recv(65536)
    return int(lines[0].split(" ")[1]), headers, body


def signed(
    tenant: Tenant, body: bytes, *, operation: str = "ListTables", now: datetime | None = None, **keys: str
) -> bytes:
    """A DynamoDB call as its owner could have signed it, whatever its body is."""
    held = {**tenant.demo, **keys}
    headers = sign(
        method="POST",
        target="/",
        headers=(
            ("host", "localhost"),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", f"DynamoDB_20120810.{operation}"),
        ),
        payload_hash=hashlib.sha256(body).hexdigest(),
        access_key_id=held["AWS_ACCESS_KEY_ID"],
        secret=held["AWS_SECRET_ACCESS_KEY"],
        session_token=held["AWS_SESSION_TOKEN"],
        region=tenant.demo["AWS_REGION"],
        service="dynamodb",
        now=now or datetime.now(UTC),
    )
    lines = [f"{name}: {value}" for name, value in headers] + [f"content-length: {len(body)}"]
    return ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + body


def counts(product: Product) -> int:
    """Refusals counted so far: those of nobody known, and calls of known keys that were refused."""
    anonymous = product.query("SELECT coalesce(sum(count), 0) FROM audit_refusalcount")[0][0]
    known = product.query("SELECT count(*) FROM audit_event WHERE kind = 'request.refused'")[0][0]
    return int(anonymous) + int(known)


def check(product: Product, data: bytes, *, status: int, error: str) -> None:
    before, sent = counts(product), len(product.upstream())
    seen, _, body = send(product, data)
    assert (seen, json.loads(body)["__type"].rpartition("#")[2]) == (status, error), body
    assert json.loads(body)["message"]
    product.wait(lambda: counts(product) == before + 1, seconds=5, told="the refusal was not counted exactly once")
    assert len(product.upstream()) == sent


BROKEN: dict[str, tuple[bytes, int, str]] = {
    "both framings": (
        HEAD + TARGET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "MalformedHttpRequest",
    ),
    "a bad chunk": (HEAD + TARGET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "MalformedHttpRequest"),
    "an endless header": (HEAD + TARGET + b"X-A: " + b"a" * 70_000, 431, "MalformedHttpRequest"),
    "no signature": (HEAD + TARGET + b"Content-Length: 2\r\n\r\n{}", 403, "MissingAuthenticationTokenException"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_requests_are_told_so_and_counted(product: Product, name: str) -> None:
    data, status, error = BROKEN[name]
    check(product, data, status=status, error=error)


SIGNED: dict[str, tuple[bytes, dict[str, Any], int, str]] = {
    "duplicate keys": (b'{"Limit": 1, "Limit": 100}', {}, 400, "SerializationException"),
    "a body that is no JSON": (b'{"Limit": ', {}, 400, "SerializationException"),
    "an unknown operation": (b"{}", {"operation": "MakeCoffee"}, 403, "AccessDeniedException"),
    "a wrong secret": (b"{}", {"AWS_SECRET_ACCESS_KEY": "x" * 40}, 403, "InvalidSignatureException"),
    "a key that never was": (b"{}", {"AWS_ACCESS_KEY_ID": "HWIA" + "B" * 52}, 403, "UnrecognizedClientException"),
    "an expired date": (b"{}", {"now": datetime.now(UTC) - timedelta(minutes=20)}, 403, "RequestExpired"),
}


@pytest.mark.parametrize("name", SIGNED)
def test_signed_requests_that_are_wrong_are_told_so_and_counted(product: Product, demo: Tenant, name: str) -> None:
    body, how, status, error = SIGNED[name]
    check(product, signed(demo, body, **how), status=status, error=error)


def test_a_call_signed_rightly_does_pass(product: Product, demo: Tenant) -> None:
    status, _, body = send(product, signed(demo, b"{}"))
    assert status == 200
    assert "TableNames" in json.loads(body)


def test_a_flood_of_hostile_input_costs_no_memory(product: Product) -> None:
    for _ in range(3):
        send(product, BROKEN["an endless header"][0])
    before = product.memory("edge-1")
    for _ in range(60):
        send(product, BROKEN["an endless header"][0])
        send(product, HEAD + TARGET + b"Content-Length: 999999999\r\n\r\n" + b"x" * 65536)
    assert product.memory("edge-1") - before < MOST_GROWTH
