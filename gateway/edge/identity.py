"""Who this edge is: its Ed25519 key, the id the control plane gave it, and the folder both live in.

Enrolling over the network is `control`'s; what a key may do is the control plane's to say.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.wire.contract import edge_string_to_sign


class StateInUse(Exception):
    """Another edge runs on the same state folder: two would write one journal."""


class Identity:
    """The key and, once enrolled, the id. The key never leaves the folder it was made in."""

    def __init__(self, *, folder: Path, key: Ed25519PrivateKey, edge_id: UUID | None) -> None:
        self._folder = folder
        self._key = key
        self.edge_id = edge_id

    @classmethod
    def open(cls, folder: Path) -> Identity:
        """Read the folder's key, or make one (0600). Raises ValueError when the key file is not one of ours."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "edge.key"
        if not path.exists():
            _write_private(path, Ed25519PrivateKey.generate().private_bytes_raw())
        raw = path.read_bytes()
        if len(raw) != 32:
            raise ValueError(f"{path} is not an edge key")
        id_path = folder / "edge.id"
        edge_id = UUID(id_path.read_text().strip()) if id_path.exists() else None
        return cls(folder=folder, key=Ed25519PrivateKey.from_private_bytes(raw), edge_id=edge_id)

    @property
    def public_key(self) -> bytes:
        """The raw 32 bytes."""
        return raw_public_key(self._key)

    def enrolled(self, edge_id: UUID) -> None:
        """Remember the id for every later start."""
        _write_private(self._folder / "edge.id", str(edge_id).encode())
        self.edge_id = edge_id

    def change_key(self, key: Ed25519PrivateKey) -> None:
        """Sign with another key from now on, and after every later start. The file changes in one step."""
        _write_private(self._folder / "edge.key", key.private_bytes_raw())
        self._key = key

    def sign(self, *, method: str, path: str, body: bytes, now: float) -> list[tuple[str, str]]:
        """Return the headers that prove a call to the control plane is this edge's; `now` is epoch seconds."""
        if self.edge_id is None:
            raise ValueError("the edge is not enrolled")
        date = str(int(now))
        text = edge_string_to_sign(method=method, path=path, date=date, body_sha256=hashlib.sha256(body).hexdigest())
        return [
            ("X-Hoopweb-Edge", str(self.edge_id)),
            ("X-Hoopweb-Date", date),
            ("X-Hoopweb-Signature", base64.b64encode(self._key.sign(text)).decode("ascii")),
        ]


def raw_public_key(key: Ed25519PrivateKey) -> bytes:
    """The raw 32 bytes of a key's public half."""
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def lock(folder: Path) -> int:
    """Claim the folder for this process until it ends, however it ends; raises StateInUse."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StateInUse(str(folder)) from error
    return descriptor


def _write_private(path: Path, data: bytes) -> None:
    """Write in one step, readable by nobody else from the first moment."""
    fresh = path.with_suffix(path.suffix + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
