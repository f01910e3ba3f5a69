"""Canonical bytes of an event: RFC 8785, so that anyone can make the same bytes from the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import rfc8785

from audit.ledger.tree import leaf_hash

VERSION = 1


def timestamp(at: datetime) -> str:
    """UTC with microseconds and `Z`: one spelling, whatever zone the session has."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBytes:
    """The bytes as stored, and their leaf hash."""

    body: bytes
    leaf: bytes


def event_bytes(
    *,
    tenant_id: UUID,
    sequence: int,
    kind: str,
    at: datetime,
    subject: UUID,
    session_id: UUID | None,
    data: Mapping[str, Any],
) -> EventBytes:
    """Return canonical bytes and leaf hash of one event. Floats outside JSON's exact range are refused."""
    body = rfc8785.dumps(
        {
            "v": VERSION,
            "tenant": str(tenant_id),
            "seq": sequence,
            "kind": kind,
            "at": timestamp(at),
            "subject": str(subject),
            "session": str(session_id) if session_id else None,
            "data": dict(data),
        }
    )
    return EventBytes(body=body, leaf=leaf_hash(body))
