"""Sealing and opening with the tenant's data key. What is sealed, and when, is its own room's matter."""

from __future__ import annotations

import base64
import os
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from gateway.sealing import envelope
from gateway.sealing.models import DataKey

_WRAP_COLUMN = "sealing_datakey.wrapped"


@lru_cache(maxsize=1)
def _installation_key() -> bytes:
    """The key of HOOPWEB_KEY_FILE: 32 bytes in base64, readable by this account alone."""
    key = base64.b64decode(settings.KEY_FILE.read_text().strip(), validate=True)
    if len(key) != envelope.KEY_BYTES:
        raise envelope.SealBroken("The key file does not hold 32 bytes in base64")
    return key


@lru_cache(maxsize=1024)
def _unwrapped(tenant_id: UUID, version: int, wrapped: bytes) -> bytes:
    # The wrapped bytes are part of the cache's key: a rotated or replaced row is never served from memory.
    return envelope.open_(_installation_key(), wrapped, associated_data=envelope.associated(str(tenant_id), _WRAP_COLUMN))


@lru_cache(maxsize=1024)
def _cached(tenant_id: UUID, version: int | None) -> tuple[int, bytes]:
    rows = DataKey.objects.for_tenant(tenant_id)
    row = (rows.order_by("-version") if version is None else rows.filter(version=version)).first()
    if row is None:
        raise LookupError(tenant_id)
    return row.version, _unwrapped(tenant_id, row.version, bytes(row.wrapped))


def _create(tenant_id: UUID) -> None:
    key = os.urandom(envelope.KEY_BYTES)
    wrapped = envelope.close(
        _installation_key(),
        key,
        key_version=0,
        nonce=os.urandom(envelope.NONCE_BYTES),
        associated_data=envelope.associated(str(tenant_id), _WRAP_COLUMN),
    )
    with transaction.atomic():
        # Two first writers would each make a version 1: the lock lets the second find the first one's.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"datakey:{tenant_id}"])
        if not DataKey.objects.for_tenant(tenant_id).exists():
            DataKey.objects.create(tenant_id=tenant_id, version=1, wrapped=wrapped, wrapped_by="key-file")


def _key(tenant_id: UUID, version: int | None = None) -> tuple[int, bytes]:
    try:
        return _cached(tenant_id, version)
    except LookupError:
        if version is not None:
            raise envelope.SealBroken("Its data key is gone") from None
        _create(tenant_id)
        return _cached(tenant_id, None)


def seal(*, tenant_id: UUID, column: str, plaintext: bytes) -> bytes:
    """Seal for one tenant and one column (`table.column`). Call inside the tenant's transaction."""
    version, key = _key(tenant_id)
    return envelope.close(
        key,
        plaintext,
        key_version=version,
        nonce=os.urandom(envelope.NONCE_BYTES),
        associated_data=envelope.associated(str(tenant_id), column),
    )


def unseal(*, tenant_id: UUID, column: str, sealed: bytes) -> bytes:
    """Return the plaintext; raises SealBroken when tenant, column or bytes do not match."""
    _, key = _key(tenant_id, envelope.key_version(bytes(sealed)))
    return envelope.open_(key, bytes(sealed), associated_data=envelope.associated(str(tenant_id), column))
