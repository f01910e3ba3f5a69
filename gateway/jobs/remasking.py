"""Stored recordings, masked again with the rules of today. What was recorded of clear content is a commitment, so the
ledger verifies as before; each recording that changes leaves an event of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.kinds import EventKind
from audit.recordings import older_halves, replace_body
from audit.services import append
from gateway.jobs.steps import Page, placed
from gateway.masking.content import ContentScanner, scanner_for
from gateway.masking.decoy_watch import without
from gateway.masking.recorded import mask_text
from gateway.masking.replacement import token
from gateway.requests.decoys import decoy_key

RECORDINGS_A_PAGE = 50


def remask_page(
    *,
    tenant_id: UUID,
    job_id: UUID,
    target: Mapping[str, Any],
    cursor: Mapping[str, Any] | None,
    detectors: bytes,
    rules: str,
    now: datetime,
) -> Page:
    """One page of recordings, oldest first, inside the tenant's transaction: seen again it changes nothing."""
    page, scanner, key = Page(), scanner_for(detectors), decoy_key(tenant_id)
    after = (datetime.fromisoformat(cursor["at"]), UUID(cursor["id"])) if cursor else None
    rows = older_halves(
        tenant_id=tenant_id, after=after, until=datetime.fromisoformat(target["until"]), count=RECORDINGS_A_PAGE
    )
    for id_, half in rows:
        page.counts["seen"] += 1
        page.cursor = {"at": half.recorded_at.isoformat(), "id": str(id_)}
        try:
            text = half.body.decode()
        except UnicodeDecodeError:
            page.counts["unscanned"] += 1
            continue
        page.counts["scanned"] += 1
        masked = mask_text(text, scanner=scanner)
        if masked.text == text or _holds_only_decoys(key, text, scanner):
            continue
        replace_body(tenant_id=tenant_id, recording_id=id_, body=masked.text.encode())
        page.counts["changed"] += 1
        page.take(placed(scanner, f"{half.part} of {half.request_id}"), masked.by_type, masked.by_rule)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(masked.by_type.items()))
        data = {"by": "system", "name": f"job {job_id}", "what": f"{half.part}: {told}", "reason": f"rules {rules}"}
        append(tenant_id=tenant_id, kind=EventKind.RECORDING_REMASKED, at=now, subject=half.request_id, data=data)
    if len(rows) < RECORDINGS_A_PAGE:
        page.cursor = None
    return page


def _holds_only_decoys(key: bytes, text: str, scanner: ContentScanner) -> bool:
    """Whether what looks secret here was made by ourselves: which decoys an agent was given is evidence."""
    cleaned = without(key, text.encode(), token("decoy").encode()).decode()
    return cleaned != text and mask_text(cleaned, scanner=scanner).text == cleaned
