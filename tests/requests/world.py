"""The world of the admission tests: an edge that is enrolled, keys that sign, and botocore's own requests.

A request is made by a real client and caught as it is about to leave; what the gateway does with it is all real.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import boto3
import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.models import Event, RefusalCount
from gateway.connections.models import Connection
from gateway.identity.models import Agent, GatewayKey, User
from gateway.identity.services import issue_gateway_key
from gateway.policy.services import publish
from gateway.requests import edges
from gateway.requests.admit import admit
from gateway.requests.edges import EdgeIdentity
from gateway.requests.models import EnrolmentToken, ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Admission, BodyMode, BootRequest, Enrolment, Verdict

REGION = "eu-central-1"
EVERYTHING = '@id("all") permit (principal, action, resource);'
ASK_TERMINATE = """
@id("terminate-asks") @effect("ask") @approvers("operators")
forbid (principal, action == Action::"ec2:TerminateInstances", resource);
"""


# One for all tests: it keeps the service models it read.
_SESSION = boto3.session.Session()


class Caught(Exception):
    """Carries the request a client was about to send."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__("caught")
        self.request = request


def _catch(request: AWSPreparedRequest, **_: Any) -> None:
    raise Caught(request)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Keys as a developer's environment has them."""

    row: GatewayKey
    access_key_id: str
    secret: str
    token: str

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def client(self, service: str, *, region: str = REGION, **config: Any) -> Any:
        made = _SESSION.client(
            service,
            region_name=region,
            endpoint_url="https://aws.hoopweb.test",
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret,
            aws_session_token=self.token,
            config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, **config),
        )
        made.meta.events.register("before-send.*", _catch)
        return made

    def call(self, service: str, operation: str, *, region: str = REGION, **parameters: Any) -> Admission:
        """What the edge would ask about this call. Payloads are streamed past it, as S3's are."""
        return caught(lambda: getattr(self.client(service, region=region), operation)(**parameters))

    def sign(
        self,
        *,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        service: str,
        region: str = REGION,
        **changed: Any,
    ) -> Admission:
        """A request no client would make, signed by botocore all the same."""
        request = AWSRequest(method=method, url=f"https://aws.hoopweb.test{target}", headers=headers, data=body)
        SigV4Auth(Credentials(self.access_key_id, self.secret, self.token), service, region).add_auth(request)
        return admission_of(request.prepare(), **changed)


def caught(act: Callable[[], object]) -> Admission:
    """Run an SDK call and return its request as an admission."""
    try:
        act()
    except Caught as one:
        return admission_of(one.request)
    raise AssertionError("the client sent nothing")


def admission_of(request: AWSPreparedRequest, **changed: Any) -> Admission:
    """A prepared request as the edge reads it off the wire."""
    parts = urlsplit(request.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = [("Host", parts.netloc), *((name, _text(value)) for name, value in request.headers.items())]
    body = request.body or b""
    is_payload = request.method == "PUT" and "s3" in _text(request.headers.get("Authorization", "")) and bool(body)
    raw = body if isinstance(body, bytes) else str(body).encode() if isinstance(body, str) else body.read()
    told: dict[str, Any] = {
        "id": uuid.uuid4(),
        "received_at": time.time(),
        "listener": "aws",
        "source": "203.0.113.7",
        "method": request.method,
        "target": target or "/",
        "headers": tuple(headers),
        "body_mode": BodyMode.PAYLOAD if is_payload else BodyMode.PARAMETERS if raw else BodyMode.NONE,
        "body": b"" if is_payload else raw,
        "body_sha256": hashlib.sha256(raw).hexdigest() if raw and not is_payload else None,
        "content_length": len(raw),
        "can_hold": not is_payload,
    }
    return Admission(**(told | changed))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def again(admission: Admission, **changed: Any) -> Admission:
    """The same bytes as another request."""
    return msgspec.structs.replace(admission, **({"id": uuid.uuid4()} | changed))


def keys_of(
    tenant: Tenant,
    user: User,
    connection: Connection,
    *,
    agent: Agent | None = None,
    conversation: str = "",
    generation: str = "",
    now: datetime | None = None,
    lifetime: timedelta = timedelta(hours=8),
) -> Keys:
    """Issue real gateway keys."""
    with in_tenant(tenant):
        row, issued = issue_gateway_key(
            tenant=tenant,
            user=user,
            agent=agent,
            connection_id=connection.pk,
            conversation=conversation,
            generation=generation,
            lifetime=lifetime,
            by_label="a test",
            issued_by_key=None,
            now=now or datetime.now(UTC),
            random=os.urandom,
        )
    return Keys(
        row=row, access_key_id=issued.access_key_id, secret=issued.plaintext_secret, token=issued.plaintext_token
    )


def publish_text(tenant: Tenant, text: str) -> None:
    with in_tenant(tenant):
        publish(tenant=tenant, packs=(), text=text, by_label="a test", now=datetime.now(UTC))


@dataclass(kw_only=True)
class EdgeLife:
    """An enrolled edge with its own key, and one boot of it."""

    identity: EdgeIdentity
    key: Ed25519PrivateKey
    boot: UUID = field(default_factory=uuid.uuid4)

    def admit(self, *items: Admission, now: datetime | None = None) -> list[Verdict]:
        return admit(edge=self.identity, boot_id=self.boot, items=items, now=now or datetime.now(UTC))

    def admit_one(self, item: Admission, now: datetime | None = None) -> Verdict:
        return self.admit(item, now=now)[0]

    def look_again(self) -> None:
        """Find the edge as it is enrolled now."""
        found = edges.identity_of(self.identity.id)
        assert found is not None
        self.identity = found

    def start(self, now: datetime | None = None, **told: Any) -> None:
        """Register a new life of this edge."""
        self.boot = uuid.uuid4()
        edges.register_boot(
            edge=self.identity, boot=BootRequest(boot=self.boot, version="1", **told), now=now or datetime.now(UTC)
        )


def enrolled(*tenants: Tenant, name: str = "edge-1") -> EdgeLife:
    """Enrol an edge for these tenants by a one-time token, and start it."""
    key = Ed25519PrivateKey.generate()
    now = datetime.now(UTC)
    EnrolmentToken.objects.create(
        digest=hashlib.sha256(f"token-{name}".encode()).digest(),
        tenants=[tenant.pk for tenant in tenants],
        expires_at=now + timedelta(minutes=5),
    )
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    edge = edges.enrol(enrolment=Enrolment(token=f"token-{name}", name=name, public_key=public), now=now)
    identity = edges.identity_of(edge.pk)
    assert identity is not None
    life = EdgeLife(identity=identity, key=key)
    life.start()
    return life


def row_of(tenant: Tenant, admission: Admission) -> ProxiedRequest:
    with in_tenant(tenant):
        found: ProxiedRequest = ProxiedRequest.objects.for_tenant(tenant).get(pk=admission.id)
    return found


def is_recorded(tenant: Tenant, admission: Admission) -> bool:
    with in_tenant(tenant):
        return bool(ProxiedRequest.objects.for_tenant(tenant).filter(pk=admission.id).exists())


def events_of(tenant: Tenant, subject: UUID | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Kind and facts of events in the ledger's order: all, or those of one subject."""
    with in_tenant(tenant):
        rows = Event.objects.for_tenant(tenant).order_by("sequence")
        found = list(rows.filter(subject=subject) if subject else rows)
    return [(row.kind, json.loads(bytes(row.body))["data"]) for row in found]


def kinds_of(tenant: Tenant, admission: Admission) -> list[str]:
    return [kind for kind, _ in events_of(tenant, admission.id)]


def refusal_counts() -> dict[str, int]:
    return {row.code: row.count for row in RefusalCount.objects.all()}


def answered_code(verdict: Verdict) -> str:
    """The error code inside a JSON refusal, as boto3 shows it."""
    assert verdict.answer is not None
    body = json.loads(verdict.answer.body)
    return str(body.get("__type") or body.get("code"))
