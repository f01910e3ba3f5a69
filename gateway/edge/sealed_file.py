"""The journal's file format: records sealed one by one, each bound to all before it.

What the records mean is `journal`'s; where the key comes from, `control`'s. No file is touched here.

A file is a header (magic, boot, number of its first record) and records of length, nonce and AES-256-GCM text. The
associated data of a record is the chain so far, and the chain begins with the header: a record that was changed,
moved, repeated or taken out of the middle does not open, nor does any behind it. Only the end can be missing unseen
by this module; the number of records the control plane has heard of tells that (`journal`).
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"HWJ2"
_HEADER = struct.Struct("<4s16sQ")
_LENGTH = struct.Struct("<I")
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_BYTES = 32
# An outcome holds 64 KiB of head at most; a longer length can only be damage.
LARGEST_RECORD_BYTES = 4 * 1024 * 1024


class FileState(StrEnum):
    """How a file's reading ended. CUT is a death in the midst of one write: that record was never acted upon."""

    WHOLE = "whole"
    CUT = "cut"
    ALTERED = "altered"
    NOT_SEALED = "not_sealed"


class Sealer:
    """Makes a file's bytes in order. One per file: a record sealed here opens only behind all sealed before it."""

    def __init__(self, *, key: bytes, boot: UUID, first: int) -> None:
        self.header = _HEADER.pack(MAGIC, boot.bytes, first)
        self._cipher = AESGCM(key)
        self._chain = hashlib.sha256(self.header).digest()
        self.next_number = first

    def seal(self, payload: bytes) -> tuple[bytes, bytes]:
        """Return a record's bytes and the chain behind it; nothing is taken in before `written` is told so."""
        # Random and not counted: a number used again after a failed write would give two texts one nonce.
        nonce = os.urandom(NONCE_BYTES)
        text = self._cipher.encrypt(nonce, payload, self._chain)
        return _LENGTH.pack(len(text)) + nonce + text, _after(self._chain, text)

    def written(self, chain: bytes) -> None:
        """The record `seal` made is on the file."""
        self._chain = chain
        self.next_number += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file holds from its start: payloads that opened, their last number + 1, and how reading ended."""

    payloads: tuple[bytes, ...]
    next_number: int
    state: FileState


def read(data: bytes, *, key: bytes, boot: UUID) -> Reading:
    """Open as many records as are genuine and in their place. Nothing behind the first that is not is believed."""
    header = data[: _HEADER.size]
    if not header.startswith(MAGIC):
        return Reading(payloads=(), next_number=0, state=FileState.NOT_SEALED)
    # A file takes its place whole, so a cut header is nobody's death.
    if len(header) < _HEADER.size or header[4:20] != boot.bytes:
        return Reading(payloads=(), next_number=0, state=FileState.ALTERED)
    number = _HEADER.unpack(header)[2]
    cipher, chain, place = AESGCM(key), hashlib.sha256(header).digest(), _HEADER.size
    payloads: list[bytes] = []
    state = FileState.WHOLE
    while place < len(data):
        text, state = _next(data, place)
        if state is not FileState.WHOLE:
            break
        try:
            payloads.append(cipher.decrypt(text[:NONCE_BYTES], text[NONCE_BYTES:], chain))
        except InvalidTag:
            state = FileState.ALTERED
            break
        chain = _after(chain, text)
        place += _LENGTH.size + len(text)
    return Reading(payloads=tuple(payloads), next_number=number + len(payloads), state=state)


def _next(data: bytes, place: int) -> tuple[bytes, FileState]:
    """Return the nonce and text of the record at `place`."""
    start = place + _LENGTH.size
    if start > len(data):
        return b"", FileState.CUT
    length = _LENGTH.unpack_from(data, place)[0]
    if not TAG_BYTES < length <= LARGEST_RECORD_BYTES:
        return b"", FileState.ALTERED
    text = data[start : start + NONCE_BYTES + length]
    return text, FileState.WHOLE if len(text) == NONCE_BYTES + length else FileState.CUT


def _after(chain: bytes, text: bytes) -> bytes:
    # The tag stands for the whole record: nobody without the key makes another record of the same tag.
    return hashlib.sha256(chain + text[-TAG_BYTES:]).digest()
