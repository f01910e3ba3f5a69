"""Mask tokens in an upload on its way: in its bytes as they are, and inside gzip and zstd, through the framing of chunks.

What is done about one is the edge's; how a token is spelled is `stored`'s.
"""

from __future__ import annotations

import re

from gateway.masking.codings import Coding, Plain, Undecodable, packing_of
from gateway.masking.stored import TokenWatch

# Longer than any head of a frame; and the first bytes behind it by which a compression is known.
_HEAD, _MAGIC = 128, 4
_FRAME_HEAD = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;chunk-signature=[0-9a-f]{64})?\r\n")
# How much is unpacked of one upload: what lies further in is not looked at, and the upload is not kept waiting for it.
MOST_UNPACKED = 64 * 1024 * 1024


class UploadWatch:
    """Looks for a mask token in bytes that come in chunks, wherever they are cut."""

    def __init__(self) -> None:
        self._plain = TokenWatch()
        # What came before its framing was known, and then what of the payload came before its compression was.
        self._head, self._start = b"", b""
        self._frames: _Frames | None = None
        self._is_framing_known = False
        self._packed: _Packed | None = None
        self._is_known = False

    def saw_token(self, chunk: bytes) -> bool:
        """Whether a token ends in this chunk."""
        return self._plain.saw_token(chunk) or self._saw_inside(chunk, is_end=False)

    def ended(self) -> bool:
        """The upload is complete; whether a token stood in what was too short to be judged before."""
        return self._saw_inside(b"", is_end=True)

    def _saw_inside(self, chunk: bytes, *, is_end: bool) -> bool:
        if self._is_known and self._packed is None:
            return False
        payload = self._payload(chunk, is_end=is_end)
        if not self._is_known:
            self._start += payload
            if len(self._start) < _MAGIC and not is_end:
                return False
            payload, self._start, self._is_known = self._start, b"", True
            coding = packing_of(payload)
            self._packed = None if isinstance(coding, Plain) else _Packed(coding)
        return self._packed is not None and self._packed.saw_token(payload)

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

    def __init__(self, coding: Coding) -> None:
        self._coding, self._watch = coding, TokenWatch()
        self._left = MOST_UNPACKED

    def saw_token(self, payload: bytes) -> bool:
        if self._left <= 0:
            return False
        try:
            for piece in self._coding.decode(payload):
                self._left -= len(piece)
                if self._watch.saw_token(piece):
                    return True
                if self._left <= 0:
                    return False
        except Undecodable:
            self._left = 0
        return False


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
