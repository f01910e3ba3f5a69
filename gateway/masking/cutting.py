"""Where a stream of text is cut into blocks: never inside a run or key block that a scan must see whole.

A cut depends on the bytes alone, never on how they arrived: that is why the same text always reads the same.
What is looked for in a block, and what is written in a secret's place, is `streaming`'s.
"""

from __future__ import annotations

import re

# What a decision may read on either side of a cut. Every bounded secret, with its name, is shorter.
CONTEXT = 4 * 1024
BLOCK = 128 * 1024
# Runs without space or quote (base64, tokens, URLs) are kept in one block up to this size.
LONGEST_RUN = 512 * 1024
# As in `sticky`: an end marker further away belongs to another key.
FARTHEST_KEY_END = 256 * 1024
# A block, an open run behind it, an open key behind that, the context on both sides; and one more feed.
LONGEST_HELD = 2 * BLOCK + LONGEST_RUN + FARTHEST_KEY_END + 4 * CONTEXT

_RUN = re.compile(rb"[^\s\"'`<>]*")
_KEY_START = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ ){0,6}PRIVATE KEY(?: BLOCK)?-----|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----"
)
KEY_END = re.compile(rb"-----END [A-Z0-9 ]{0,80}-----|---- END SSH2 [A-Z0-9 ]{0,60} ----")
LONGEST_MARKER = 128


def next_cut(data: bytearray, start: int, block: int, *, is_end: bool) -> int | None:
    """Where the block that begins at `start` ends, or None while bytes are missing to tell.

    A cut that is given leaves CONTEXT bytes behind it, unless the text ends sooner.
    """
    target = start + block
    if len(data) <= target:
        return len(data) if is_end else None
    newline = data.rfind(b"\n", start + block // 2, target)
    cut = _after_run(data, target, is_end=is_end) if newline < 0 else newline + 1
    if cut is not None:
        cut = _after_key(data, start, cut, is_end=is_end)
    if cut is None or (len(data) < cut + CONTEXT and not is_end):
        return None
    return cut


def window_start(data: bytearray, start: int) -> int:
    """Where the scan of the block at `start` begins: CONTEXT bytes before it or, better, a line's beginning there."""
    nearest = max(0, start - CONTEXT)
    newline = data.find(b"\n", max(0, start - 2 * CONTEXT), nearest)
    return newline + 1 if newline >= 0 else nearest


def _after_run(data: bytearray, target: int, *, is_end: bool) -> int | None:
    longest = target + LONGEST_RUN
    match = _RUN.match(data, target, longest)
    end = match.end() if match else target
    is_known = end < len(data) or end == longest or is_end
    return end if is_known else None


def _after_key(data: bytearray, start: int, cut: int, *, is_end: bool) -> int | None:
    """The cut itself, or the end of the key block that is open there and closed within reach."""
    begun = _open_key(data, start, cut)
    if begun is None:
        return cut
    farthest = begun + FARTHEST_KEY_END
    closing = KEY_END.search(data, max(begun, cut - LONGEST_MARKER), farthest + LONGEST_MARKER)
    if closing is not None:
        return max(cut, closing.end())
    return cut if is_end or len(data) >= farthest + LONGEST_MARKER else None


def _open_key(data: bytearray, start: int, cut: int) -> int | None:
    """Where the last key block before the cut begins, if no end marker follows it there."""
    place = cut
    while (place := data.rfind(b"BEGIN ", start, place)) >= 0:
        match = _KEY_START.match(data, max(0, place - 5))
        if match:
            return None if KEY_END.search(data, match.end(), cut) else match.start()
    return None
