"""What one page of a job's work hands back, and how names are written down. No database here, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.jobs.models import LONGEST_PLACE
from gateway.masking.catalogue import ScannerFailed
from gateway.masking.content import EVERY_SECRET, ContentScanner
from gateway.masking.leaves import leaves_of
from gateway.masking.replacement import Tally
from gateway.masking.values import Masking


@dataclass(slots=True, kw_only=True)
class Found:
    """How often in one place, by type and by rule."""

    types: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, types: Mapping[str, int], rules: Mapping[str, int]) -> None:
        self.types.update(types)
        self.rules.update(rules)


@dataclass(slots=True, kw_only=True)
class Page:
    """What came of a page, or of one object of it: written down whole, so that it is never done twice.

    `cursor` None: it was the job's last. `counts` are added to the job's; `ends` where a page is through.
    """

    cursor: dict[str, Any] | None = None
    ends: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    findings: dict[str, Found] = field(default_factory=dict)

    def take(self, place: str, types: Mapping[str, int], rules: Mapping[str, int]) -> None:
        """Note what was found in one place, if anything was."""
        if types:
            self.findings.setdefault(place, Found()).add(types, rules)
            self.counts["secrets"] += sum(types.values())


# Told what is being read and how many bytes of it were: keeps the lease, and raises where the job may not go on.
Beat = Callable[[str, int], None]


def look_at(page: Page, scanner: ContentScanner, value: object, place: str) -> None:
    """Note what stands in decoded JSON or in text; with names, as `password` says what stands behind it."""
    tally = Tally()
    how = Masking(scanner=scanner, tally=tally, wanted=EVERY_SECRET)
    try:
        if isinstance(value, str):
            how.text(value)
        else:
            how.leaves(leaves_of(value))
    except (ScannerFailed, RecursionError):
        # One text that cannot be read must not keep the rest from being read.
        page.counts["unscanned"] += 1
        return
    page.counts["scanned"] += 1
    page.take(placed(scanner, place), tally.by_type, tally.by_rule)


def placed(scanner: ContentScanner, place: str) -> str:
    """A name as it is written down: without a secret that stands in it, and no longer than is kept."""
    return scanner.mask_text(place, Tally()).replace("\0", "")[:LONGEST_PLACE]
