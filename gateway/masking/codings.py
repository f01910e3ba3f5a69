"""Encodings around a text: gzip, zstd and UTF-16 taken off before masking and put on again behind it.

Bounded against bombs: what comes out is handed on in pieces, and never more of it than its size allows.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

PIECE = 64 * 1024
# Honest text shrinks to a hundredth at most; a bomb to a thousandth (gzip) and much less (zstd).
SMALLEST_BOMB = 64 * 1024 * 1024
LARGEST_RATIO = 250
# A zstd block is four bytes at least and 128 KiB at most: so few bytes at a time keep what one step yields small.
_ZSTD_STEP = 128
_LARGEST_ZSTD_WINDOW = 8 * 1024 * 1024
_GZIP_WINDOW = 31
# Level 1: the client waits for it, and length is no longer upstream's anyway.
_LEVEL = 1


class Undecodable(ValueError):
    """The bytes are not what their coding says, or they unpack to more than is let out."""


class Coding(Protocol):
    """One coding of one body: both directions, each in pieces; `done` and `end` close them."""

    def decode(self, data: bytes) -> Iterator[bytes]: ...

    def done(self) -> bytes: ...

    def encode(self, data: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class Plain:
    """No coding."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The bytes themselves."""
        yield data

    def done(self) -> bytes:
        """Nothing is kept."""
        return b""

    def encode(self, data: bytes) -> bytes:
        """The bytes themselves."""
        return data

    def end(self) -> bytes:
        """Nothing is kept."""
        return b""


class _Bounded:
    """Counts what goes in and comes out of a decompression."""

    def __init__(self) -> None:
        self._inwards = self._outwards = 0

    def took(self, size: int) -> None:
        self._inwards += size

    def gave(self, size: int) -> None:
        self._outwards += size
        if self._outwards > SMALLEST_BOMB and self._outwards > LARGEST_RATIO * self._inwards:
            raise Undecodable("it unpacks to more than text would")


class Gzip(_Bounded):
    """gzip, also of several members as log writers append them. Raises Undecodable on anything else."""

    def __init__(self) -> None:
        super().__init__()
        self._unpacker = zlib.decompressobj(_GZIP_WINDOW)
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self._has_begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The text in pieces of at most PIECE bytes."""
        self.took(len(data))
        while data:
            self._has_begun = True
            try:
                piece = self._unpacker.decompress(data, PIECE)
            except zlib.error:
                raise Undecodable("not gzip") from None
            self.gave(len(piece))
            yield piece
            data = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                data = self._unpacker.unused_data
                self._unpacker, self._has_begun = zlib.decompressobj(_GZIP_WINDOW), False

    def done(self) -> bytes:
        """Raises Undecodable where the last member is cut short."""
        if self._has_begun:
            raise Undecodable("gzip that ends too early")
        return b""

    def encode(self, data: bytes) -> bytes:
        """Packed bytes, as many as are ready."""
        return self._packer.compress(data)

    def end(self) -> bytes:
        """The packed rest."""
        return self._packer.flush()


class Zstd(_Bounded):
    """zstd, frame after frame. Raises Undecodable on anything else."""

    def __init__(self) -> None:
        super().__init__()
        self._unpacker = self._new()
        self._packer = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
        self._has_begun = False

    @staticmethod
    def _new() -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=_LARGEST_ZSTD_WINDOW).decompressobj(write_size=PIECE)

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The text in pieces of a few MiB at the very most."""
        self.took(len(data))
        place = 0
        while place < len(data):
            step = data[place : place + _ZSTD_STEP]
            self._has_begun = True
            try:
                piece = self._unpacker.decompress(step)
            except zstandard.ZstdError:
                raise Undecodable("not zstd") from None
            self.gave(len(piece))
            yield piece
            place += len(step)
            if self._unpacker.eof:
                place -= len(self._unpacker.unused_data)
                self._unpacker, self._has_begun = self._new(), False

    def done(self) -> bytes:
        """Raises Undecodable where the last frame is cut short."""
        if self._has_begun:
            raise Undecodable("zstd that ends too early")
        return b""

    def encode(self, data: bytes) -> bytes:
        """Packed bytes, as many as are ready."""
        return self._packer.compress(data)

    def end(self) -> bytes:
        """The packed rest."""
        return self._packer.flush()


class Utf16:
    """UTF-16 of one byte order; a byte order mark stays the text's first character."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._reader = codecs.getincrementaldecoder("utf-8")()
        self._encoding = encoding

    def decode(self, data: bytes) -> Iterator[bytes]:
        """UTF-8."""
        yield self._decoded(data)

    def done(self) -> bytes:
        """The last character; raises Undecodable on half of one."""
        return self._decoded(b"", is_end=True)

    def encode(self, data: bytes) -> bytes:
        """UTF-16 again; half a character waits for its rest."""
        return self._reader.decode(data).encode(self._encoding)

    def end(self) -> bytes:
        """Nothing is left of whole characters."""
        return self._reader.decode(b"", final=True).encode(self._encoding)

    def _decoded(self, data: bytes, *, is_end: bool = False) -> bytes:
        try:
            return self._decoder.decode(data, final=is_end).encode()
        except UnicodeError:
            raise Undecodable("not UTF-16") from None


class Both:
    """One coding inside another: UTF-16 in gzip."""

    def __init__(self, outer: Coding, inner: Coding) -> None:
        self._outer, self._inner = outer, inner

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The innermost text."""
        for piece in self._outer.decode(data):
            yield from self._inner.decode(piece)

    def done(self) -> bytes:
        """What the inner one kept."""
        self._outer.done()
        return self._inner.done()

    def encode(self, data: bytes) -> bytes:
        """Both put on again."""
        return self._outer.encode(self._inner.encode(data))

    def end(self) -> bytes:
        """The rest of both."""
        return self._outer.encode(self._inner.end()) + self._outer.end()


_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC = b"\x1f\x8b\x08"
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def packing_of(head: bytes) -> Coding:
    """The compression a body begins with, known by its first bytes whatever a header says."""
    if head.startswith(_GZIP_MAGIC):
        return Gzip()
    return Zstd() if head.startswith(_ZSTD_MAGIC) else Plain()


def alphabet_of(sample: bytes) -> Coding:
    """UTF-16 where its mark stands, or where Latin text shows a NUL in every other byte."""
    name = next((encoding for mark, encoding in _MARKS if sample.startswith(mark)), None) or _by_nuls(sample)
    return Utf16(name) if name else Plain()


def _by_nuls(sample: bytes) -> str | None:
    half = len(sample) // 2
    if half < 2:
        return None
    if sample[1::2].count(0) > half * 0.6 and sample[0::2].count(0) < half * 0.1:
        return "utf-16-le"
    if sample[0::2].count(0) > half * 0.6 and sample[1::2].count(0) < half * 0.1:
        return "utf-16-be"
    return None


def opened(body_head: bytes, size: int) -> tuple[Coding, bytes]:
    """The codings of a body by its head, and the first `size` bytes of its text, decoded for judging."""
    packing = packing_of(body_head)
    sample = b""
    # A copy of the coding: what is decoded for judging is decoded again when it is masked.
    for piece in packing_of(body_head).decode(body_head):
        sample += piece
        if len(sample) >= size:
            break
    sample = sample[:size]
    alphabet = alphabet_of(sample)
    coding: Coding = Both(packing, alphabet) if isinstance(alphabet, Utf16) else packing
    if isinstance(alphabet, Utf16):
        sample = b"".join(alphabet_of(sample).decode(sample[: len(sample) // 2 * 2]))
    return coding, sample
