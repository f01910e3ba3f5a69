"""A session's counters as policy sees them: what was committed, plus what this batch did before. Pure.

Batches that run at the same moment do not see each other's calls; the counters in the table are exact afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from gateway.problems import Problem
from gateway.requests.entries import Entry, Refused
from gateway.requests.keyring import KeyFacts

_DELETES = ("Delete", "Terminate")


def is_delete(operation: str) -> bool:
    """Whether a call of this operation counts among a session's deletes."""
    return operation.startswith(_DELETES)


class CountedBefore:
    """What earlier calls of one batch add to their sessions. Refused calls count as calls, never as deletes."""

    def __init__(self) -> None:
        self._added: dict[tuple[UUID, UUID | None, str], tuple[int, int]] = {}

    def added_to(self, key: KeyFacts | Problem | None) -> KeyFacts | Problem | None:
        """The key with its session's counters as of the next call."""
        if not isinstance(key, KeyFacts):
            return key
        calls, deletes = self._added.get(key.session_name, (0, 0))
        counters = replace(key.counters, calls=key.counters.calls + calls, deletes=key.counters.deletes + deletes)
        return replace(key, counters=counters)

    def count(self, entry: Entry) -> None:
        """Add one call that was decided."""
        key = entry.key if isinstance(entry, Refused) else entry.examined.key
        calls, deletes = self._added.get(key.session_name, (0, 0))
        is_one = not isinstance(entry, Refused) and is_delete(entry.examined.primary.operation.name)
        self._added[key.session_name] = (calls + 1, deletes + is_one)
