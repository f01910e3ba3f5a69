"""A part of a text: masked by as many bytes as it had, from a wider part, so that all parts fit together.

The wider part shows what the asked one would cut in two. What a part begins amid, for longer than that, is masked:
nobody can tell that it is no secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.masking import headers as http
from gateway.masking.bodies import MaskReport, report_of
from gateway.masking.headers import Headers
from gateway.masking.replacement import Tally
from gateway.masking.streaming import Masker
from gateway.masking.values import Masking
from gateway.wire.contract import MaskPlan
from gateway.wire.ranges import ContentRange

# How the inside of a key block or of wrapped base64 looks, also with its line ends escaped.
_LINES = re.compile(
    rb"[^\r\n\\]{0,80}(?:(?:\\[rn]|[\r\n]){1,4}[A-Za-z0-9+/]{60,80}={0,2})+(?:(?:\\[rn]|[\r\n]){1,4}.{0,80})?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What was asked for of a whole, and the wider part of it that came."""

    asked: ContentRange
    came: ContentRange


class Ranged:
    """The asked part of a payload of which a wider part comes; one that is not `is_read` passes as it is."""

    def __init__(self, headers: Headers, plan: MaskPlan, how: Masking, *, part: Part, is_read: bool) -> None:
        came, asked = part.came, part.asked
        kept = [(name, value) for name, value in http.for_stream(headers) if name.lower() != "content-range"]
        etag = [(name, value) for name, value in headers if name.lower() == "etag"]
        # The ETag stays: it is what binds the parts of one download together.
        self.headers: Headers = (*kept, *etag, ("Content-Range", str(asked)))
        self.length: int | None = asked.last - asked.first + 1
        self._left = self.length
        self._lead = asked.first - came.first
        self._is_inside = came.first > 0
        self._is_read = is_read
        self._plan, self._how = plan, how
        self._tally = Tally(salt=how.tally.salt)
        self._masker: Masker | None = None
        self._kept = b""

    @property
    def held(self) -> int:
        """How many bytes are kept now."""
        return self._masker.held if self._masker else len(self._kept)

    @property
    def appetite(self) -> int:
        """How many bytes may be fed before the next scan."""
        return self._masker.appetite if self._masker else max(1, self._lead - len(self._kept))

    def feed(self, chunk: bytes) -> bytes:
        """Masked bytes of the asked part."""
        if not self._is_read:
            return self._trimmed(chunk)
        if self._masker is None:
            self._kept += chunk
            if len(self._kept) <= self._lead:
                return b""
            chunk = self._begin()
        return self._trimmed(self._masker.feed(chunk)) if self._masker else b""

    def finish(self) -> bytes:
        """The rest of the asked part."""
        if not self._is_read:
            return b""
        rest = self._begin() if self._masker is None else b""
        return self._trimmed(self._masker.feed(rest) + self._masker.finish()) if self._masker else b""

    def report(self, size: int) -> MaskReport:
        """All of the wider part was looked at, or none."""
        if not self._is_read:
            return report_of(self._how.tally, unscanned=size)
        self._how.tally.merge(self._tally)
        return report_of(self._how.tally, scanned=size)

    def _begin(self) -> bytes:
        lead = self._kept[: self._lead]
        inside = None
        if self._is_inside:
            inside = "base64" if len(lead) > 1024 and _LINES.fullmatch(lead) else "secret"
        self._masker = Masker(
            self._plan,
            scanner=self._how.scanner,
            tally=self._tally,
            is_same_length=True,
            begins_inside=inside,
            people=self._how.people,
        )
        kept, self._kept = self._kept, b""
        return kept

    def _trimmed(self, masked: bytes) -> bytes:
        dropped = min(self._lead, len(masked))
        self._lead -= dropped
        wanted = masked[dropped : dropped + self._left]
        self._left -= len(wanted)
        return wanted
