"""Where in a text a closer look is worth it: one hyperscan pass over short triggers, then windows around what fired.

What a window holds is for the detectors to say (`rules`, `assignments`, `personal`, `decoding`); vendor formats are
found by `catalogue`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import local
from typing import Any, Generic, TypeVar

import hyperscan

from gateway.masking.catalogue import CACHE_VARIABLE, ScannerFailed

# For `behind` and `ahead` of a detector that must see the whole text.
WHOLE = 1 << 40

Found = TypeVar("Found", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector(Generic[Found]):
    """A search worth its price only near a trigger: `behind` bytes before the trigger's end, `ahead` bytes after it.

    The trigger is in hyperscan's syntax, of either case unless `is_exact`; it must fire wherever `find` could find
    something.
    """

    trigger: str
    behind: int
    ahead: int
    # (text, start, end) -> what begins in this window; it may go on behind it.
    find: Callable[[bytes, int, int], Iterator[Found]]
    is_exact: bool = False


def _flags(detector: Detector[Any]) -> int:
    return hyperscan.HS_FLAG_MULTILINE | (0 if detector.is_exact else hyperscan.HS_FLAG_CASELESS)


class Watch(Generic[Found]):
    """Detectors behind their triggers. Threads may share one; each scans with a scratch space of its own."""

    def __init__(self, detectors: Sequence[Detector[Found]]) -> None:
        self._detectors = tuple(detectors)
        self._scratches = local()

    @cached_property
    def _database(self) -> hyperscan.Database:
        try:
            return self._kept() or self._compiled()
        except hyperscan.error as error:
            raise ScannerFailed("the triggers did not compile") from error

    def _compiled(self) -> hyperscan.Database:
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[detector.trigger.encode() for detector in self._detectors],
            ids=list(range(len(self._detectors))),
            elements=len(self._detectors),
            flags=[_flags(detector) for detector in self._detectors],
        )
        file = self._file()
        if file is not None:
            # Two processes may write at once: each its own file, and the last one stays.
            with suppress(OSError), NamedTemporaryFile(dir=file.parent, delete=False) as written:
                written.write(hyperscan.dumpb(database))
                written.flush()
                Path(written.name).replace(file)
        return database

    def _kept(self) -> hyperscan.Database | None:
        """What an earlier process compiled from the same triggers; the engine itself checks what it is given."""
        file = self._file()
        if file is None or not file.exists():
            return None
        with suppress(OSError, hyperscan.error):
            return hyperscan.loadb(file.read_bytes(), hyperscan.HS_MODE_BLOCK)
        return None

    def _file(self) -> Path | None:
        configured = os.environ.get(CACHE_VARIABLE)
        if configured is None:
            return None
        triggers = [(detector.trigger, detector.is_exact) for detector in self._detectors]
        return Path(configured) / f"triggers-{sha256(repr((version('hyperscan'), triggers)).encode()).hexdigest()}"

    def load(self) -> None:
        """Compile the triggers now rather than at the first scan."""
        self._scratch()

    def found(self, data: bytes) -> Iterator[Found]:
        """What the detectors find near their triggers."""
        for place, windows in self._windows(data).items():
            find = self._detectors[place].find
            for start, end in windows:
                yield from find(data, start, end)

    def _windows(self, data: bytes) -> dict[int, list[list[int]]]:
        """Disjoint windows in order, by detector. Triggers of one detector fire in the order of their ends."""
        windows: dict[int, list[list[int]]] = {}
        detectors, size = self._detectors, len(data)

        def fired(place: int, _start: int, end: int, _flags: int, _context: object) -> None:
            detector = detectors[place]
            start, stop = end - detector.behind, end + detector.ahead
            own = windows.get(place)
            if own is None:
                windows[place] = [[max(0, start), min(size, stop)]]
            elif start <= own[-1][1]:
                own[-1][1] = min(size, stop)
            else:
                own.append([start, min(size, stop)])

        try:
            self._database.scan(data, match_event_handler=fired, scratch=self._scratch())
        except hyperscan.error as error:
            raise ScannerFailed("the triggers could not be looked for") from error
        return windows

    def _scratch(self) -> hyperscan.Scratch:
        scratch: hyperscan.Scratch | None = getattr(self._scratches, "own", None)
        if scratch is None:
            scratch = self._scratches.own = hyperscan.Scratch(self._database)
        return scratch
