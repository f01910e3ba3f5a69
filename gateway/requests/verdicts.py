"""Allowed calls: signed for exactly this request, sent to the endpoint of the parsed service and region only."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.conf import settings

from gateway.connections.endpoints import Endpoint, upstream_of
from gateway.connections.sts import RoleSession
from gateway.requests.examine import Examined, plan_of, refuses_mask_tokens
from gateway.terms import AccessClass
from gateway.wire.aws.placing import upstream_prefix
from gateway.wire.aws_chunked import upstream_headers, upstream_payload_hash
from gateway.wire.contract import BodyMode, Upstream, Verdict, VerdictKind
from gateway.wire.ranges import read_range
from gateway.wire.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD, PayloadMode, forwardable_headers, sign


def _payload_hash(examined: Examined) -> str:
    """What the fresh signature says of the body: what the client's said, unless its signed chunks are taken apart."""
    claim = examined.claim
    if examined.chunks is not None:
        return upstream_payload_hash(examined.chunks)
    match claim.payload_mode:
        case PayloadMode.HASHED:
            return claim.payload_sha256 or EMPTY_SHA256
        case PayloadMode.IMPLICIT:
            # Of the bytes that are here and were verified, not of what an edge says of them.
            return hashlib.sha256(examined.admission.body).hexdigest()
        case PayloadMode.UNSIGNED | PayloadMode.STREAMING_UNSIGNED_TRAILER:
            return claim.payload_mode.value
        case _:
            return UNSIGNED_PAYLOAD


def witness(request_id: UUID, leaf: bytes) -> str:
    """The User-Agent's last word: CloudTrail records it, and so witnesses our ledger."""
    return f"hoopweb/{request_id}#{leaf.hex()}"


def _endpoint(examined: Examined) -> Endpoint:
    """Where AWS's own rules put the parsed service, dialled at the stand-in where one takes AWS's place."""
    endpoint = upstream_of(examined.primary.operation.service, examined.question.region)
    prefix = upstream_prefix(examined.reading)
    endpoint = replace(endpoint, host=prefix + endpoint.host, dial_host=prefix + endpoint.dial_host)
    return endpoint.dialled_at(settings.UPSTREAM_AWS_URL) if settings.UPSTREAM_AWS_URL else endpoint


def _kept_headers(examined: Examined) -> list[tuple[str, str]]:
    """The client's own headers. A range that is masked is fetched wider: its edges would cut a secret in two."""
    kept = [pair for pair in _travelling(examined) if pair[0] != "user-agent"]
    plan = plan_of(examined) if examined.request.header("range") else None
    asked = read_range(plan.range) if plan is not None and not plan.is_clear else None
    return kept if asked is None else [(name, asked.widened() if name == "range" else value) for name, value in kept]


def upstream(examined: Examined, *, session: RoleSession, leaf: bytes, now: datetime) -> Upstream:
    """The request as AWS gets it: the client's own headers, our signature, our witness in the User-Agent."""
    endpoint = _endpoint(examined)
    is_streamed = examined.admission.body_mode is BodyMode.PAYLOAD
    kept = _kept_headers(examined)
    agent = f"{examined.request.header('user-agent') or '-'} {witness(examined.admission.id, leaf)}"
    headers = sign(
        method=examined.request.method,
        target=examined.request.target,
        headers=(("host", endpoint.host), *kept, ("user-agent", agent)),
        payload_hash=_payload_hash(examined),
        access_key_id=session.access_key_id,
        secret=session.secret_access_key,
        session_token=session.session_token,
        region=endpoint.signing_region,
        service=endpoint.signing_name,
        now=now,
    )
    return Upstream(
        method=examined.request.method,
        target=examined.request.target,
        host=endpoint.host,
        headers=headers,
        dial_host=endpoint.dial_host,
        dial_port=endpoint.dial_port,
        is_tls=endpoint.is_tls,
        payload_sha256=examined.claim.payload_sha256 if is_streamed else None,
        chunks=examined.chunks,
        refuses_mask_tokens=is_streamed and refuses_mask_tokens(examined),
    )


def _travelling(examined: Examined) -> tuple[tuple[str, str], ...]:
    headers = forwardable_headers(examined.request.headers)
    return headers if examined.chunks is None else upstream_headers(headers, examined.chunks)


def forward(examined: Examined, *, session: RoleSession, leaf: bytes, salt: bytes, now: datetime) -> Verdict:
    """The verdict that lets a call through."""
    return Verdict(
        id=examined.admission.id,
        kind=VerdictKind.FORWARD,
        upstream=upstream(examined, session=session, leaf=leaf, now=now),
        mask=plan_of(examined),
        commitment_salt=salt,
        changes=examined.primary.access not in (AccessClass.LIST, AccessClass.READ),
    )
