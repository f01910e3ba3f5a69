"""A session's counters as policy sees them: what was committed, plus what this batch did before. Pure.

Batches that run at the same moment do not see each other's calls; the counters in the table are exact afterwards.
Within a batch a resource counts once, even if the session touched it earlier: rather a few too many than too few.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from uuid import UUID

from audit.sessions import MOST_RESOURCES
from gateway.engine.taint import taints_of
from gateway.problems import Problem
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
    return frozenset(str(UUID(bytes=blake2b(arn.encode(), digest_size=16).digest())) for arn in arns)


class CountedBefore:
    """What earlier calls of one batch add to their sessions. Refused calls count as calls, and leave nothing else."""

    def __init__(self) -> None:
        self._added: dict[tuple[UUID, UUID | None, str], SessionCounters] = {}
        self._touched: dict[tuple[UUID, UUID | None, str], set[str]] = {}

    def added_to(self, key: KeyFacts | Problem | None) -> KeyFacts | Problem | None:
        """The key with its session's counters as of the next call."""
        if not isinstance(key, KeyFacts):
            return key
        before, added = key.counters, self._added.get(key.session_name)
        if added is None:
            return key
        counters = replace(
            before,
            calls=before.calls + added.calls,
            deletes=before.deletes + added.deletes,
            distinct_resources=min(MOST_RESOURCES, before.distinct_resources + added.distinct_resources),
            taint=tuple(sorted({*before.taint, *added.taint})),
        )
        return replace(key, counters=counters)

    def count(self, entry: Entry) -> None:
        """Add one call that was decided."""
        key = entry.key if isinstance(entry, Refused) else entry.examined.key
        before = self._added.get(key.session_name, SessionCounters())
        is_one = not isinstance(entry, Refused) and is_delete(entry.examined.primary.operation.name)
        touched = self._touched.setdefault(key.session_name, set())
        touched |= resources(entry)
        self._added[key.session_name] = SessionCounters(
            calls=before.calls + 1,
            distinct_resources=len(touched),
            deletes=before.deletes + is_one,
            taint=tuple(sorted({*before.taint, *taints(entry)})),
        )
