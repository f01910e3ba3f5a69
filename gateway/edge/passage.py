"""A payload on its way up: what of each piece may leave already, in which framing, and what must be right at its end.

Reading the client and writing to AWS are `forwarding`; the signed chunks' grammar is `gateway.wire.aws_chunked`.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Protocol

from gateway.edge import http1, problems
from gateway.edge.tally import CallTally
from gateway.masking.uploads import UploadWatch
from gateway.wire import aws_chunked
from gateway.wire.contract import SignedChunks, Upstream

Framing = tuple[str, str]


class Passage(Protocol):
    """Give it the client's bytes as they come; what it gives back may be sent. Each raises a Problem to cut the upload.

    `end` gives the last bytes, which make the upload whole: nothing may be held to be sent before it returned.
    """

    framing: Framing

    def feed(self, data: bytes) -> bytes: ...

    def end(self) -> bytes: ...


def open_passage(upstream: Upstream, *, length: int | None, tally: CallTally) -> Passage:
    """How this payload travels. `length` is the client's own Content-Length, None for a chunked body."""
    if upstream.chunks is not None:
        passage: Passage = _Verified(upstream.chunks, tally)
    else:
        passage = _Untouched(length=length, sha256=upstream.payload_sha256, tally=tally)
    is_watched = upstream.refuses_mask_tokens or upstream.decoy_key
    return _Watched(passage, upstream, tally) if is_watched else passage


class _Watched:
    """A passage that is cut at a mask token or decoy: what would make the upload whole stays here."""

    def __init__(self, passage: Passage, upstream: Upstream, tally: CallTally) -> None:
        self.framing = passage.framing
        self._passage = passage
        self._tally = tally
        self._refuses_decoys = upstream.refuses_decoys
        self._watch = UploadWatch(tokens=upstream.refuses_mask_tokens, decoy_key=upstream.decoy_key)

    def feed(self, data: bytes) -> bytes:
        self._watch.look(data)
        self._check()
        return self._passage.feed(data)

    def end(self) -> bytes:
        self._watch.end()
        self._check()
        return self._passage.end()

    def _check(self) -> None:
        """Tell of decoys also where they may pass; raise for what may not."""
        self._tally.decoys = self._watch.decoys
        if self._tally.decoys and self._refuses_decoys:
            raise problems.DecoyUsed()
        if self._watch.has_token:
            raise problems.MaskTokenStored()


class _Untouched:
    """The client's bytes as they are. The piece read last stays here until the digest is known to be right."""

    def __init__(self, *, length: int | None, sha256: str | None, tally: CallTally) -> None:
        self.framing = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
        self._is_chunked = length is None
        self._expected = sha256
        self._digest = hashlib.sha256()
        self._tally = tally
        self._kept = b""

    def feed(self, data: bytes) -> bytes:
        self._tally.sent_up(data)
        if self._expected is not None:
            self._digest.update(data)
        ready, self._kept = self._kept, http1.as_chunk(data) if self._is_chunked else data
        return ready

    def end(self) -> bytes:
        if self._expected is not None and not hmac.compare_digest(self._digest.hexdigest(), self._expected.lower()):
            raise problems.PayloadMismatch()
        return self._kept + (http1.LAST_CHUNK if self._is_chunked else b"")


class _Verified:
    """A body in signed chunks: only verified payload leaves, plain, or framed anew where it has checksum trailers."""

    def __init__(self, chunks: SignedChunks, tally: CallTally) -> None:
        # The length of the frames that will be made is known only at their end; the payload's is signed.
        self.framing = (
            ("Transfer-Encoding", "chunked") if chunks.trailers else ("Content-Length", str(chunks.decoded_length))
        )
        self._is_framed = bool(chunks.trailers)
        self._reader = aws_chunked.ChunkReader(chunks)
        self._tally = tally

    def feed(self, data: bytes) -> bytes:
        return self._framed(self._reader.receive(data))

    def end(self) -> bytes:
        payload, trailers = self._reader.finish()
        last = self._framed(payload)
        if not self._is_framed:
            return last
        return last + http1.as_chunk(aws_chunked.last_frame(trailers)) + http1.LAST_CHUNK

    def _framed(self, payload: bytes) -> bytes:
        self._tally.sent_up(payload)
        return http1.as_chunk(aws_chunked.frame(payload)) if self._is_framed and payload else payload
