"""AES-256-GCM envelopes: version byte, key version, nonce, ciphertext and tag.

Pure: keys and associated data are arguments; where keys come from is `gateway.sealing.services`.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.problems import Problem

_FORMAT = 1
_HEADER = struct.Struct(">BI")
NONCE_BYTES = 12
KEY_BYTES = 32


class SealBroken(Problem):
    code = "sealing.broken"
    title = "A sealed value does not open with this key, tenant and column"
    remedy = "Check that HOOPWEB_KEY_FILE is the file this installation was set up with."


def associated(tenant: str, column: str) -> bytes:
    """Bind a ciphertext to its place, so that it cannot be moved to another tenant or column."""
    return f"hoopweb:{tenant}:{column}".encode()


@lru_cache(maxsize=1024)
def _cipher(key: bytes) -> AESGCM:
    # Setting a cipher up costs as much as sealing a short text with it.
    return AESGCM(key)


def close(key: bytes, plaintext: bytes, *, key_version: int, nonce: bytes, associated_data: bytes) -> bytes:
    """Seal `plaintext`. The nonce must be fresh for each call under one key."""
    header = _HEADER.pack(_FORMAT, key_version)
    return header + nonce + _cipher(key).encrypt(nonce, plaintext, header + associated_data)


def key_version(sealed: bytes) -> int:
    """Return the version of the key that opens `sealed`; raises SealBroken when it is no envelope."""
    if len(sealed) < _HEADER.size + NONCE_BYTES + 16 or sealed[0] != _FORMAT:
        raise SealBroken
    return int(_HEADER.unpack_from(sealed)[1])


def open_(key: bytes, sealed: bytes, *, associated_data: bytes) -> bytes:
    """Return the plaintext; raises SealBroken if anything about it was changed."""
    key_version(sealed)
    header, nonce = sealed[: _HEADER.size], sealed[_HEADER.size : _HEADER.size + NONCE_BYTES]
    try:
        return _cipher(key).decrypt(nonce, sealed[_HEADER.size + NONCE_BYTES :], header + associated_data)
    except InvalidTag:
        raise SealBroken from None
