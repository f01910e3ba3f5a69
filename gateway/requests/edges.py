"""Edges: enrolment, whose call this is, boots and their fencing.

An edge is trusted to carry bytes for its tenants; it never says who a caller is.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest

from audit.kinds import EventKind
from audit.services import append
from gateway.requests.edge_keys import KEY_LIFETIME, take_up
from gateway.requests.models import Edge, EdgeBoot, EdgeScope, EnrolmentToken
from gateway.requests.problems import BootFenced, EdgeRefused, EnrolmentRefused
from gateway.requests.settle import settle_boot
from gateway.tenants.scope import as_edge, in_tenant
from gateway.wire.contract import BootRequest, Enrolment, JournalTrouble, edge_string_to_sign

# An edge's signature is good this long: enough for skew, short enough that a captured call is stale soon.
SKEW_SECONDS = 60
# A boot that has not asked the feed for this long is taken for dead.
SILENCE = timedelta(seconds=60)
# A restarted edge ships the outcomes of its earlier life within moments; until then nothing is called lost.
SETTLE_AFTER = timedelta(seconds=5)
SETTLE_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeIdentity:
    """An enrolled edge and what it may bring admissions for: (tenant, connection), None for all of a tenant's."""

    id: UUID
    public_key: bytes
    scopes: frozenset[tuple[UUID, UUID | None]]
    is_revoked: bool = False
    next_public_key: bytes | None = None
    previous_public_key: bytes | None = None
    previous_until: datetime | None = None
    key_since: datetime | None = None
    is_key_asked: bool = False

    @property
    def tenants(self) -> frozenset[UUID]:
        return frozenset(tenant_id for tenant_id, _ in self.scopes)

    def serves_tenant(self, tenant_id: UUID) -> bool:
        """Whether it may bring admissions for any connection of a tenant."""
        return any(tenant_id == served for served, _ in self.scopes)

    def keys(self, now: datetime) -> Iterator[bytes]:
        """The keys a call may be signed with, the likeliest first."""
        yield self.public_key
        if self.next_public_key is not None:
            yield self.next_public_key
        if self.previous_public_key is not None and self.previous_until is not None and now < self.previous_until:
            yield self.previous_public_key

    def is_key_due(self, now: datetime) -> bool:
        """Whether this edge should make itself a new key."""
        return self.is_key_asked or (self.key_since is not None and now - self.key_since > KEY_LIFETIME)

    def serves(self, tenant_id: UUID, connection_id: UUID) -> bool:
        """Say whether this edge may bring calls of this connection."""
        return bool({(tenant_id, None), (tenant_id, connection_id)} & self.scopes)


def identity_of(edge_id: UUID) -> EdgeIdentity | None:
    """Return an enrolled edge as of now, revoked or not."""
    with as_edge(edge_id):
        edge = Edge.objects.filter(pk=edge_id).first()
        if edge is None:
            return None
        scopes = frozenset(EdgeScope.objects.filter(edge_id=edge_id).values_list("tenant_id", "connection_id"))
    return EdgeIdentity(
        id=edge.pk,
        public_key=bytes(edge.public_key),
        scopes=scopes,
        is_revoked=edge.revoked_at is not None,
        next_public_key=_bytes(edge.next_public_key),
        previous_public_key=_bytes(edge.previous_public_key),
        previous_until=edge.previous_until,
        key_since=edge.key_since,
        is_key_asked=edge.is_key_due,
    )


def _bytes(stored: bytes | memoryview | None) -> bytes | None:
    return None if stored is None else bytes(stored)


@lru_cache(maxsize=256)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


@lru_cache(maxsize=256)
def _identity(edge_id: UUID, _second: int) -> EdgeIdentity | None:
    return identity_of(edge_id)


def authenticate(
    *,
    edge_id: str,
    date: str,
    signature: str,
    method: str,
    path: str,
    body: bytes,
    now: datetime,
    also_revoked: bool = False,
) -> EdgeIdentity:
    """Return the edge that signed this call; raises EdgeRefused without saying which check failed.

    `also_revoked` is for the one call that tells a revoked edge so.
    """
    try:
        known = UUID(edge_id)
        age = now.timestamp() - int(date)
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, OverflowError):
        raise EdgeRefused from None
    # Looked up at most once a second: a revoked edge is out within two.
    identity = _identity(known, int(time.monotonic()))
    if identity is None or abs(age) > SKEW_SECONDS or (identity.is_revoked and not also_revoked):
        raise EdgeRefused
    digest = hashlib.sha256(body).hexdigest()
    text = edge_string_to_sign(method=method, path=path, date=date, body_sha256=digest)
    key = next((key for key in identity.keys(now) if _is_signed(key, raw, text)), None)
    if key is None:
        raise EdgeRefused
    if key == identity.next_public_key and not identity.is_revoked:
        take_up(edge_id=identity.id, tenants=identity.tenants, public_key=key, now=now)
    return identity


def _is_signed(key: bytes, signature: bytes, text: bytes) -> bool:
    try:
        _public_key(key).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def enrol(*, enrolment: Enrolment, now: datetime) -> Edge:
    """Spend a one-time token and register the edge's own key for the token's tenants."""
    digest = hashlib.sha256(enrolment.token.encode()).digest()
    if len(enrolment.public_key) != 32:
        raise EnrolmentRefused("The public key is not a raw Ed25519 key")
    with transaction.atomic():
        # Conditional update: of two edges with one token, exactly one gets in.
        spent = EnrolmentToken.objects.filter(digest=digest, used_at=None, expires_at__gt=now).update(used_at=now)
        if not spent:
            raise EnrolmentRefused
        token = EnrolmentToken.objects.get(digest=digest)
        edge = Edge.objects.create(name=enrolment.name[:80], public_key=enrolment.public_key)
        for tenant_id in token.tenants:
            for connection_id in token.connections or (None,):
                let_serve(edge=edge, tenant_id=tenant_id, connection_id=connection_id, now=now)
    return edge


def invite(*, token: str, tenants: Iterable[UUID], until: datetime, connections: Iterable[UUID] = ()) -> None:
    """Keep the digest of a one-time token. Only the owner role may: the serving role cannot invite edges.

    `connections` narrow the invitation to these of one tenant; raises ValueError where more tenants are named.
    """
    digest = hashlib.sha256(token.encode()).digest()
    named, only = list(tenants), list(connections)
    if only and len(named) != 1:
        raise ValueError("connections are of one tenant")
    EnrolmentToken.objects.create(digest=digest, tenants=named, connections=only, expires_at=until)


def revoke_edge(*, name: str, now: datetime) -> int:
    """Revoke every live edge of a name, and fence its lives; returns how many edges. They are out within two seconds."""
    with transaction.atomic():
        edges = list(Edge.objects.filter(name=name, revoked_at=None).select_for_update().values_list("id", flat=True))
        Edge.objects.filter(pk__in=edges).update(revoked_at=now)
        EdgeBoot.objects.filter(edge_id__in=edges, fenced_at=None).update(fenced_at=now)
        for edge_id in edges:
            _tell(edge_id, kind=EventKind.EDGE_REVOKED, subject=edge_id, data={"name": name}, now=now)
    return len(edges)


def let_serve(*, edge: Edge, tenant_id: UUID, now: datetime, connection_id: UUID | None = None) -> None:
    """Let an enrolled edge bring a tenant's admissions (of one connection, or all); it does within two seconds."""
    with in_tenant(tenant_id):
        _scope, is_new = EdgeScope.objects.get_or_create(tenant_id=tenant_id, edge=edge, connection_id=connection_id)
        if not is_new:
            return
        append(tenant_id=tenant_id, kind=EventKind.EDGE_ENROLLED, at=now, subject=edge.pk, data={"name": edge.name})


def release(*, edge: Edge, tenant_id: UUID, now: datetime, connection_id: UUID | None = None) -> bool:
    """End what `let_serve` began with the same arguments, within two seconds; says whether there was such a right."""
    with in_tenant(tenant_id):
        found = EdgeScope.objects.filter(tenant_id=tenant_id, edge=edge, connection_id=connection_id)
        gone, _ = found.delete()
        if gone:
            append(tenant_id=tenant_id, kind=EventKind.EDGE_RELEASED, at=now, subject=edge.pk, data={"name": edge.name})
    return bool(gone)


def _tell(edge_id: UUID, *, kind: EventKind, subject: UUID, data: dict[str, str], now: datetime) -> None:
    """Write one event to every tenant's ledger that the edge serves. Call inside a transaction."""
    with as_edge(edge_id):
        tenants = set(EdgeScope.objects.filter(edge_id=edge_id).values_list("tenant_id", flat=True))
    for tenant_id in sorted(tenants):
        with in_tenant(tenant_id):
            append(tenant_id=tenant_id, kind=kind, at=now, subject=subject, data=data)


def register_boot(*, edge: EdgeIdentity, boot: BootRequest, now: datetime) -> None:
    """Begin a new life of an edge: every earlier one is fenced, with what its journal says may have left.

    Settling comes a little later (`settle_fenced`), so that outcomes still in that journal arrive first.
    """
    damaged = {damage.boot: damage.reason for damage in boot.damage}
    statements = {one.boot: list(one.sending) for one in boot.statements if one.boot not in damaged}
    with transaction.atomic():
        # The row lock orders two processes that claim to be the same edge: the later registration wins.
        Edge.objects.select_for_update().get(pk=edge.id)
        if EdgeBoot.objects.filter(pk=boot.boot).exclude(edge_id=edge.id).exists():
            raise EdgeRefused
        earlier = EdgeBoot.objects.filter(edge_id=edge.id).exclude(pk=boot.boot)
        before = earlier.order_by("-started_at").first()
        if before is not None and before.journal_records and before.sending is None and before.pk not in statements:
            damaged.setdefault(before.pk, JournalTrouble.MISSING)
        known = set(earlier.filter(pk__in=damaged).values_list("id", flat=True))
        for boot_id in sorted(known):
            told = {"reason": damaged[boot_id], "name": str(edge.id)}
            _tell(edge.id, kind=EventKind.EDGE_JOURNAL_DAMAGED, subject=boot_id, data=told, now=now)
        earlier.filter(fenced_at=None).update(fenced_at=now)
        for boot_id, sending in statements.items():
            earlier.filter(pk=boot_id, is_settled=False).update(sending=sending)
        EdgeBoot.objects.get_or_create(
            pk=boot.boot,
            defaults={"edge_id": edge.id, "version": boot.version[:40], "started_at": now, "seen_at": now},
        )


def check_boot(*, edge: EdgeIdentity, boot_id: UUID, now: datetime) -> None:
    """Raise BootFenced unless this boot of this edge may still admit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT fenced_at FROM requests_edgeboot WHERE id = %s AND edge_id = %s", [boot_id, edge.id])
        row = cursor.fetchone()
    if row is None or row[0] is not None:
        raise BootFenced


def see_boot(*, edge: EdgeIdentity, boot_id: UUID, now: datetime, journal_records: int = 0) -> None:
    """Note that a boot is alive and how far its journal is.

    Written when the journal has moved on, else every few seconds: the feed asks four times a second.
    """
    check_boot(edge=edge, boot_id=boot_id, now=now)
    is_stale = Q(seen_at__lt=now - timedelta(seconds=5)) | Q(journal_records__lt=journal_records)
    EdgeBoot.objects.filter(is_stale, pk=boot_id).update(
        seen_at=now, journal_records=Greatest(F("journal_records"), Value(journal_records))
    )


def fence_silent(*, now: datetime) -> int:
    """Fence every boot that has gone silent; returns how many."""
    return EdgeBoot.objects.filter(fenced_at=None, seen_at__lt=now - SILENCE).update(fenced_at=now)


def settle_fenced(*, now: datetime) -> int:
    """Settle what fenced boots left, once their journals had time to speak; returns how many boots."""
    # An admission may have been checked just before the fence and committed after it: settled boots are looked at
    # again for a while, longer than any transaction lives.
    is_due = Q(is_settled=False) | Q(fenced_at__gt=now - SETTLE_AGAIN)
    due = list(EdgeBoot.objects.filter(is_due, fenced_at__lt=now - SETTLE_AFTER).order_by("fenced_at", "id"))
    for boot in due:
        with as_edge(boot.edge_id):
            tenants = frozenset(EdgeScope.objects.filter(edge_id=boot.edge_id).values_list("tenant_id", flat=True))
        sending = None if boot.sending is None else frozenset(boot.sending)
        settle_boot(
            edge_id=boot.edge_id,
            tenants=tenants,
            boot_id=boot.pk,
            sending=sending,
            now=now,
            is_first=not boot.is_settled,
        )
        EdgeBoot.objects.filter(pk=boot.pk).update(is_settled=True)
    return len(due)
