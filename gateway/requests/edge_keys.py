"""Keys of an edge: its own, changed without a lost call, and those its journals are sealed with.

Who an edge is and what it serves is `edges`'.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.db.models import F

from audit.kinds import EventKind
from audit.services import append
from gateway.requests.models import Edge, EdgeBoot
from gateway.requests.problems import EdgeRefused, KeyOfferRefused, MalformedMessage
from gateway.sealing.services import tenant_mac
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import (
    JournalKey,
    JournalKeys,
    JournalKeysRequest,
    KeyOffer,
    KeyOfferAnswer,
    edge_key_proof,
)

# A key is changed once a month unless somebody asks for it sooner (`manage.py rotate_edge`).
KEY_LIFETIME = timedelta(days=30)
# Every process looks an edge up anew each second: after this all of them know the offered key.
KNOWN_AFTER_SECONDS = 3.0
# Calls the edge signed with the key before may still be on their way, or be sent again.
OVERLAP = timedelta(minutes=2)
# One boot's own, and files that earlier boots left.
MOST_JOURNALS = 64


def offer(*, edge_id: UUID, offered: KeyOffer) -> KeyOfferAnswer:
    """Take an edge's next key; the present one stays good until the new one is used.

    Raises KeyOfferRefused unless the new key itself signed for this edge, or where another edge has had it.
    """
    proof = edge_key_proof(edge_id=edge_id, public_key=offered.public_key)
    try:
        Ed25519PublicKey.from_public_bytes(offered.public_key).verify(offered.proof, proof)
    except (ValueError, InvalidSignature):
        raise KeyOfferRefused from None
    if Edge.objects.filter(public_key=offered.public_key).exists():
        raise KeyOfferRefused
    if not Edge.objects.filter(pk=edge_id, revoked_at=None).update(next_public_key=offered.public_key):
        raise EdgeRefused
    return KeyOfferAnswer(after_seconds=KNOWN_AFTER_SECONDS)


def take_up(*, edge_id: UUID, tenants: frozenset[UUID], public_key: bytes, now: datetime) -> None:
    """The offered key has signed a call: it is the edge's key now, and the one before it ends soon."""
    with transaction.atomic():
        # Conditional: of many calls signed at once by the new key, one makes the change and its events.
        changed = Edge.objects.filter(pk=edge_id, next_public_key=public_key).update(
            previous_public_key=F("public_key"),
            previous_until=now + OVERLAP,
            public_key=public_key,
            next_public_key=None,
            key_since=now,
            is_key_due=False,
        )
        for tenant_id in sorted(tenants) if changed else ():
            with in_tenant(tenant_id):
                append(tenant_id=tenant_id, kind=EventKind.EDGE_KEY_ROTATED, at=now, subject=edge_id)


def ask_for_new_keys(*, name: str) -> int:
    """Have every live edge of a name change its key; it hears of it in its next feed. Returns how many edges."""
    return Edge.objects.filter(name=name, revoked_at=None).update(is_key_due=True)


def journal_keys(*, edge_id: UUID, tenants: frozenset[UUID], asked: JournalKeysRequest) -> JournalKeys:
    """Return what seals these boots' journals, and how many records each has told of.

    A key is of one edge and boot: asked for by another edge, the same boot has another key.
    """
    if not 0 < len(asked.boots) <= MOST_JOURNALS or len(set(asked.boots)) < len(asked.boots):
        raise MalformedMessage("Name 1 to 64 boots, each once")
    tenant_id = _journal_tenant(edge_id, tenants)
    told = EdgeBoot.objects.filter(edge_id=edge_id, pk__in=asked.boots).values_list("id", "journal_records")
    heard = dict(told)
    return JournalKeys(
        items=tuple(
            JournalKey(
                boot=boot,
                key=tenant_mac(tenant_id=tenant_id, purpose="edge-journal", message=edge_id.bytes + boot.bytes),
                heard=heard.get(boot, 0),
            )
            for boot in asked.boots
        )
    )


def _journal_tenant(edge_id: UUID, tenants: frozenset[UUID]) -> UUID:
    """The tenant whose data key an edge's journal keys come from: settled at the first question, and for good."""
    if not tenants:
        raise EdgeRefused
    with transaction.atomic():
        edge = Edge.objects.select_for_update().get(pk=edge_id)
        if edge.journal_tenant_id is None:
            edge.journal_tenant_id = min(tenants)
            edge.save(update_fields=("journal_tenant_id",))
        found: UUID = edge.journal_tenant_id
    return found
