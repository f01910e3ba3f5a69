"""Allowed calls: signed for exactly this request, sent to the endpoint of the parsed service and region only."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.conf import settings

from gateway.connections.endpoints import NO_BUCKET, Endpoint, express_upstream, is_directory_bucket, upstream_of
from gateway.connections.sts import RoleSession
from gateway.requests.decoys import decoy_key
from gateway.requests.examine import Examined, plan_of, refuses_decoys, refuses_mask_tokens
from gateway.terms import AccessClass
from gateway.wire.aws.placing import upstream_prefix
from gateway.wire.aws_chunked import upstream_headers, upstream_payload_hash
from gateway.wire.contract import BodyMode, Upstream, Verdict, VerdictKind
from gateway.wire.hosts import below_bucket
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


def _directory_bucket(examined: Examined) -> str:
    """The directory bucket (S3 Express) a call concerns; empty for every other call."""
    bucket = examined.reading.parameters.get("Bucket")
    if examined.primary.operation.service != "s3":
        return ""
    if bucket is None and examined.claim.service == "s3express":
        # ListBuckets and ListDirectoryBuckets look alike on the wire; the scope tells which was meant.
        return NO_BUCKET
    return bucket if isinstance(bucket, str) and is_directory_bucket(bucket) else ""


def _endpoint(examined: Examined) -> Endpoint:
    """Where AWS's own rules put the parsed service, dialled at the stand-in where one takes AWS's place."""
    operation, region = examined.primary.operation, examined.question.region
    bucket = _directory_bucket(examined)
    endpoint = express_upstream(bucket, region, operation.name) if bucket else upstream_of(operation.service, region)
    if prefix := upstream_prefix(examined.reading):
        endpoint = replace(endpoint, host=prefix + endpoint.host, dial_host=prefix + endpoint.dial_host)
    return endpoint.dialled_at(settings.UPSTREAM_AWS_URL) if settings.UPSTREAM_AWS_URL else endpoint


def _target(examined: Examined, endpoint: Endpoint) -> str:
    bucket = _directory_bucket(examined)
    is_before_host = bucket and endpoint.host.startswith(f"{bucket}.")
    return below_bucket(examined.request) if is_before_host else examined.request.target


def _kept_headers(examined: Examined) -> list[tuple[str, str]]:
    """The client's own headers. A range that is masked is fetched wider: its edges would cut a secret in two."""
    kept = [pair for pair in _travelling(examined) if pair[0] != "user-agent"]
    plan = plan_of(examined) if examined.request.header("range") else None
    asked = read_range(plan.range) if plan is not None and not plan.is_clear else None
    return kept if asked is None else [(name, asked.widened() if name == "range" else value) for name, value in kept]


def upstream(examined: Examined, *, session: RoleSession, leaf: bytes, now: datetime) -> Upstream:
    """The request as AWS gets it: the client's own headers, our signature, our witness in the User-Agent."""
    endpoint = _endpoint(examined)
    target = _target(examined, endpoint)
    is_streamed = examined.admission.body_mode is BodyMode.PAYLOAD
    kept = _kept_headers(examined)
    agent = f"{examined.request.header('user-agent') or '-'} {witness(examined.admission.id, leaf)}"
    headers = sign(
        method=examined.request.method,
        target=target,
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
        target=target,
        host=endpoint.host,
        headers=headers,
        dial_host=endpoint.dial_host,
        dial_port=endpoint.dial_port,
        is_tls=endpoint.is_tls,
        payload_sha256=examined.claim.payload_sha256 if is_streamed else None,
        chunks=examined.chunks,
        refuses_mask_tokens=is_streamed and refuses_mask_tokens(examined),
        decoy_key=decoy_key(examined.key.tenant_id) if is_streamed and examined.key.has_decoys else b"",
        refuses_decoys=is_streamed and refuses_decoys(examined),
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
