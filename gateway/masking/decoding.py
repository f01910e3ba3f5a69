"""Text hidden in text: escapes (JSON, percent, XML) and base64, also of gzip, zlib, zstd and UTF-16.

One layer is taken off at a time; what stands in the layer below, and how deep to go, is `content`'s to say.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import zstandard

from gateway.masking.triggers import Detector

# What one blob may become: more is a bomb, or no message; its readable beginning is scanned all the same.
LARGEST_INFLATED = 1024 * 1024
LARGEST_ENCODED = 1024 * 1024


class Mark(NamedTuple):
    """From `decoded` on, bytes stand at `origin` in the outer text; an escape stands there whole, `size` bytes."""

    decoded: int
    origin: int
    size: int


class Hidden(NamedTuple):
    """A stretch of the outer text and what it says. Without marks it cannot be masked in part."""

    start: int
    end: int
    text: bytes
    marks: Sequence[Mark] = ()

    def outer(self, start: int, end: int) -> tuple[int, int]:
        """Where in the outer text these bytes of `text` stand."""
        if not self.marks:
            return self.start, self.end
        first, last = self._mark(start), self._mark(end - 1)
        begin = first.origin if first.size else first.origin + start - first.decoded
        return begin, last.origin + (last.size or end - last.decoded)

    def _mark(self, place: int) -> Mark:
        return self.marks[bisect_right(self.marks, place, key=_decoded_at) - 1]


def _decoded_at(mark: Mark) -> int:
    return mark.decoded


_ESCAPE = re.compile(
    rb"\\+u[dD][89abAB][0-9a-fA-F]{2}\\+u[dD][c-fC-F][0-9a-fA-F]{2}|\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\([\"'\\/bfnrt])"
    rb"|%([0-9a-fA-F]{2})|&#(\d{1,7});|&#[xX]([0-9a-fA-F]{1,6});|&(amp|lt|gt|quot|apos);"
)
_PLAIN = {b"b": b" ", b"f": b" ", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}


def _unescaped(data: bytes, start: int, end: int) -> Iterator[Hidden]:
    """The window with every escape it holds taken off once."""
    pieces: list[bytes] = []
    marks = [Mark(0, start, 0)]
    done, size = start, 0
    for match in _ESCAPE.finditer(data, start, end):
        literal, plain = data[done : match.start()], _meaning(match)
        size += len(literal)
        done = match.end()
        marks += (Mark(size, match.start(), done - match.start()), Mark(size + len(plain), done, 0))
        size += len(plain)
        pieces += (literal, plain)
    if pieces:
        pieces.append(data[done:end])
        yield Hidden(start, end, b"".join(pieces), marks)


def _meaning(match: re.Match[bytes]) -> bytes:
    kind, value = match.lastindex, match[match.lastindex or 0]
    match kind:
        case 1 | 2 | 4 | 6:
            return _character(int(value, 16), is_byte=kind in (2, 4))
        case 3:
            return _PLAIN.get(value, value)
        case 5:
            return _character(int(value), is_byte=False)
        case 7:
            return _NAMED[value]
        case _:
            # A surrogate pair is some sign beyond the letters secrets are written in.
            return b"?"


def _character(code: int, *, is_byte: bool) -> bytes:
    if is_byte and code >= 0x80:
        return b"?"
    return chr(code).encode("utf-8", "replace") if 0 < code < 0x110000 else b"?"


# Groups of four that decode to three bytes below 0x80; then what gzip, zstd and zlib begin with.
_TEXT_GROUP = r"[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
_BLOB_TRIGGER = (
    rf"(?:^|[^A-Za-z0-9+/_-])(?:(?:{_TEXT_GROUP}){{5}}"
    r"|H4sI[A-Za-z0-9+/_-]{16}|KLUv[/_][A-Za-z0-9+/_-]{15}|eJ[wxyz][A-Za-z0-9+/_-]{17})"
)
_RUN = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,}={0,2}")
# Encoders break lines at 60 to 76 characters; what follows indented the same way goes on.
_WRAPPED = re.compile(rb"\r?\n[ \t]*([A-Za-z0-9+/_-]{1,76}={0,2})(?=\s|\Z|[\"'<,])")
_SHORTEST_WRAPPED, _LONGEST_WRAPPED = 60, 76


def _decoded_blobs(data: bytes, start: int, end: int) -> Iterator[Hidden]:
    place = start
    while (match := _RUN.search(data, place, end)) is not None:
        # The window ends where the trigger fired; the run may go on.
        whole = _RUN.match(data, match.start(), match.start() + LARGEST_ENCODED + 2) or match
        place = _end_of_wrapped(data, *whole.span())
        text = _readable(data[whole.start() : place])
        if text is None and place > whole.end():
            place = whole.end()
            text = _readable(whole[0])
        if text is not None:
            yield Hidden(whole.start(), place, text)


def _end_of_wrapped(data: bytes, start: int, end: int) -> int:
    size = end - start
    while _SHORTEST_WRAPPED <= size <= _LONGEST_WRAPPED and end - start < LARGEST_ENCODED:
        more = _WRAPPED.match(data, end)
        if more is None:
            return end
        size, end = len(more[1]), more.end()
    return end


def _readable(blob: bytes) -> bytes | None:
    """What this base64 says, as UTF-8; None where it says nothing a person could read."""
    packed = b"".join(blob.split()).rstrip(b"=").translate(_STANDARD)
    try:
        raw = base64.b64decode(packed[: len(packed) - (len(packed) % 4 == 1)] + b"==", validate=False)
    except binascii.Error:
        return None
    return readable(_inflated(raw))


_STANDARD = bytes.maketrans(b"-_", b"+/")


def _inflated(raw: bytes) -> bytes:
    """The beginning of what was compressed; raw itself where nothing was."""
    try:
        if raw[:2] == b"\x1f\x8b" or (raw[:1] == b"\x78" and raw[1:2] in b"\x01\x5e\x9c\xda"):
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, LARGEST_INFLATED)
        if raw[:4] == b"\x28\xb5\x2f\xfd":
            decompressor = zstandard.ZstdDecompressor(max_window_size=8 * LARGEST_INFLATED)
            return decompressor.stream_reader(io.BytesIO(raw)).read(LARGEST_INFLATED)
    except (zlib.error, zstandard.ZstdError):
        pass
    return raw


_SAMPLE = 512
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def readable(raw: bytes) -> bytes | None:
    """Text in UTF-8 or UTF-16 as UTF-8; None for other bytes."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:_SAMPLE]:
        encoding = "utf-16-be" if raw[:1] == b"\0" or raw[:2] == b"\xfe\xff" else "utf-16-le"
        raw = raw[: len(raw) // 2 * 2].decode(encoding, "replace").encode("utf-8", "replace")
    try:
        raw[:_SAMPLE].decode()
    except UnicodeDecodeError as error:
        # A character cut by the sample's end is no fault.
        if error.start < _SAMPLE - 4 or len(raw) <= _SAMPLE:
            return None
    return None if not raw or _CONTROL.search(raw[:_SAMPLE]) else raw


# What an escape hides may reach this far on either side of it.
_REACH = 1024

DECODERS: tuple[Detector[Hidden], ...] = (
    Detector(
        trigger=r"\\u00[2-7][0-9a-f]|\\x[2-7][0-9a-f]|\\[/\"]|%[2-7][0-9a-f]|&#|&(?:amp|lt|gt|quot|apos);",
        behind=_REACH,
        ahead=_REACH,
        find=_unescaped,
    ),
    Detector(trigger=_BLOB_TRIGGER, behind=24, ahead=0, find=_decoded_blobs, is_exact=True),
)
