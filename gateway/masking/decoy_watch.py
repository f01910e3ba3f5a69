"""Finding a tenant's decoys: in values, in text, and in bytes that come in chunks.

They are told by their proof alone, without a list of those that were made. What follows from one is the control plane's.
"""

from __future__ import annotations

import base64
import binascii
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import re2

from gateway.masking import decoys
from gateway.masking.decoy_forms import JWT_END, KEY_HEAD, checked
from gateway.masking.decoys import SHAPES, Shape, check_start, may_be, tag_in

# More of one call are not told of: one is enough to refuse it.
MOST_FOUND = 16
# Longer than any decoy, in UTF-16 too and with a frame's line in it: what a search keeps of one piece.
LONGEST = 400
SHORTEST = 20
_FRAME = re.compile(rb"\r\n[0-9A-Fa-f]{1,8}(?:;chunk-signature=[0-9a-f]{64})?\r\n")


class _Slot(NamedTuple):
    """Where in a word of one length a decoy part would stand, and how it is read from there."""

    shape: Shape
    read: Callable[[bytes], bytes]


def _as_is(word: bytes) -> bytes:
    return word


def _behind_prefix(word: bytes) -> bytes:
    return word[4:] if word[:4] in (b"AKIA", b"ASIA") else b""


def _of_account(word: bytes) -> bytes:
    return word[8:].upper() if word[:2].upper() == b"LC" else b""


def _of_checked(word: bytes) -> bytes:
    core = word[:30]
    return core if checked(core.decode()).encode() == word else b""


def _of_signature(word: bytes) -> bytes:
    return word[:42] if word.endswith(JWT_END.encode()) else b""


# By the length of the word: people and mail servers write addresses, hex and accounts in either case.
_SLOTS: Mapping[int, tuple[_Slot, ...]] = {
    20: (_Slot(decoys.WORD_20, _as_is), _Slot(decoys.ACCESS_KEY, _behind_prefix)),
    24: (_Slot(decoys.WORD_24, _as_is), _Slot(decoys.MAILBOX, bytes.lower)),
    32: (
        _Slot(decoys.WORD_32, _as_is),
        _Slot(decoys.HEX_32, bytes.lower),
        _Slot(decoys.ACCOUNT, _of_account),
    ),
    36: (_Slot(decoys.WORD_30, _of_checked),),
    40: (_Slot(decoys.WORD_40, _as_is), _Slot(decoys.HEX_40, bytes.lower)),
    43: (_Slot(decoys.WORD_42, _of_signature),),
    64: (_Slot(decoys.HEX_64, bytes.lower),),
}
_KEY_START = base64.b64encode(KEY_HEAD)[:20]
# Asked of all that is sent: RE2 goes through text without any such word at some 500 MB/s, and only what has one is
# taken apart into its words.
_LENGTHS = "|".join(f"[A-Za-z0-9]{{{length}}}" for length in _SLOTS)
_HAS_ONE = re2.compile(
    rf"(?:^|[^A-Za-z0-9])(?:{_LENGTHS})(?:$|[^A-Za-z0-9])|-4[0-9a-fA-F]{{3}}-[89abAB]|{_KEY_START.decode()}"
)
_WORDS = bytes(byte if chr(byte) in string.ascii_letters + string.digits else 32 for byte in range(256))
_WORD = re.compile(rb"[A-Za-z0-9]{20,}")
_UUID = re.compile(rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")
_KEY = re.compile(_KEY_START + rb"[A-Za-z0-9+/]{44}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{27,}={0,2}")
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


def in_bytes(key: bytes, data: bytes, *, base64_too: bool = True) -> Iterator[Found]:
    """The decoys in these bytes, also in base64 there that is not large and hides text."""
    yield from _in_text(key, data)
    if base64_too:
        for match in _BASE64.finditer(data):
            hidden = _hidden(match.group())
            if hidden:
                yield from _in_text(key, hidden)


def _in_text(key: bytes, data: bytes, *, is_open: bool = False, is_begun: bool = False) -> Iterator[Found]:
    """What is whole of it; where the text `is_open` more follows, where it `is_begun` some came before."""
    if data.count(b"\0") * 4 > len(data):
        data = data.replace(b"\0", b"")
    if not _HAS_ONE.search(data):
        return
    words = data.translate(_WORDS).split()
    # At an end of what is seen it may be a part of a longer word.
    first = 1 if is_begun and data[:1].isalnum() else 0
    last = len(words) - (1 if is_open and data[-1:].isalnum() else 0)
    yield from _in_words(key, words[first:last])
    yield from _in_uuids(key, data)
    seeds = (base64.b64decode(one.group())[len(KEY_HEAD) :] for one in _KEY.finditer(data))
    yield from _tagged(key, decoys.SEED, seeds)


def _in_words(key: bytes, words: Iterable[bytes]) -> Iterator[Found]:
    start = check_start(key)
    for word in words:
        # No calls of ours for each word: a list of hashes has a hundred thousand a few megabytes.
        for shape, read in _SLOTS.get(len(word), ()):
            core = read(word)
            if core and may_be(start, shape, core):
                yield from _tagged(key, shape, (core,))


def _in_uuids(key: bytes, data: bytes) -> Iterator[Found]:
    plain = (match.group().lower().replace(b"-", b"") for match in _UUID.finditer(data))
    yield from _tagged(key, decoys.HEX_30, (one[:12] + one[13:16] + one[17:] for one in plain))


def _tagged(key: bytes, shape: Shape, cores: Iterable[bytes]) -> Iterator[Found]:
    tags = (tag_in(key, shape, core) for core in cores)
    return (Found(shape.name, tag) for tag in tags if tag is not None)


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
    """The decoys anywhere in a value: text, bytes, and what mappings and lists hold. It is looked through as one text."""
    waiting, texts = [value], list[bytes]()
    while waiting:
        match waiting.pop():
            case str() as text:
                if len(text) >= SHORTEST:
                    texts.append(text.encode("utf-8", "surrogatepass"))
            case bytes() as data:
                texts.append(data)
            case Mapping() as members:
                waiting += (*members.keys(), *members.values())
            case list() | tuple() as elements:
                waiting += elements
    return in_bytes(key, b"\n".join(texts))


def without(key: bytes, data: bytes, label: bytes) -> bytes:
    """The bytes with this label in place of each word that is a decoy."""

    def written(match: re.Match[bytes]) -> bytes:
        return label if any(_in_words(key, [match.group()])) else match.group()

    return _WORD.sub(written, data)


class DecoyWatch:
    """Looks for decoys in bytes that come in chunks, wherever they are cut, in UTF-8 or UTF-16."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._tail = b""
        self.found: dict[Found, None] = {}

    def look(self, chunk: bytes) -> None:
        """Take the next bytes. What ends in them is met; what ends with them may be only with what follows."""
        self._look(chunk, is_end=False)

    def end(self) -> None:
        """The bytes are complete: what ends with them is met too."""
        self._look(b"", is_end=True)

    def _look(self, chunk: bytes, *, is_end: bool) -> None:
        seen = self._tail + chunk
        is_begun = len(self._tail) >= LONGEST
        self._tail = seen[-LONGEST:]
        text = _FRAME.sub(b"", seen) if b"\r\n" in seen else seen
        for found in _in_text(self._key, text, is_open=not is_end, is_begun=is_begun):
            if len(self.found) < MOST_FOUND:
                self.found[found] = None
