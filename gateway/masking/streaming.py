"""Text of any length with its secrets replaced: bytes in, bytes out, in constant memory.

What is a secret is `content`'s to say; which bodies are text, and their headers, are `masker`'s.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from gateway.masking.content import ContentScanner, Wanted, default_scanner
from gateway.masking.cutting import BLOCK, CONTEXT, KEY_END, LONGEST_MARKER, next_cut, window_start
from gateway.masking.replacement import Tally, token
from gateway.masking.values import Masking
from gateway.wire.contract import MaskPlan, OpaqueChoice

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


class Masker:
    """One text on its way: `feed` hands out what is decided, `finish` the rest. The cuts between chunks do not matter.

    At most BLOCK bytes and their context are kept, a longer run or key block up to its own bound. With
    `is_same_length` a secret is replaced by as many bytes as it had, so that offsets keep their meaning. A part that
    `begins_inside` something (`base64` lines, or any run) is masked up to where that ends.
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
    ) -> None:
        self.tally = tally if tally is not None else Tally()
        self._scanner = scanner or default_scanner()
        self._wanted = Wanted(clear=plan.clear, masks=plan.masks, token_key=plan.token_key)
        self._writing = self._wanted.writing
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
        masked = Masking(scanner=self._scanner, tally=self.tally, wanted=self._wanted).text(text)
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
        pieces: list[bytes] = []
        place = self._start
        self._check(self._data[place:cut])
        for run, is_new in self._runs(cut, is_end=is_end):
            begin, end = max(run.start - self._base, place), min(run.end - self._base, cut)
            pieces += (bytes(self._data[place:begin]), self._replacement(run, begin, end, is_new=is_new))
            place = end
        return b"".join((*pieces, bytes(self._data[place:cut])))

    def _runs(self, cut: int, *, is_end: bool) -> list[tuple[_Run, bool]]:
        """The masked runs that reach into this block in order, each with whether its token is still to be written."""
        left, right = window_start(self._data, self._start), min(len(self._data), cut + CONTEXT)
        is_last = is_end and right == len(self._data)
        runs = self._continued(right, is_last=is_last)
        window, new = bytes(self._data[left:right]), []
        first, last, shift = self._start - left, cut - left, left + self._base
        end_of_seen = len(window) if not is_last else -1
        for span in self._scanner.byte_spans(_readable(window), self._wanted):
            start, end, kind, _rule = span
            if end <= first or start >= last:
                continue
            run = _Run(start + shift, end + shift, kind, end == end_of_seen)
            if self._last is not None and run.start < self._last.end:
                self._extend(runs, self._last, run)
            else:
                self._last = run
                runs.append((run, True))
                new.append(span)
        self.tally.add_all(new, window)
        return runs

    def _extend(self, runs: list[tuple[_Run, bool]], last: _Run, run: _Run) -> None:
        """What overlaps a masked stretch belongs to it: one token, at its beginning."""
        if run.end <= last.end:
            return
        self._last = last._replace(end=run.end, is_open=run.is_open)
        is_listed = bool(runs) and runs[-1][0] is last
        is_new = runs.pop()[1] if is_listed else False
        runs.append((self._last, is_new))

    def _continued(self, right: int, *, is_last: bool) -> list[tuple[_Run, bool]]:
        """The run that was masked at the last cut and goes on behind it."""
        last = self._last
        if last is None:
            return []
        if last.is_open:
            end = self._rest_of(last.kind, last.end - self._base, right)
            last = self._last = last._replace(end=end + self._base, is_open=end == right and not is_last)
        return [(last, False)] if last.end - self._base > self._start else []

    def _rest_of(self, kind: str, place: int, right: int) -> int:
        match = _RESTS.get(kind, _REST).match(self._data, place, right)
        end = match.end() if match else place
        if kind in _RESTS:
            # The marker may have begun before what was seen last.
            for marker in KEY_END.finditer(self._data, max(0, place - LONGEST_MARKER), right):
                if marker.end() > place:
                    return marker.end() if marker.start() <= end else end
        return end

    def _replacement(self, run: _Run, begin: int, end: int, *, is_new: bool) -> bytes:
        text = self._written(run, begin, end, is_new=is_new).encode()
        if self._is_same_length:
            size = run.end - run.start
            offset = begin + self._base - run.start
            return (text if size >= len(text) else b"").ljust(size, b"*")[offset : offset + end - begin]
        if not is_new:
            return b""
        may_be_number = begin > 0 and self._data[begin - 1] in _MAY_STAND_BEFORE
        return b"0" if may_be_number and self._is_json_number(begin, end) else text

    def _written(self, run: _Run, begin: int, end: int, *, is_new: bool) -> str:
        # A value that goes on behind the cut is not known yet, so it has no token of its own.
        if self._is_plain or not is_new or end - begin != run.end - run.start:
            return token(run.kind)
        return self._writing.text(run.kind, bytes(self._data[begin:end]).decode("utf-8", "surrogateescape"))

    def _is_json_number(self, begin: int, end: int) -> bool:
        """A bare number after a JSON name: a token there would leave no JSON."""
        is_number = _JSON_NUMBER.fullmatch(self._data, begin, end) is not None
        return is_number and _BEFORE_NUMBER.search(self._data[max(0, begin - 20) : begin]) is not None


def _readable(window: bytes) -> bytes:
    """A copy for the scan, byte for byte as long: what is no UTF-8 (a cut character too) becomes a question mark."""
    if window.isascii():
        return window
    try:
        window.decode()
    except UnicodeDecodeError:
        return _STRANGE.sub("?", window.decode("utf-8", "surrogateescape")).encode()
    return window
