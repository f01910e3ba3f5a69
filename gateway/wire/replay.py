"""Was this signed change here before? Signatures are remembered as long as they would still be believed.

Which calls are changes is for the engine's classes to say; presigned URLs are made to be used again and stay outside.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gateway.wire.problems import RequestReplayed
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import SKEW, Claim

# A signature is believed from SKEW before its date until SKEW after it.
REMEMBERED = 2 * SKEW
# A signature's date has whole seconds: two processes that make the same call in one second sign alike (measured),
# and both arrive within this time. Later the same signature is somebody else's copy.
SAME_SECOND = timedelta(seconds=5)
# About 300 bytes each; 200 changes a second for ten minutes fit.
MOST_REMEMBERED = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One arrival of a signature. `occurrence` is what tells its sender's tries apart, empty where he names none.

    `is_named` says that the signature covers the occurrence, so that nobody can rename a copy.
    """

    signature: bytes
    occurrence: str
    is_named: bool


def sighting_of(request: WireRequest, claim: Claim) -> Sighting | None:
    """What to remember of a verified request; None for a presigned one."""
    if claim.is_presigned:
        return None
    invocation = request.header("amz-sdk-invocation-id") or ""
    attempt = request.header("amz-sdk-request") or ""
    return Sighting(
        signature=hashlib.sha256(f"{claim.access_key_id}\n{claim.signature}".encode()).digest(),
        occurrence=f"{invocation}\n{attempt}" if invocation else "",
        is_named="amz-sdk-invocation-id" in claim.signed_headers,
    )


def is_replay(first: Sighting, again: Sighting, *, apart: timedelta) -> bool:
    """Whether a second arrival of one signature is a copy of the first.

    Every SDK signs each try anew, so the same try of the same invocation never comes twice by itself.
    """
    if again.is_named or (first.occurrence and first.occurrence == again.occurrence):
        return True
    return apart > SAME_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    sighting: Sighting
    at: datetime
    admission_id: UUID


class ReplayWindow:
    """The signatures one process has seen, bounded; the oldest go first. Not to be shared between threads unlocked."""

    def __init__(self, *, most: int = MOST_REMEMBERED) -> None:
        self._seen: OrderedDict[tuple[bytes, str], _Seen] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._seen)

    def check(self, sighting: Sighting, *, admission_id: UUID, now: datetime) -> None:
        """Remember one arrival; raises RequestReplayed for a copy. The same admission may be asked about again."""
        self._forget(now)
        for earlier in (self._seen.get((sighting.signature, "")), self._seen.get(_name_of(sighting))):
            if earlier is None or earlier.admission_id == admission_id:
                continue
            if is_replay(earlier.sighting, sighting, apart=now - earlier.at):
                raise RequestReplayed
        # The first arrival of the signature stands under no name, each under its own.
        seen = _Seen(sighting=sighting, at=now, admission_id=admission_id)
        self._seen.setdefault((sighting.signature, ""), seen)
        self._seen.setdefault(_name_of(sighting), seen)

    def _forget(self, now: datetime) -> None:
        while self._seen:
            oldest = next(iter(self._seen.values()))
            if now - oldest.at <= REMEMBERED and len(self._seen) < self._most:
                return
            self._seen.popitem(last=False)


def _name_of(sighting: Sighting) -> tuple[bytes, str]:
    return sighting.signature, sighting.occurrence
