"""The edge's own key: made once, kept private, and used over exactly what is sent."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.edge.identity import Identity, StateInUse, lock
from gateway.wire.contract import edge_string_to_sign

NOW = 1_800_000_000.9


def enrolled(folder: Path) -> Identity:
    identity = Identity.open(folder)
    identity.enrolled(uuid4())
    return identity


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    first, second = Identity.open(tmp_path / "state"), Identity.open(tmp_path / "state")
    assert first.public_key == second.public_key
    assert len(first.public_key) == 32
    assert (tmp_path / "state" / "edge.key").stat().st_mode & 0o777 == 0o600


def test_the_key_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        enrolled(tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_key_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "edge.key").write_bytes(b"-----BEGIN PRIVATE KEY-----")
    with pytest.raises(ValueError, match="not an edge key"):
        Identity.open(tmp_path)
    assert (tmp_path / "edge.key").read_bytes() == b"-----BEGIN PRIVATE KEY-----"


def test_the_id_is_remembered(tmp_path: Path) -> None:
    identity = enrolled(tmp_path)
    assert Identity.open(tmp_path).edge_id == identity.edge_id


def test_an_edge_that_is_not_enrolled_signs_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not enrolled"):
        Identity.open(tmp_path).sign(method="POST", path="/x", body=b"", now=NOW)


@pytest.mark.parametrize("changed", ["method", "path", "date", "body"])
def test_a_signature_is_good_for_exactly_one_call(tmp_path: Path, changed: str) -> None:
    identity = enrolled(tmp_path)
    headers = dict(identity.sign(method="POST", path="/api/edge/v1/feed", body=b"body", now=NOW))
    assert headers["X-Hoopweb-Edge"] == str(identity.edge_id)
    assert headers["X-Hoopweb-Date"] == "1800000000"
    key = Ed25519PublicKey.from_public_bytes(identity.public_key)
    signature = base64.b64decode(headers["X-Hoopweb-Signature"], validate=True)
    said = {"method": "POST", "path": "/api/edge/v1/feed", "date": "1800000000", "body": "body"}

    def text() -> bytes:
        digest = hashlib.sha256(said["body"].encode()).hexdigest()
        return edge_string_to_sign(method=said["method"], path=said["path"], date=said["date"], body_sha256=digest)

    key.verify(signature, text())
    said[changed] += "x"
    with pytest.raises(InvalidSignature):
        key.verify(signature, text())


def test_a_state_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    descriptor = lock(tmp_path)
    with pytest.raises(StateInUse):
        lock(tmp_path)
    os.close(descriptor)
    os.close(lock(tmp_path))
