"""Mask tokens and decoys in an upload on its way: in its bytes as they are, inside gzip and zstd, through framing.

What is done about one is the edge's; how a token is spelled is `stored`'s, how a decoy is known `decoy_watch`'s.
"""

from __future__ import annotations

import re

from gateway.masking.codings import Coding, Plain, Undecodable, packing_of
from gateway.masking.decoy_watch import DecoyWatch, Found
from gateway.masking.stored import TokenWatch

# Longer than any head of a frame; and the first bytes behind it by which a compression is known.
_HEAD, _MAGIC = 128, 4
_FRAME_HEAD = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;chunk-signature=[0-9a-f]{64})?\r\n")
# How much is unpacked of one upload: what lies further in is not looked at, and the upload is not kept waiting for it.
MOST_UNPACKED = 64 * 1024 * 1024


class _Watch:
    """One text's watch: for mask tokens, and with a key for decoys."""

    def __init__(self, *, tokens: bool, decoy_key: bytes) -> None:
        self._tokens = TokenWatch() if tokens else None
        self._decoys = DecoyWatch(decoy_key) if decoy_key else None
        self.has_token = False

    @property
    def decoys(self) -> tuple[Found, ...]:
        return tuple(self._decoys.found) if self._decoys is not None else ()

    def look(self, chunk: bytes) -> None:
        if self._tokens is not None and self._tokens.saw_token(chunk):
            self.has_token = True
        if self._decoys is not None:
            self._decoys.look(chunk)

    def end(self) -> None:
        if self._decoys is not None:
            self._decoys.end()


class UploadWatch:
    """Looks for mask tokens, and with a `decoy_key` for decoys, in bytes that come in chunks, wherever they are cut."""

    def __init__(self, *, tokens: bool = True, decoy_key: bytes = b"") -> None:
        self._tokens, self._decoy_key = tokens, decoy_key
        self._plain = self._new()
        # What came before its framing was known, and then what of the payload came before its compression was.
        self._head, self._start = b"", b""
        self._frames: _Frames | None = None
        self._is_framing_known = False
        self._packed: _Packed | None = None
        self._is_known = False

    @property
    def has_token(self) -> bool:
        """Whether a mask token was met."""
        return self._plain.has_token or (self._packed is not None and self._packed.watch.has_token)

    @property
    def decoys(self) -> tuple[Found, ...]:
        """The decoys that were met."""
        return self._plain.decoys + (self._packed.watch.decoys if self._packed is not None else ())

    def look(self, chunk: bytes) -> None:
        """Take the next bytes. A token that ends in them is met; a decoy may be only with what follows."""
        self._plain.look(chunk)
        self._look_inside(chunk, is_end=False)

    def end(self) -> None:
        """The upload is complete: what was too short to be judged before is judged now."""
        self._look_inside(b"", is_end=True)
        self._plain.end()
        if self._packed is not None:
            self._packed.watch.end()

    def _new(self) -> _Watch:
        return _Watch(tokens=self._tokens, decoy_key=self._decoy_key)

    def _look_inside(self, chunk: bytes, *, is_end: bool) -> None:
        if self._is_known and self._packed is None:
            return
        payload = self._payload(chunk, is_end=is_end)
        if not self._is_known:
            self._start += payload
            if len(self._start) < _MAGIC and not is_end:
                return
            payload, self._start, self._is_known = self._start, b"", True
            coding = packing_of(payload)
            self._packed = None if isinstance(coding, Plain) else _Packed(coding, self._new())
        if self._packed is not None:
            self._packed.look(payload)

    def _payload(self, chunk: bytes, *, is_end: bool) -> bytes:
        """What stands in the chunk without the framing of an upload."""
        if not self._is_framing_known:
            self._head += chunk
            if len(self._head) < _HEAD and not is_end:
                return b""
            chunk, self._head, self._is_framing_known = self._head, b"", True
            self._frames = _Frames() if _FRAME_HEAD.match(chunk) else None
        return chunk if self._frames is None else self._frames.payload(chunk)


class _Packed:
    """The text inside a compressed upload. What cannot be unpacked is passed over: it is no text anybody reads."""

    def __init__(self, coding: Coding, watch: _Watch) -> None:
        self._coding, self.watch = coding, watch
        self._left = MOST_UNPACKED

    def look(self, payload: bytes) -> None:
        if self._left <= 0:
            return
        try:
            for piece in self._coding.decode(payload):
                self._left -= len(piece)
                self.watch.look(piece)
                if self._left <= 0 or self.watch.has_token:
                    return
        except Undecodable:
            self._left = 0


class _Frames:
    """Takes the framing of an aws-chunked body off. A framing that breaks ends what is looked at; the reader refuses it."""

    def __init__(self) -> None:
        self._kept = b""
        # Payload bytes of this frame still to come; None between frames.
        self._left: int | None = None
        self._is_over = False

    def payload(self, data: bytes) -> bytes:
        self._kept += data
        out = bytearray()
        while self._kept and not self._is_over:
            if self._left:
                out += self._kept[: self._left]
                taken = min(self._left, len(self._kept))
                self._kept, self._left = self._kept[taken:], self._left - taken
            elif self._left == 0:
                if len(self._kept) < 2:
                    break
                self._kept, self._left = self._kept[2:], None
            elif not self._opened():
                break
        return bytes(out)

    def _opened(self) -> bool:
        head = _FRAME_HEAD.match(self._kept)
        if head is None:
            self._is_over = len(self._kept) >= _HEAD
            return False
        self._left, self._kept = int(head.group(1), 16), self._kept[head.end() :]
        self._is_over = self._left == 0
        return not self._is_over
