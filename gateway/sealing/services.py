"""Sealing and opening with the tenant's data key. What is sealed, and when, is its own room's matter."""

from __future__ import annotations

import base64
import hmac
import os
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from gateway.sealing import envelope
from gateway.sealing.models import DataKey
from gateway.tenants.scope import in_tenant

_WRAP_COLUMN = "sealing_datakey.wrapped"


def read_key_file(path: Path) -> bytes:
    """The key of a file: 32 bytes in base64; raises SealBroken for anything else, OSError where it cannot be read."""
    try:
        key = base64.b64decode(path.read_text().strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != envelope.KEY_BYTES:
        raise envelope.SealBroken("The key file does not hold 32 bytes in base64")
    return key


@lru_cache(maxsize=1)
def _installation_key() -> bytes:
    """The key of HOOPWEB_KEY_FILE, readable by this account alone."""
    return read_key_file(settings.KEY_FILE)


# Live keys by (tenant, version); None stands for the newest. Bounded by tenants x versions, 32 bytes each.
_keys: dict[tuple[UUID, int | None], tuple[int, bytes]] = {}
# Rows this process made in a transaction that may still roll back: kept out of the cache until it commits, for
# what was sealed under a key that never came to be could never be opened again.
_uncommitted: set[UUID] = set()


def _open_row(row: DataKey) -> tuple[int, bytes]:
    associated_data = envelope.associated(str(row.tenant_id), _WRAP_COLUMN)
    return row.version, envelope.open_(_installation_key(), bytes(row.wrapped), associated_data=associated_data)


def _find(tenant_id: UUID, version: int | None) -> tuple[int, bytes] | None:
    cached = _keys.get((tenant_id, version))
    if cached is not None:
        return cached
    # Seldom, and perhaps outside any transaction: what seals need not have entered the tenant.
    with in_tenant(tenant_id):
        rows = DataKey.objects.for_tenant(tenant_id)
        row = (rows.order_by("-version") if version is None else rows.filter(version=version)).first()
    if row is None:
        return None
    found = _open_row(row)
    if row.pk not in _uncommitted:
        _keys[tenant_id, version] = _keys[tenant_id, row.version] = found
    return found


def _create(tenant_id: UUID) -> tuple[int, bytes]:
    wrapped = envelope.close(
        _installation_key(),
        os.urandom(envelope.KEY_BYTES),
        key_version=0,
        nonce=os.urandom(envelope.NONCE_BYTES),
        associated_data=envelope.associated(str(tenant_id), _WRAP_COLUMN),
    )
    with in_tenant(tenant_id):
        # Two first writers would each make a version 1: the lock lets the second find the first one's.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"datakey:{tenant_id}"])
        found = _find(tenant_id, None)
        if found is not None:
            return found
        row = DataKey.objects.create(tenant_id=tenant_id, version=1, wrapped=wrapped, wrapped_by="key-file")
        _uncommitted.add(row.pk)
        transaction.on_commit(lambda: _uncommitted.discard(row.pk))
    return _open_row(row)


def rewrap(*, tenant_id: UUID, new_key: bytes) -> int:
    """Wrap a tenant's data keys under another installation key; returns how many. Call inside the tenant's transaction.

    What they sealed stays as it is. Raises SealBroken where one does not open with the present key.
    """
    rows = list(DataKey.objects.for_tenant(tenant_id).select_for_update().order_by("version"))
    for row in rows:
        _, key = _open_row(row)
        row.wrapped = envelope.close(
            new_key,
            key,
            key_version=0,
            nonce=os.urandom(envelope.NONCE_BYTES),
            associated_data=envelope.associated(str(tenant_id), _WRAP_COLUMN),
        )
        row.save(update_fields=("wrapped",))
    return len(rows)


def _key(tenant_id: UUID, version: int | None = None) -> tuple[int, bytes]:
    found = _find(tenant_id, version)
    if found is not None:
        return found
    if version is not None:
        raise envelope.SealBroken("Its data key is gone")
    return _create(tenant_id)


def tenant_mac(*, tenant_id: UUID, purpose: str, message: bytes) -> bytes:
    """HMAC-SHA256 of a message under a key of the tenant's for this one purpose: the same message, the same 32 bytes.

    From the tenant's first data key, also after newer ones came: what was told by its MAC must be found again.
    """
    _, key = _find(tenant_id, 1) or _create(tenant_id)
    return hmac.digest(hmac.digest(key, f"hoopweb:mac:{purpose}".encode(), "sha256"), message, "sha256")


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


def unseal(*, tenant_id: UUID, column: str, sealed: bytes | memoryview) -> bytes:
    """Return the plaintext; raises SealBroken when tenant, column or bytes do not match."""
    _, key = _key(tenant_id, envelope.key_version(bytes(sealed)))
    return envelope.open_(key, bytes(sealed), associated_data=envelope.associated(str(tenant_id), column))
