"""Finding a tenant's decoys: in values, in text, and in bytes that come in chunks.

They are told by their proof alone, without a list of those that were made. What follows from one is the control plane's.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import re2

from gateway.masking import decoys
from gateway.masking.decoy_forms import JWT_END, KEY_HEAD, checked
from gateway.masking.decoys import SHAPES, Shape, tag_in

# More of one call are not told of: one is enough to refuse it.
MOST_FOUND = 16
# Longer than any decoy, in UTF-16 too and with a frame's line in it: what a search keeps of one piece.
LONGEST = 400
_FRAME = re.compile(rb"\r\n[0-9A-Fa-f]{1,8}(?:;chunk-signature=[0-9a-f]{64})?\r\n")

_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
_KEY_START = base64.b64encode(KEY_HEAD)[:20].decode()
# A run of letters and digits, an identifier with dashes, or a key's base64. Asked of all that is sent: RE2 goes through
# text without any at some 600 MB/s, `re` at 60.
_CANDIDATE = re2.compile(rf"{_KEY_START}[A-Za-z0-9+/]{{44}}|[A-Za-z0-9]{{20,}}|{_UUID}")
_BASE64 = re2.compile(r"[A-Za-z0-9+/_-]{27,}={0,2}")
_LARGEST_BASE64 = 64 * 1024
_PRINTABLE = re.compile(rb"[\t\r\n -~\x80-\xff]*")


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A decoy that was met: its shape's name and its response's tag."""

    shape: str
    tag: int

    def __str__(self) -> str:
        return f"{self.shape}:{self.tag}"


def read_found(text: str) -> Found | None:
    """What an edge tells as `shape:tag`, or None for anything else."""
    shape, _, tag = text.partition(":")
    is_told = shape in SHAPES and tag.isascii() and tag.isdecimal() and len(tag) <= 12
    return Found(shape, int(tag)) if is_told and int(tag) < decoys.TAGS else None


def _word(text: str, shape: Shape) -> Iterator[tuple[Shape, str]]:
    yield shape, text


def _of_20(text: str) -> Iterator[tuple[Shape, str]]:
    if text.startswith(("AKIA", "ASIA")):
        yield decoys.ACCESS_KEY, text[4:]
    yield decoys.WORD_20, text


def _of_24(text: str) -> Iterator[tuple[Shape, str]]:
    yield decoys.WORD_24, text
    # People and mail servers write addresses in either case.
    yield decoys.MAILBOX, text.lower()


def _of_32(text: str) -> Iterator[tuple[Shape, str]]:
    yield decoys.WORD_32, text
    yield decoys.HEX_32, text.lower()
    if text[:2] in ("LC", "lc"):
        yield decoys.ACCOUNT, text[8:].upper()


def _of_36(text: str) -> Iterator[tuple[Shape, str]]:
    if "-" in text:
        plain = text.lower().replace("-", "")
        yield decoys.HEX_30, plain[:12] + plain[13:16] + plain[17:]
    elif checked(text[:30]) == text:
        yield decoys.WORD_30, text[:30]


def _of_40(text: str) -> Iterator[tuple[Shape, str]]:
    yield decoys.WORD_40, text
    yield decoys.HEX_40, text.lower()


def _of_43(text: str) -> Iterator[tuple[Shape, str]]:
    if text.endswith(JWT_END):
        yield decoys.WORD_42, text[:42]


def _of_64(text: str) -> Iterator[tuple[Shape, str]]:
    yield decoys.HEX_64, text.lower()
    if text.startswith(_KEY_START):
        yield decoys.SEED, base64.b64decode(text)[len(KEY_HEAD) :].decode("latin-1")


_READINGS = {20: _of_20, 24: _of_24, 32: _of_32, 36: _of_36, 40: _of_40, 43: _of_43, 64: _of_64}


def _decoy(key: bytes, candidate: bytes) -> Found | None:
    readings = _READINGS.get(len(candidate))
    if readings is None:
        return None
    for shape, text in readings(candidate.decode("ascii")):
        tag = tag_in(key, shape, text)
        if tag is not None:
            return Found(shape.name, tag)
    return None


def in_bytes(key: bytes, data: bytes, *, base64_too: bool = True) -> Iterator[Found]:
    """The decoys in these bytes, also in base64 there that is not large and hides text."""
    for match in _CANDIDATE.finditer(data):
        found = _decoy(key, match.group())
        if found is not None:
            yield found
    if base64_too:
        for match in _BASE64.finditer(data):
            hidden = _hidden(match.group())
            if hidden:
                yield from in_bytes(key, hidden, base64_too=False)


def _hidden(encoded: bytes) -> bytes:
    """Text that this is the base64 of, or nothing."""
    if len(encoded) > _LARGEST_BASE64:
        return b""
    plain = encoded.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    try:
        # The first characters tell of most that they hide no text.
        if not _PRINTABLE.fullmatch(binascii.a2b_base64(plain[:24])):
            return b""
        text = binascii.a2b_base64(plain + b"=" * (-len(plain) % 4))
    except binascii.Error:
        return b""
    return text if _PRINTABLE.fullmatch(text[:512]) else b""


def in_value(key: bytes, value: object) -> Iterator[Found]:
    """The decoys anywhere in a value: text, bytes, and what mappings and lists hold."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                # Nothing shorter is one.
                if len(text) >= 20:
                    yield from in_bytes(key, text.encode("utf-8", "surrogatepass"))
            case bytes() as data:
                yield from in_bytes(key, data)
            case Mapping() as members:
                waiting += (*members.keys(), *members.values())
            case list() | tuple() as elements:
                waiting += elements


class DecoyWatch:
    """Looks for decoys in bytes that come in chunks, wherever they are cut, in UTF-8 or UTF-16."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._tail = b""
        self.found: dict[Found, None] = {}

    def saw(self, chunk: bytes) -> bool:
        """Whether a decoy was met that was not known before, up to somewhat before the chunk's end."""
        return self._look(chunk, is_end=False)

    def ended(self) -> bool:
        """The bytes are complete; whether their end is a decoy."""
        return self._look(b"", is_end=True)

    def _look(self, chunk: bytes, *, is_end: bool) -> bool:
        seen, before = self._tail + chunk, len(self.found)
        is_first = len(self._tail) < LONGEST
        self._tail = seen[-LONGEST:]
        if seen.count(b"\0") * 4 > len(seen):
            seen = seen.replace(b"\0", b"")
        text = _FRAME.sub(b"", seen) if b"\r\n" in seen else seen
        for match in _CANDIDATE.finditer(text):
            # At an end of what is seen it may be a part of a longer run: judged when more is, or was before.
            if (match.end() == len(text) and not is_end) or (match.start() == 0 and not is_first):
                continue
            found = _decoy(self._key, match.group())
            if found is not None and len(self.found) < MOST_FOUND:
                self.found[found] = None
        return len(self.found) > before
