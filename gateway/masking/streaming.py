"""Text of any length with its secrets replaced: bytes in, bytes out, in constant memory.

What is a secret is `content`'s to say; which bodies are text, and their headers, are `masker`'s.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from gateway.masking.catalogue import ByteSpan
from gateway.masking.content import ContentScanner, scanner_for, wanted_by
from gateway.masking.cutting import BLOCK, CONTEXT, KEY_END, LONGEST_MARKER, next_cut, window_start
from gateway.masking.people import NamesUnread, People
from gateway.masking.replacement import Tally, token
from gateway.masking.values import Masking
from gateway.wire.contract import MaskPlan, OpaqueChoice

if TYPE_CHECKING:
    from gateway.masking.columns import Table

PRIVATE_KEY = "private-key"
# Shorter texts are looked at whole, so that JSON is read as JSON.
WHOLE = 1024 * 1024
# How a secret goes on that is longer than any block: by its alphabet, a key block also to its end marker.
_REST_OF_KEY = re.compile(rb"[A-Za-z0-9+/=:,.()>|\"'\s\\-]*")
_REST_OF_LINES = re.compile(rb"[A-Za-z0-9+/=\r\n\\]*")
_RESTS = {PRIVATE_KEY: _REST_OF_KEY, "base64": _REST_OF_LINES}
_REST = re.compile(rb"[^\s\"'`<>]*")
_JSON_NUMBER = re.compile(rb"-?\d+")
_BEFORE_NUMBER = re.compile(rb"\"\s{0,8}:\s{0,8}\Z")
# A bare number of JSON that fills a cell, as a line break or a tab sets it off from its name.
_NUMBER_CELL = re.compile(rb"\"\s{0,8}:\s{0,7}[\t\r\n]\d")
_NAME_END = re.compile(rb"\"\s{0,8}:")
_MAY_STAND_BEFORE = b": \t\r\n"
# How `surrogateescape` writes a byte that is no UTF-8.
_STRANGE = re.compile("[\udc80-\udcff]")


class NotText(ValueError):
    """What began as text goes on as something that cannot be read."""


class _Run(NamedTuple):
    """A masked stretch, in offsets of the whole text. `is_open`: it reached the end of what was seen."""

    start: int
    end: int
    kind: str
    is_open: bool = False


class _Block(NamedTuple):
    """What one step sees: the block from `first` to `last` in its window, which begins `shift` bytes into the text."""

    window: bytes
    first: int
    last: int
    shift: int
    is_last: bool

    def is_open_at(self, end: int) -> bool:
        """Whether what ends here may go on behind what is seen."""
        return end == len(self.window) and not self.is_last


_START, _END = itemgetter(0), itemgetter(1)


class Masker:
    """One text on its way: `feed` hands out what is decided, `finish` the rest. The cuts between chunks do not matter.

    At most BLOCK bytes and their context are kept, a longer run or key block up to its own bound. With
    `is_same_length` a secret is replaced by as many bytes as it had, so that offsets keep their meaning. A part that
    `begins_inside` something (`base64` lines, or any run) is masked up to where that ends. `people` looks for names
    in texts kept whole; of longer ones the tally says that nobody looked.
    Both calls raise ScannerFailed where the text cannot be scanned and NotText where it is none; nothing more of it
    may then be sent.
    """

    def __init__(
        self,
        plan: MaskPlan,
        *,
        scanner: ContentScanner | None = None,
        tally: Tally | None = None,
        is_same_length: bool = False,
        block: int = BLOCK,
        whole: int = WHOLE,
        begins_inside: str | None = None,
        people: People | None = None,
    ) -> None:
        self.tally = tally if tally is not None else Tally()
        self._scanner = scanner or scanner_for(plan.detectors)
        self._wanted = wanted_by(plan, has_decoys=not is_same_length)
        self._writing = self._wanted.writing
        self._people = people
        if people is None and self._wanted.asks_for_people:
            raise NamesUnread("there is no model to find people's names")
        self._is_plain = self._writing.is_plain
        self._is_same_length = is_same_length
        self._block = block
        self._bears_anything = plan.opaque is OpaqueChoice.PASS
        self._whole = 0 if is_same_length else whole
        self._data = bytearray()
        self._base = 0
        self._start = 0
        self._due = max(block, self._whole)
        self._last = _Run(start=0, end=0, kind=begins_inside, is_open=True) if begins_inside else None

    @property
    def held(self) -> int:
        """How many bytes are kept now."""
        return len(self._data)

    @property
    def appetite(self) -> int:
        """How many bytes may be fed before the next scan: the rest of that feed takes milliseconds."""
        return self._due - len(self._data)

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; returns those that may be sent."""
        out: list[bytes] = []
        for start in range(0, len(chunk), self._block):
            self._data += chunk[start : start + self._block]
            if len(self._data) >= self._due:
                self._work(out, is_end=False)
        return b"".join(out)

    def finish(self) -> bytes:
        """The text is complete: what is left of it."""
        out: list[bytes] = []
        if self._base + self._start == 0 and len(self._data) <= self._whole:
            return self._masked_whole()
        self._work(out, is_end=True)
        return b"".join(out)

    def _masked_whole(self) -> bytes:
        data = bytes(self._data)
        self._check(data)
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        # What is no UTF-8 stands for itself, as in `_readable`.
        text = data[len(mark) :].decode("utf-8", "surrogateescape")
        how = Masking(scanner=self._scanner, tally=self.tally, wanted=self._wanted, people=self._people)
        masked = how.text(text)
        return data if masked == text else mark + masked.encode("utf-8", "surrogateescape")

    def _check(self, block: bytes | bytearray) -> None:
        if b"\0" in block and not self._bears_anything:
            raise NotText("a NUL in the text")

    def _work(self, out: list[bytes], *, is_end: bool) -> None:
        while (cut := next_cut(self._data, self._start, self._block, is_end=is_end)) is not None:
            out.append(self._render(cut, is_end=is_end))
            self._start = cut
            if cut == len(self._data):
                break
        done = max(0, self._start - 2 * CONTEXT)
        del self._data[:done]
        self._base += done
        self._start -= done
        # What could not be cut is looked at again only after it has grown: small chunks must not cost its square.
        held = len(self._data)
        self._due = max(self._start + self._block + CONTEXT, held + max(CONTEXT, (held - self._start) // 4))

    def _render(self, cut: int, *, is_end: bool) -> bytes:
        """The bytes from the last cut to this one, masked."""
        self._check(self._data[self._start : cut])
        self.tally.bytes_unread += cut - self._start if self._people is not None else 0
        left, right = window_start(self._data, self._start), min(len(self._data), cut + CONTEXT)
        window = bytes(self._data[left:right])
        block = _Block(window, self._start - left, cut - left, left + self._base, is_end and right == len(self._data))
        self._continue(block)
        spans, table = self._found(block)
        begun = bisect_right(spans, block.first, key=_END)
        stop = bisect_left(spans, block.last, lo=begun, key=_START)
        # Spans are disjoint: only the first ones can overlap a stretch that was begun in an earlier block.
        while begun < stop and self._last is not None and spans[begun].start + block.shift < self._last.end:
            self._extend(block, spans[begun])
            begun += 1
        fresh = spans[begun:stop]
        pieces, place = self._rest_of_last(block)
        pieces += self._written(block, fresh, table, place)
        self._tell(block, fresh, table)
        return b"".join(pieces)

    def _found(self, block: _Block) -> tuple[list[ByteSpan], Table | None]:
        """The secrets seen, in order; and apart from them those of a table that need no look one by one."""
        text = _readable(block.window)
        spans, table = self._scanner.parted(text, self._wanted)
        if table is None:
            return spans, None
        # Asked only of tables: to look for such a number costs as much as all else in a text of JSON.
        is_bulk = self._is_plain and not self._is_same_length and text is block.window
        if not is_bulk or _NUMBER_CELL.search(text):
            return sorted([*spans, *table.spans()]), None
        begin = max(block.first, self._last.end - block.shift if self._last is not None else 0)
        table, others = table.inside(block.first, begin, block.last)
        return sorted([*spans, *others]), table

    def _tell(self, block: _Block, fresh: Sequence[ByteSpan], table: Table | None) -> None:
        """Remember the last run, count the new ones."""
        if fresh:
            start, end, kind, _rule = fresh[-1]
            self._last = _Run(start + block.shift, end + block.shift, kind, block.is_open_at(end))
            self.tally.add_all(fresh, block.window)
        if table is not None:
            self.tally.add_table(table)

    def _extend(self, block: _Block, span: ByteSpan) -> None:
        """What overlaps a masked stretch belongs to it: one token, at its beginning."""
        last, end = self._last, span.end + block.shift
        if last is not None and end > last.end:
            self._last = last._replace(end=end, is_open=block.is_open_at(span.end))

    def _continue(self, block: _Block) -> None:
        """The run that was masked at the last cut and was not at its end there is followed as far as is seen."""
        last, right = self._last, len(block.window)
        if last is not None and last.is_open:
            end = self._rest_of(last.kind, block.window, last.end - block.shift, right)
            self._last = last._replace(end=end + block.shift, is_open=end == right and not block.is_last)

    def _rest_of_last(self, block: _Block) -> tuple[list[bytes], int]:
        """What of an earlier run stands in this block, and where that ends."""
        end = min(self._last.end - block.shift, block.last) if self._last is not None else 0
        if self._last is None or end <= block.first:
            return [], block.first
        if not self._is_same_length:
            return [], end
        start, stop = self._last.start - block.shift, self._last.end - block.shift
        return [_padded(_label(self._last.kind), start, stop, block.first, end)], end

    @staticmethod
    def _rest_of(kind: str, window: bytes, place: int, right: int) -> int:
        match = _RESTS.get(kind, _REST).match(window, place, right)
        end = match.end() if match else place
        if kind in _RESTS:
            # The marker may have begun before what was seen last.
            for marker in KEY_END.finditer(window, max(0, place - LONGEST_MARKER), right):
                if marker.end() > place:
                    return marker.end() if marker.start() <= end else end
        return end

    def _written(self, block: _Block, spans: Sequence[ByteSpan], table: Table | None, place: int) -> list[bytes]:
        """The block's bytes from `place` on, each span replaced, and the table's values between them."""
        window, ends = block.window, [min(end, block.last) for end in map(_END, spans)]
        between = list(zip((place, *ends), (*map(_START, spans), block.last), strict=True))
        pieces = [b""] * (2 * len(spans) + 1)
        # In two passes, as a table has tens of thousands of values a megabyte.
        pieces[0::2] = (
            [window[start:end] for start, end in between] if table is None else table.written(between, _label)
        )
        pieces[1::2] = self._tokens(block, spans, place)
        return pieces

    def _tokens(self, block: _Block, spans: Sequence[ByteSpan], place: int) -> list[bytes]:
        """What stands for each span."""
        tokens = [_label(span[2]) for span in spans] if self._is_plain else self._own_tokens(block, spans, place)
        window = block.window
        if self._is_same_length:
            return [
                _padded(text, start, end, max(start, place), min(end, block.last))
                for text, (start, end, _kind, _rule) in zip(tokens, spans, strict=True)
            ]
        if _NAME_END.search(window) is not None:
            for index, (start, end, _kind, _rule) in enumerate(spans):
                if window[start - 1] in _MAY_STAND_BEFORE and _is_json_number(window, start, min(end, block.last)):
                    tokens[index] = b"0"
        return tokens

    def _own_tokens(self, block: _Block, spans: Sequence[ByteSpan], place: int) -> list[bytes]:
        """What policy has written for each value. One that goes on behind the cut is not known: it has a plain label."""
        return [
            self._writing.text(kind, block.window[start:end].decode("utf-8", "surrogateescape")).encode()
            if place <= start and end <= block.last
            else _label(kind)
            for start, end, kind, _rule in spans
        ]


@cache
def _label(kind: str) -> bytes:
    return token(kind).encode()


def _padded(text: bytes, start: int, end: int, begin: int, stop: int) -> bytes:
    """What stands from `begin` to `stop` where a value from `start` to `end` is replaced byte for byte."""
    size = end - start
    return (text if size >= len(text) else b"").ljust(size, b"*")[begin - start : stop - start]


def _is_json_number(window: bytes, start: int, end: int) -> bool:
    """A bare number after a JSON name: a token there would leave no JSON."""
    is_number = _JSON_NUMBER.fullmatch(window, start, end) is not None
    return is_number and _BEFORE_NUMBER.search(window[max(0, start - 20) : start]) is not None


def _readable(window: bytes) -> bytes:
    """A copy for the scan, byte for byte as long: what is no UTF-8 (a cut character too) becomes a question mark."""
    if window.isascii():
        return window
    try:
        window.decode()
    except UnicodeDecodeError:
        return _STRANGE.sub("?", window.decode("utf-8", "surrogateescape")).encode()
    return window
