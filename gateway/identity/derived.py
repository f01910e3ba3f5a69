"""Keys derived from others: of the same person or workload, agent, connection and conversation, and gone with them.

What a client asked for and how it is answered is `gateway.requests.minting`. Called inside the tenant's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import F

from audit.kinds import EventKind
from audit.services import NewEvent
from gateway.identity import keys
from gateway.identity.keys import IssuedGatewayKey
from gateway.identity.models import GatewayKey
from gateway.identity.services import SECRET_COLUMN
from gateway.sealing import services as sealing


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedKey:
    """A key that is made, and not kept yet. `what` says in an event what it stands for."""

    id: UUID
    issued: IssuedGatewayKey = field(repr=False)
    role_chain: list[object]
    expires_at: datetime
    what: str


def keep(*, tenant_id: UUID, parent_id: UUID, made: DerivedKey, by_label: str, now: datetime) -> NewEvent:
    """Keep a key derived from another; returns its event, for the caller to append. Raises IntegrityError if known."""
    parent = GatewayKey.objects.for_tenant(tenant_id).get(pk=parent_id)
    GatewayKey.objects.create(
        id=made.id,
        tenant_id=tenant_id,
        access_key_id=made.issued.access_key_id,
        sealed_secret=_sealed(tenant_id, made.issued),
        token_digest=keys.digest(made.issued.plaintext_token),
        user_id=parent.user_id,
        service_account_id=parent.service_account_id,
        agent_id=parent.agent_id,
        connection_id=parent.connection_id,
        conversation=parent.conversation,
        generation=parent.generation,
        prompt_id=parent.prompt_id,
        device_id=parent.device_id,
        link_cap=parent.link_cap,
        cap_reason=parent.cap_reason,
        issued_at=now,
        # Whatever was worked out: never later than the key it comes from.
        expires_at=min(made.expires_at, parent.expires_at),
        issued_by_key=parent.issued_by_key,
        ancestors=[*parent.ancestors, parent.pk],
        role_chain=made.role_chain,
    )
    return _event(tenant_id, made, by_label, str(parent.connection_id), now)


def prepare_for_workload(
    *,
    tenant_id: UUID,
    key_id: UUID,
    service_account_id: UUID,
    connection_id: UUID,
    issued: IssuedGatewayKey,
    now: datetime,
) -> None:
    """Keep a workload's key that is not in force; `put_in_force` does that. Raises IntegrityError if known."""
    GatewayKey.objects.create(
        id=key_id,
        tenant_id=tenant_id,
        access_key_id=issued.access_key_id,
        sealed_secret=_sealed(tenant_id, issued),
        token_digest=keys.digest(issued.plaintext_token),
        service_account_id=service_account_id,
        connection_id=connection_id,
        issued_at=now,
        expires_at=now,
        revoked_at=now,
    )


def put_in_force(*, tenant_id: UUID, made: DerivedKey, by_label: str, now: datetime) -> NewEvent:
    """Open a prepared key with the call that is answered by it; returns its event, for the caller to append."""
    # Only one that was never in force: such a one ends the moment it begins.
    prepared = GatewayKey.objects.for_tenant(tenant_id).filter(pk=made.id, expires_at=F("issued_at"))
    prepared.update(revoked_at=None, issued_at=now, expires_at=made.expires_at, role_chain=made.role_chain)
    connection_id = GatewayKey.objects.for_tenant(tenant_id).values_list("connection_id", flat=True).get(pk=made.id)
    return _event(tenant_id, made, by_label, str(connection_id), now)


def kept_keys(*, tenant_id: UUID, key_id: UUID) -> tuple[IssuedGatewayKey, datetime] | None:
    """A derived key as it was given out, with its end; None where there is none. For an answer that was lost."""
    row = GatewayKey.objects.for_tenant(tenant_id).filter(pk=key_id).first()
    if row is None:
        return None
    secret = sealing.unseal(tenant_id=tenant_id, column=SECRET_COLUMN, sealed=bytes(row.sealed_secret))
    return keys.derived_key(access_key_id=row.access_key_id, secret=secret.decode()), row.expires_at


def _sealed(tenant_id: UUID, issued: IssuedGatewayKey) -> bytes:
    plaintext = issued.plaintext_secret.encode()
    return sealing.seal(tenant_id=tenant_id, column=SECRET_COLUMN, plaintext=plaintext)


def _event(tenant_id: UUID, made: DerivedKey, by_label: str, connection: str, now: datetime) -> NewEvent:
    data = {
        "by": by_label,
        "key": made.issued.access_key_id,
        "connection": connection,
        "expires_at": made.expires_at.isoformat(),
        "what": made.what,
    }
    return NewEvent(kind=EventKind.KEY_ISSUED, at=now, subject=made.id, data=data)
