"""Storing and opening the masked halves of calls, sealed. Called inside the tenant's transaction.

Masking happens before anything comes here; that somebody read a recording is written down by whoever shows it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Q

from audit.models import Recording, RecordingPart
from gateway.sealing.services import seal, unseal

BODY_COLUMN = "audit_recording.sealed_body"
SALT_COLUMN = "audit_recording.sealed_salt"
# A timeline shows the start of a body; bundles of whole bodies are kept elsewhere.
LARGEST_RECORDED = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHalf:
    """One opened half. `byte_count` is the size on the wire; `is_whole` is false where less of it was kept."""

    request_id: UUID
    part: RecordingPart
    content_type: str
    body: bytes = field(repr=False)
    byte_count: int
    is_whole: bool
    recorded_at: datetime

    @property
    def text(self) -> str:
        """The body as text; bytes that are none show as replacement characters."""
        return self.body.decode("utf-8", "replace")


class SealedHalf(msgspec.Struct, frozen=True, kw_only=True):
    """One half as `audit_store_recordings` takes it; what is sealed is spelled as PostgreSQL spells bytes."""

    request_id: UUID
    part: str
    content_type: str
    sealed_body: str
    sealed_salt: str
    byte_count: int
    is_whole: bool
    recorded_at: datetime


def sealed_half(
    *,
    tenant_id: UUID,
    request_id: UUID,
    part: RecordingPart | str,
    body: bytes,
    content_type: str,
    salt: bytes,
    is_whole: bool,
    byte_count: int,
    now: datetime,
) -> SealedHalf:
    """Seal one masked half with the salt of its commitments."""
    return SealedHalf(
        request_id=request_id,
        part=RecordingPart(part).value,
        content_type=content_type[:120],
        sealed_body=spelled(seal(tenant_id=tenant_id, column=BODY_COLUMN, plaintext=body[:LARGEST_RECORDED])),
        sealed_salt=spelled(seal(tenant_id=tenant_id, column=SALT_COLUMN, plaintext=salt)),
        byte_count=byte_count,
        is_whole=is_whole and len(body) <= LARGEST_RECORDED,
        recorded_at=now,
    )


def spelled(value: bytes) -> str:
    """Bytes as PostgreSQL reads them out of JSON."""
    return f"\\x{value.hex()}"


def store(*, tenant_id: UUID, halves: Sequence[SealedHalf]) -> None:
    """Keep sealed halves; a correcting report replaces the earlier half."""
    if halves:
        with connection.cursor() as cursor:
            told = msgspec.json.encode(halves).decode()
            cursor.execute("SELECT audit_store_recordings(%s, %s::jsonb)", [tenant_id, told])


def recorded_halves(*, tenant_id: UUID, request_ids: Iterable[UUID]) -> dict[UUID, dict[str, RecordedHalf]]:
    """Return request id -> part -> opened half, for the requests that have any: one query, however many."""
    halves: dict[UUID, dict[str, RecordedHalf]] = defaultdict(dict)
    for row in Recording.objects.for_tenant(tenant_id).filter(request_id__in=list(request_ids)):
        halves[row.request_id][row.part] = _opened(row)
    return dict(halves)


def _opened(row: Recording) -> RecordedHalf:
    return RecordedHalf(
        request_id=row.request_id,
        part=RecordingPart(row.part),
        content_type=row.content_type,
        body=unseal(tenant_id=row.tenant_id, column=BODY_COLUMN, sealed=bytes(row.sealed_body)),
        byte_count=row.byte_count,
        is_whole=row.is_whole,
        recorded_at=row.recorded_at,
    )


def older_halves(
    *, tenant_id: UUID, after: tuple[datetime, UUID] | None, until: datetime, count: int
) -> list[tuple[UUID, RecordedHalf]]:
    """The next recordings by time and id, opened, with their own ids, locked: nobody corrects one meanwhile."""
    rows = Recording.objects.for_tenant(tenant_id).filter(recorded_at__lte=until).order_by("recorded_at", "id")
    if after is not None:
        at, id_ = after
        rows = rows.filter(Q(recorded_at__gt=at) | Q(recorded_at=at, id__gt=id_))
    return [(row.pk, _opened(row)) for row in rows.select_for_update()[:count]]


def replace_body(*, tenant_id: UUID, recording_id: UUID, body: bytes) -> None:
    """Seal what is shown of one half anew; its salt, size and commitments stay."""
    sealed = seal(tenant_id=tenant_id, column=BODY_COLUMN, plaintext=body[:LARGEST_RECORDED])
    Recording.objects.for_tenant(tenant_id).filter(pk=recording_id).update(sealed_body=sealed)
