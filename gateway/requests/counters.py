"""A session's counters as policy sees them: what was committed, plus what this batch did before. Pure.

Batches that run at the same moment do not see each other's calls; the counters in the table are exact afterwards.
Within a batch a resource counts once, even if the session touched it earlier: rather a few too many than too few.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from uuid import UUID

from audit.sessions import MOST_RESOURCES
from gateway.engine.taint import taints_of
from gateway.requests.entries import Entry, Refused
from gateway.requests.keyring import KeyFacts
from gateway.terms import SessionCounters

_DELETES = ("Delete", "Terminate")


def is_delete(operation: str) -> bool:
    """Whether a call of this operation counts among a session's deletes."""
    return operation.startswith(_DELETES)


def taints(entry: Entry) -> tuple[str, ...]:
    """What a call leaves on its session; a refused one never reached what it asked for."""
    return () if isinstance(entry, Refused) else taints_of(entry.examined.candidates)


def resources(entry: Entry) -> frozenset[str]:
    """Digests of what a call names, in any of its readings. `*` is nothing in particular, and a refused call got nothing."""
    if isinstance(entry, Refused):
        return frozenset()
    arns = {one.arn for candidate in entry.examined.candidates for one in candidate.resources} - {"*"}
    return frozenset(blake2b(arn.encode(), digest_size=16).hexdigest() for arn in arns)


class CountedBefore:
    """What earlier calls of one batch add to their sessions. Refused calls count as calls, and leave nothing else."""

    def __init__(self) -> None:
        self._added: dict[tuple[UUID, UUID | None, str], _Added] = {}

    def as_of(self, key: KeyFacts) -> SessionCounters:
        """The counters of the key's session as of its next call."""
        before, added = key.counters, self._added.get(key.session_name)
        if added is None:
            return before
        return SessionCounters(
            calls=before.calls + added.calls,
            distinct_resources=min(MOST_RESOURCES, before.distinct_resources + len(added.touched)),
            bytes_out=before.bytes_out,
            deletes=before.deletes + added.deletes,
            secrets_masked=before.secrets_masked,
            taint=tuple(sorted({*before.taint, *added.taint})) if added.taint else before.taint,
        )

    def count(self, entry: Entry) -> None:
        """Add one call that was decided."""
        key = entry.key if isinstance(entry, Refused) else entry.examined.key
        added = self._added.setdefault(key.session_name, _Added())
        added.calls += 1
        added.deletes += not isinstance(entry, Refused) and is_delete(entry.examined.primary.operation.name)
        added.touched |= resources(entry)
        added.taint.update(taints(entry))


@dataclass(slots=True)
class _Added:
    """What a batch's calls add to one session."""

    calls: int = 0
    deletes: int = 0
    touched: set[str] = field(default_factory=set)
    taint: set[str] = field(default_factory=set)
