"""Decoys seen outside a verified call: in CloudTrail's records, and as the key id of a call nobody could sign.

Each use is told of once, however often it is seen. Reading CloudTrail's files is `gateway.wire.cloudtrail`'s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.services import append_all
from gateway.masking.decoy_watch import MOST_FOUND, Found, in_value
from gateway.masking.recorded import mask_json
from gateway.requests import storable
from gateway.requests.decoys import decoy_key, findings, issuers
from gateway.requests.models import DecoySighting
from gateway.requests.problems import UnknownKey
from gateway.tenants.scope import in_tenant

_LONGEST_FACT = 300
# An agent that tries a decoy as its key in a loop is one finding every quarter of an hour.
_SAME_TRY_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighted:
    """One decoy in one record: whether it was told of now, or had been, and for whom it was made."""

    record: str
    decoy: Found
    is_new: bool
    issued: Mapping[str, Any]


def in_trail(*, tenant_id: UUID, records: Iterable[Mapping[str, Any]], now: datetime) -> Iterable[Sighted]:
    """Go through CloudTrail's records, one transaction for each that carries decoys; gives what it found as it goes.

    Raises what reading the records raises; what was found before stays written.
    """
    key = decoy_key(tenant_id)
    for record in records:
        found = list(dict.fromkeys(in_value(key, record)))[:MOST_FOUND]
        if found:
            yield from _told(tenant_id, record, found, now)


def _told(tenant_id: UUID, record: Mapping[str, Any], found: list[Found], now: datetime) -> list[Sighted]:
    use = _use(record)
    name = _name_of(record)
    with in_tenant(tenant_id):
        return [
            _once(tenant_id, one, name=f"cloudtrail:{name}:{one}", record=name, where="cloudtrail", use=use, now=now)
            for one in found
        ]


def in_tool_use(*, tenant_id: UUID, tool_use_id: UUID, command: str, use: Mapping[str, Any], now: datetime) -> None:
    """Tell of decoys in the command an agent is about to run. Call inside the tenant."""
    for found in dict.fromkeys(in_value(decoy_key(tenant_id), command)):
        told = {**use, "record": str(tool_use_id)}
        name = f"tool_use:{tool_use_id}:{found}"
        _once(tenant_id, found, name=name, record=told["record"], where="tool_use", use=told, now=now)


def look_at_key(access_key_id: str, *, tenants: Iterable[UUID], source: str, edge_id: UUID, now: datetime) -> None:
    """Tell of a decoy that came as the key id of a call: nobody's signature, so all that is known is where it came from."""
    for tenant_id in tenants:
        for found in in_value(decoy_key(tenant_id), access_key_id):
            use = {"source": storable.text(source, 64), "edge": str(edge_id), "code": UnknownKey.code}
            name = f"key:{found}:{int(now.timestamp()) // _SAME_TRY_SECONDS}"
            with in_tenant(tenant_id):
                _once(tenant_id, found, name=name, record="", where="access_key", use=use, now=now)


def _once(
    tenant_id: UUID, found: Found, *, name: str, record: str, where: str, use: Mapping[str, Any], now: datetime
) -> Sighted:
    """Append the finding unless this sighting was told of. Call inside the tenant."""
    seen, is_new = DecoySighting.objects.get_or_create(tenant_id=tenant_id, name=name, defaults={"at": now})
    issued = issuers(tenant_id, [found.tag]).get(found.tag, {})
    if is_new:
        # Told of at the call it was made for: the page of that session is where its reader looks.
        subject = UUID(issued["issued_request"]) if issued else seen.pk
        session_id = UUID(issued["issued_session"]) if issued else None
        told = findings(
            [found], tenant_id=tenant_id, where=where, use=use, subject=subject, session_id=session_id, now=now
        )
        append_all(tenant_id=tenant_id, events=told)
    return Sighted(record=record, decoy=found, is_new=is_new, issued=issued)


def _name_of(record: Mapping[str, Any]) -> str:
    """The record's own id; one that has none is known by all it says."""
    id_ = record.get("eventID")
    if isinstance(id_, str) and 0 < len(id_) <= 64 and id_.isascii() and id_.isprintable():
        return id_
    said = json.dumps(record, sort_keys=True).encode("utf-8", "replace")
    return hashlib.sha256(said).hexdigest()


def _use(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a record, without any secret that stands in it."""
    who = record.get("userIdentity")
    identity = who if isinstance(who, Mapping) else {}
    said = {
        "record": _name_of(record),
        "at": record.get("eventTime"),
        "service": record.get("eventSource"),
        "operation": record.get("eventName"),
        "source": record.get("sourceIPAddress"),
        "account": record.get("recipientAccountId") or identity.get("accountId"),
        "principal": identity.get("arn") or identity.get("userName") or identity.get("type"),
        "code": record.get("errorCode"),
    }
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    masked, _ = mask_json(texts)
    return {name: storable.text(value, _LONGEST_FACT) for name, value in masked.items()}
