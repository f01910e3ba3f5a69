"""RFC 6962 section 2.1: hashes of leaves and nodes, roots and inclusion proofs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def leaf_hash(body: bytes) -> bytes:
    """SHA-256 over 0x00 and the leaf: the prefix keeps a node from passing for a leaf."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 over 0x01 and the two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of these leaf hashes; the empty tree is SHA-256 of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return node_hash(root(leaves[:k]), root(leaves[k:]))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf `index`, from the leaf upwards; raises IndexError outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*inclusion_proof(leaves[:k], index), root(leaves[k:])]
    return [*inclusion_proof(leaves[k:], index - k), root(leaves[:k])]


def _root_from_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    if size == 1:
        return leaf if not path else None
    if not path:
        return None
    k, sibling = _split(size), path[-1]
    if index < k:
        below = _root_from_path(leaf, index, k, path[:-1])
        return node_hash(below, sibling) if below else None
    below = _root_from_path(leaf, index - k, size - k, path[:-1])
    return node_hash(sibling, below) if below else None


def is_included(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes) -> bool:
    """Say whether the path leads from the leaf to the root of a tree of `size` leaves."""
    if not 0 <= index < size:
        return False
    found = _root_from_path(leaf, index, size, list(path))
    return found is not None and hmac.compare_digest(found, expected_root)
