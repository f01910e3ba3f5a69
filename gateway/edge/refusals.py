"""Input refused before any admission, counted per source and code until the control plane has heard of it.

Deciding what to refuse belongs to `server` and `walk`; keeping the counts as evidence, to the control plane.
"""

from __future__ import annotations

from collections import Counter

from gateway.wire.contract import Refusal

# A flood from forged addresses must not fill memory; what comes past this is counted under one source.
MOST_COUNTED = 4096
OVERFLOW_SOURCE = "*"


class Refusals:
    """Counts since the last report the control plane confirmed."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, *, source: str, code: str) -> None:
        key = (source, code)
        if key not in self._counts and len(self._counts) >= MOST_COUNTED:
            key = (OVERFLOW_SOURCE, code)
        self._counts[key] += 1

    def report(self) -> tuple[Refusal, ...]:
        """Return all counts; they stay until `confirm` is called with the same report."""
        return tuple(Refusal(source=source, code=code, count=count) for (source, code), count in self._counts.items())

    def confirm(self, report: tuple[Refusal, ...]) -> None:
        """Take off what the control plane has stored; what was counted meanwhile stays."""
        for refusal in report:
            key = (refusal.source, refusal.code)
            self._counts[key] -= refusal.count
            if self._counts[key] <= 0:
                del self._counts[key]
