"""Decoys from a response's tag to the finding: which call may issue them, which carries one, whose they were.

How they look and are known again is `gateway.masking`'s; what a refusal says, `problems`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from audit.kinds import EventKind
from audit.services import NewEvent
from gateway.masking.codings import Plain, packing_of
from gateway.masking.decoy_watch import MOST_FOUND, Found, in_value
from gateway.masking.decoys import TAGS
from gateway.masking.replacement import DECOY
from gateway.masking.uploads import UploadWatch
from gateway.requests import storable
from gateway.requests.draft_rows import DraftRow
from gateway.requests.models import IssuedDecoys, ProxiedRequest
from gateway.sealing.services import tenant_mac
from gateway.wire.contract import Admission

# The mask type under which a rule lets a call that carries one pass: `@clear("decoys")`. The finding stays.
CARRYING_DECOYS = "decoys"
# What a verified call has of us, or of its own digests: no place for anything else.
_OURS = frozenset(("authorization", "x-amz-security-token", "x-amz-content-sha256", "x-amz-date"))


def decoy_key(tenant_id: UUID) -> bytes:
    """The tenant's key for decoys: it makes them at the edge and knows them again everywhere."""
    return tenant_mac(tenant_id=tenant_id, purpose="decoy", message=b"")


def tag_of(*, tenant_id: UUID, request_id: UUID) -> int:
    """The tag of this request's response. Not to be told from the request's id, so that nobody can forge another's."""
    return int.from_bytes(tenant_mac(tenant_id=tenant_id, purpose="decoy-tag", message=request_id.bytes), "big") % TAGS


def asks_for_decoys(masks: Iterable[str]) -> bool:
    """Whether policy has some values written as decoys."""
    return any(mask.endswith(DECOY) for mask in masks)


def carried(admission: Admission, parameters: Sequence[Mapping[str, Any]], *, tenant_id: UUID) -> tuple[Found, ...]:
    """The tenant's decoys in a call, each once: in its target, its headers, its parameters, its bytes."""
    key, body = decoy_key(tenant_id), admission.body
    said = (value for name, value in admission.headers if name.lower() not in _OURS)
    found = dict.fromkeys(in_value(key, (unquote(admission.target, errors="replace"), *said, body, *parameters)))
    if not isinstance(packing_of(body), Plain):
        watch = UploadWatch(tokens=False, decoy_key=key)
        watch.look(body)
        watch.end()
        found |= dict.fromkeys(watch.decoys)
    return tuple(found)[:MOST_FOUND]


def keep_issued(*, tenant_id: UUID, request_ids: Sequence[UUID], now: datetime) -> None:
    """Write down that these requests' responses may hold decoys, before they can. Call inside the tenant."""
    made = [
        IssuedDecoys(
            tenant_id=tenant_id, tag=tag_of(tenant_id=tenant_id, request_id=one), request_id=one, issued_at=now
        )
        for one in request_ids
    ]
    IssuedDecoys.objects.bulk_create(made, ignore_conflicts=True)


def findings(
    found: Iterable[Found],
    *,
    tenant_id: UUID,
    where: str,
    use: Mapping[str, Any],
    subject: UUID,
    session_id: UUID | None,
    now: datetime,
) -> list[NewEvent]:
    """The events of one use: which response each decoy came from, for which prompt, and how it was used.

    Call inside the tenant. One whose response is not known is told of too: its proof is right.
    """
    decoys = sorted(set(found))
    issued = issuers(tenant_id, {one.tag for one in decoys})
    return [
        NewEvent(
            kind=EventKind.DECOY_USED,
            at=now,
            subject=subject,
            session_id=session_id,
            data={"where": where, "decoy": str(one), **issued.get(one.tag, {}), **use},
        )
        for one in decoys
    ]


def issuers(tenant_id: UUID, tags: Iterable[int]) -> dict[int, dict[str, Any]]:
    """By tag, the facts of the response it was made for; the newest, should two ever have drawn the same."""
    rows = IssuedDecoys.objects.for_tenant(tenant_id).filter(tag__in=list(tags)).order_by("issued_at")
    requests = {one.request_id: one.tag for one in rows}
    calls = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk__in=list(requests)).order_by("decided_at")
    return {requests[call.pk]: _issued(call) for call in calls}


def _issued(call: ProxiedRequest) -> dict[str, Any]:
    return {
        "issued_request": str(call.pk),
        "issued_at": call.decided_at.isoformat(),
        "issued_session": str(call.session_id),
        "issued_prompt": str(call.prompt_id) if call.prompt_id else None,
        "issued_link": call.link,
        "issued_person": call.person_label,
        "issued_agent": call.agent_label,
        "issued_connection": call.connection_label,
        "issued_operation": f"{call.service}:{call.operation}",
    }


def found_in_call(
    found: Iterable[Found], row: DraftRow | ProxiedRequest, *, where: str, now: datetime, code: str = ""
) -> list[NewEvent]:
    """The findings of decoys in one call: in what was admitted, or in what the edge sent. Call inside the tenant."""
    return findings(
        found,
        tenant_id=row.tenant_id,
        where=where,
        use=_use_of(row) | {"code": code or row.refusal_code},
        subject=row.id,
        session_id=row.session_id,
        now=now,
    )


def _use_of(row: DraftRow | ProxiedRequest) -> dict[str, Any]:
    """The facts of the call that carries one."""
    return {
        "person": row.person_label,
        "agent": row.agent_label,
        "connection": row.connection_label,
        "service": row.service,
        "operation": row.operation,
        "link": row.link,
        "prompt": str(row.prompt_id) if row.prompt_id else None,
        "source": storable.text(row.source, 64),
        "edge": str(row.edge_id),
    }
