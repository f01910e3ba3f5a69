"""Signed aws-chunked uploads: every chunk verified against the chain its head began, framing stripped, bounded.

Bytes in, payload out; reading the socket and sending on are the edge's. Unsigned chunks pass through it untouched.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from enum import Enum, auto

from gateway.wire.canonical import signing_key
from gateway.wire.contract import SignedChunks
from gateway.wire.problems import BodyHashMismatch, IncompleteSignature, SignatureDoesNotMatch, TruncatedBody
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import STREAMING_SIGNED, UNSIGNED_PAYLOAD, Claim, PayloadMode

# SDKs that sign chunks send 64 or 128 KiB each; one chunk and the one before it are held until they are verified.
LARGEST_CHUNK = 1024 * 1024
# `fffff;chunk-signature=` and 64 digits; the rest of the line is room for nothing.
LONGEST_CHUNK_HEAD = 128
# One checksum and the signature over it, with room.
LARGEST_TRAILERS = 4 * 1024
# S3's largest object is 50 TB since 2025; a length of more digits is a mistake.
_LONGEST_LENGTH = 15

_EMPTY = hashlib.sha256(b"").hexdigest()
_CHUNK_HEAD = re.compile(rb"([0-9a-fA-F]{1,8});chunk-signature=([0-9a-f]{64})\Z")
_TRAILER = re.compile(rb"([A-Za-z0-9-]{1,64}):[ \t]*([!-~]{1,256})\Z")
_CHECKSUM = re.compile(r"x-amz-checksum-[a-z0-9-]{1,32}\Z")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
_FRAMING_HEADERS = frozenset(("x-amz-decoded-content-length", "x-amz-trailer"))

Pairs = tuple[tuple[str, str], ...]


def signed_chunks(request: WireRequest, claim: Claim, secret: str) -> SignedChunks | None:
    """What whoever streams the body needs to verify its chunks; None for any other payload mode.

    The key in it is good for one day, region and service of the gateway's own credential, and nothing else. Call
    it after `sigv4.verify`. Raises IncompleteSignature when the head does not say how long the payload is, or
    announces trailers that are no checksums.
    """
    if claim.payload_mode not in STREAMING_SIGNED:
        return None
    day = f"{claim.date:%Y%m%d}"
    return SignedChunks(
        key=signing_key(secret, day, claim.region, claim.service),
        seed=claim.signature,
        timestamp=f"{claim.date:%Y%m%dT%H%M%SZ}",
        scope=f"{day}/{claim.region}/{claim.service}/aws4_request",
        decoded_length=_decoded_length(request),
        trailers=announced_trailers(request) if claim.payload_mode is PayloadMode.STREAMING_SIGNED_TRAILER else (),
    )


def _decoded_length(request: WireRequest) -> int:
    value = request.header("x-amz-decoded-content-length") or ""
    if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST_LENGTH):
        raise IncompleteSignature("x-amz-decoded-content-length does not say how long the payload is")
    return int(value)


def announced_trailers(request: WireRequest) -> tuple[str, ...]:
    """The trailer names a head announces, lower-case; raises IncompleteSignature unless they are checksums."""
    value = request.header("x-amz-trailer") or ""
    names = tuple(name.strip().lower() for name in value.split(","))
    if len(set(names)) != len(names) or not all(_CHECKSUM.match(name) for name in names):
        raise IncompleteSignature("x-amz-trailer does not name checksums, each once")
    return names


# --- what travels on


def upstream_headers(headers: Iterable[tuple[str, str]], chunks: SignedChunks) -> Pairs:
    """The client's headers as the verified payload travels on.

    Without trailers the payload goes plain, and nothing of the framing may stay. With trailers it goes framed
    anew and unsigned (`frame`, `last_frame`), so that S3 still checks and keeps the checksum the client made.
    """
    if chunks.trailers:
        return tuple(headers)
    kept = ((name, value) for name, value in headers if name.lower() not in _FRAMING_HEADERS)
    plain = ((name, _without_framing(value) if name.lower() == "content-encoding" else value) for name, value in kept)
    return tuple((name, value) for name, value in plain if value or name.lower() != "content-encoding")


def _without_framing(encodings: str) -> str:
    """`aws-chunked,gzip` is gzip once the chunks are gone."""
    return ",".join(part for part in encodings.replace(" ", "").split(",") if part.lower() != "aws-chunked")


def upstream_payload_hash(chunks: SignedChunks) -> str:
    """What the fresh signature says of a body whose chunks were verified here."""
    return PayloadMode.STREAMING_UNSIGNED_TRAILER.value if chunks.trailers else UNSIGNED_PAYLOAD


def frame(data: bytes) -> bytes:
    """One unsigned chunk; empty data makes nothing, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_frame(trailers: Pairs) -> bytes:
    """The end of an unsigned framed body, with its trailers."""
    lines = "".join(f"{name}:{value}\r\n" for name, value in trailers)
    return f"0\r\n{lines}\r\n".encode("ascii")


# --- verifying


class _State(Enum):
    HEAD = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()
    END = auto()


class ChunkReader:
    """Verifies one signed aws-chunked body as it arrives.

    `receive` gives back payload whose chunk, and the chunk after it, hold; `finish` gives the rest once the whole
    chain holds. So nobody can complete an upload whose last signature is wrong. At most two chunks are in memory.
    """

    def __init__(self, chunks: SignedChunks) -> None:
        self._chunks = chunks
        self._previous = chunks.seed
        self._state = _State.HEAD
        self._line = b""
        self._expected = ""
        self._left = 0
        self._total = 0
        self._digest = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._held: list[bytes] = []
        self._released: list[bytes] = []

    def receive(self, data: bytes) -> bytes:
        """Payload that may go on, possibly empty.

        Raises SignatureDoesNotMatch, BodyHashMismatch (malformed, too long) and IncompleteSignature; after one of
        them the body is lost and nothing more may be sent.
        """
        at = 0
        while at < len(data):
            at = self._step(data, at)
        released, self._released = self._released, []
        return b"".join(released)

    def finish(self) -> tuple[bytes, Pairs]:
        """The last of the payload and the verified trailers; raises TruncatedBody when the end has not come."""
        trailers = self._verified_trailers() if self._state is _State.TRAILERS else ()
        if self._state not in (_State.END, _State.TRAILERS) or self._total != self._chunks.decoded_length:
            raise TruncatedBody
        return b"".join(self._held), trailers

    def _step(self, data: bytes, at: int) -> int:
        """Consume some of `data` from `at`; return where the next step begins, always further on."""
        match self._state:
            case _State.HEAD:
                return self._read_head(data, at)
            case _State.DATA:
                return self._read_data(data, at)
            case _State.DATA_END:
                return self._read_line_end(data, at)
            case _State.TRAILERS:
                self._line += data[at:]
                if len(self._line) > LARGEST_TRAILERS:
                    raise BodyHashMismatch("Its trailers are too long")
                return len(data)
            case _State.END:
                raise BodyHashMismatch("There are bytes after the last chunk")

    def _read_head(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        if end < 0 or end - at + len(self._line) > LONGEST_CHUNK_HEAD:
            self._line += data[at : at + LONGEST_CHUNK_HEAD + 1]
            if end >= 0 or len(self._line) > LONGEST_CHUNK_HEAD:
                raise BodyHashMismatch("A chunk does not begin with its size and signature")
            return len(data)
        line, self._line = self._line + data[at:end], b""
        match = _CHUNK_HEAD.match(line[:-1]) if line.endswith(b"\r") else None
        if match is None:
            raise BodyHashMismatch("A chunk does not begin with its size and signature")
        self._begin(int(match[1], 16), match[2].decode("ascii"))
        return end + 1

    def _begin(self, size: int, signature: str) -> None:
        if size > LARGEST_CHUNK:
            raise BodyHashMismatch(f"A chunk is larger than {LARGEST_CHUNK} bytes")
        self._total += size
        if self._total > self._chunks.decoded_length:
            raise BodyHashMismatch("It is longer than x-amz-decoded-content-length says")
        self._expected, self._left = signature, size
        self._digest = hashlib.sha256()
        if size:
            self._state = _State.DATA
            return
        # The empty chunk ends the payload; its own line end is the trailers' (or, without them, the body's).
        self._verify()
        self._state = _State.TRAILERS if self._chunks.trailers else _State.DATA_END

    def _read_data(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._digest.update(piece)
        self._pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._verify()
            self._state = _State.DATA_END
        return at + len(piece)

    def _read_line_end(self, data: bytes, at: int) -> int:
        taken = data[at : at + 2 - len(self._line)]
        self._line += taken
        if not b"\r\n".startswith(self._line):
            raise BodyHashMismatch("A chunk is longer than its size says")
        if self._line == b"\r\n":
            self._line = b""
            self._state = _State.HEAD if self._pieces else _State.END
            self._released += self._held if self._pieces else ()
            self._held, self._pieces = self._pieces or self._held, []
        return at + len(taken)

    def _verify(self) -> None:
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{self._digest.hexdigest()}", self._expected)

    def _check(self, kind: str, hashes: str, signature: str) -> None:
        chunks = self._chunks
        to_sign = "\n".join((kind, chunks.timestamp, chunks.scope, self._previous, hashes))
        expected = hmac.digest(chunks.key, to_sign.encode(), "sha256").hex()
        if not hmac.compare_digest(expected, signature):
            raise SignatureDoesNotMatch("A chunk of the body does not have the signature it claims")
        self._previous = signature

    def _verified_trailers(self) -> Pairs:
        """Lines end as their sender ends them (some write a bare newline, or an empty line before the signature)."""
        lines = [line.rstrip(b"\r") for line in self._line.split(b"\n")]
        matches = [_TRAILER.match(line) for line in lines if line]
        if not self._line.endswith(b"\n") or not matches:
            raise TruncatedBody
        pairs = [(match[1].decode().lower(), match[2].decode()) for match in matches if match is not None]
        names = [name for name, _ in pairs]
        is_whole = len(pairs) == len(matches) and names[-1] == _TRAILER_SIGNATURE
        if not is_whole or sorted(names[:-1]) != sorted(self._chunks.trailers):
            raise BodyHashMismatch("Its trailers are not those that x-amz-trailer announced, signed")
        canonical = "".join(f"{name}:{value}\n" for name, value in pairs[:-1])
        self._check("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(canonical.encode()).hexdigest(), pairs[-1][1])
        return tuple(pairs[:-1])
