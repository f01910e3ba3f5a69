"""Byte ranges of HTTP, as read from a request, widened for one that is to be masked, and stated in an answer.

What lies in the widened part, and trimming it off again, is `gateway.masking`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# So much more is fetched on either side of a range that is masked: a secret is no longer, with its context.
WIDENED_BYTES = 8 * 1024

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """One range as asked: from `first` to `last` (included, None: to the end); without `first` the last so many."""

    first: int | None
    last: int | None

    def within(self, total: int) -> tuple[int, int] | None:
        """First and last byte of a body of `total` bytes, or None where the range lies outside."""
        if self.first is None:
            suffix = min(self.last or 0, total)
            return (total - suffix, total - 1) if suffix else None
        if self.first >= total:
            return None
        return self.first, total - 1 if self.last is None else min(self.last, total - 1)

    def widened(self) -> str:
        """The header that asks for this range and WIDENED_BYTES on either side."""
        if self.first is None:
            return f"bytes=-{(self.last or 0) + WIDENED_BYTES}"
        first = max(0, self.first - WIDENED_BYTES)
        return f"bytes={first}-{'' if self.last is None else self.last + WIDENED_BYTES}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRange:
    """What an answer says it holds: bytes `first` to `last` (included) of `total`."""

    first: int
    last: int
    total: int

    def __str__(self) -> str:
        return f"bytes {self.first}-{self.last}/{self.total}"


def read_range(header: str) -> ByteRange | None:
    """The one range a header asks for; None where it asks for several, for none, or in other units."""
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = (int(each) if each else None for each in match.groups())
    is_sound = (first is not None or last) and (first is None or last is None or first <= last)
    return ByteRange(first=first, last=last) if is_sound else None


def read_content_range(header: str) -> ContentRange | None:
    """What a partial answer holds; None where it does not say so in bytes of a known whole."""
    match = _CONTENT_RANGE.fullmatch(header)
    if match is None:
        return None
    first, last, total = map(int, match.groups())
    return ContentRange(first=first, last=last, total=total) if first <= last < total else None
