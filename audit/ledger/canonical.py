"""Canonical bytes of an event: RFC 8785, so that anyone can make the same bytes from the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import rfc8785

from audit.ledger.tree import leaf_hash

VERSION = 1


# RFC 8785 writes text, integers and literals just so; it parts from this encoder in floats, in integers past 2**53 and
# in the order of names outside ASCII.
_ENCODER = msgspec.json.Encoder(order="sorted")
_LARGEST_INTEGER = 2**53 - 1


def canonical(value: Any) -> str:
    """Return the RFC 8785 text of a JSON value; refuses what it has no spelling for.

    Nearly all of it is written by msgspec's encoder, in a hundredth of the time.
    """
    return _ENCODER.encode(value).decode() if _is_plain(value) else rfc8785.dumps(value).decode()


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return True
    if kind is dict:
        # Most members are text: told here, without a call for each.
        for name, item in value.items():
            if type(name) is not str or not name.isascii() or not (type(item) is str or _is_plain(item)):
                return False
        return True
    if kind is list:
        return all(map(_is_plain, value))
    return value is None or kind is bool or (kind is int and -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER)


def timestamp(at: datetime) -> str:
    """UTC with microseconds and `Z`: one spelling, whatever zone the session has."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBytes:
    """The bytes as stored, and their leaf hash."""

    body: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHalves:
    """An event's canonical text around its sequence number, which is known only once the ledger's head is held."""

    before: str
    after: str

    def at(self, sequence: int) -> EventBytes:
        """Return canonical bytes and leaf hash of the event at this place in the ledger."""
        body = f"{self.before}{sequence}{self.after}".encode()
        return EventBytes(body=body, leaf=leaf_hash(body))


def event_halves(
    *, tenant_id: UUID, kind: str, at: datetime, subject: UUID, session_id: UUID | None, data: Mapping[str, Any]
) -> EventHalves:
    """Return the canonical text of one event but for its number. Floats outside JSON's exact range are refused."""
    # RFC 8785 sorts members by name; `seq` stands between these two groups.
    before: dict[str, Any] = {"at": timestamp(at), "data": dict(data), "kind": kind}
    after: dict[str, Any] = {
        "session": str(session_id) if session_id else None,
        "subject": str(subject),
        "tenant": str(tenant_id),
        "v": VERSION,
    }
    head, tail = canonical(before), canonical(after)
    return EventHalves(before=f'{head[:-1]},"seq":', after=f",{tail[1:]}")


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
    halves = event_halves(tenant_id=tenant_id, kind=kind, at=at, subject=subject, session_id=session_id, data=data)
    return halves.at(sequence)
