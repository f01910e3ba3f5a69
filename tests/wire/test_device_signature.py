"""A device's signature covers the whole request, and there is one way to write it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.wire import device_signature as signatures
from gateway.wire.device_signature import Unreadable, is_genuine, read, sign

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
REQUEST = {"method": "POST", "target": "/api/v1/prompts/?a=1", "body": b'{"text":"list"}'}
WHEN = 1_795_000_000_000
NONCE = bytes(16)


def header(**other: object) -> str:
    given = {"device_id": "d", "unix_ms": WHEN, "nonce": NONCE, **REQUEST, **other}
    return sign(PRIVATE, **given)[signatures.SIGNATURE_HEADER]  # type: ignore[arg-type]


def test_the_text_under_the_signature_is_the_documented_one() -> None:
    text = signatures.string_to_sign(unix_ms=WHEN, nonce=NONCE, method="POST", target="/a?b", body=b"")
    assert text.decode().split("\n") == [
        "hoopweb-device-v1",
        "POST",
        "/a?b",
        "1795000000000",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]


def test_a_request_as_it_was_signed_is_genuine() -> None:
    signed = read(header())
    assert (signed.unix_ms, signed.nonce) == (WHEN, NONCE)
    assert is_genuine(signed, PUBLIC, **REQUEST)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "altered",
    [
        {"method": "DELETE"},
        {"target": "/api/v1/prompts/"},
        {"body": b'{"text":"drop"}'},
        {"body": b""},
    ],
)
def test_an_altered_request_is_not(altered: dict[str, object]) -> None:
    assert not is_genuine(read(header()), PUBLIC, **{**REQUEST, **altered})  # type: ignore[arg-type]


def test_another_time_nonce_or_key_is_not() -> None:
    time, nonce, signature = header().split(",")
    later = read(f"t={WHEN + 1},{nonce},{signature}")
    fresh = read(f"{time},n=AAAAAAAAAAAAAAAAAAAAAQ,{signature}")
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert not is_genuine(later, PUBLIC, **REQUEST)  # type: ignore[arg-type]
    assert not is_genuine(fresh, PUBLIC, **REQUEST)  # type: ignore[arg-type]
    assert not is_genuine(read(header()), other, **REQUEST)  # type: ignore[arg-type]
    assert not is_genuine(read(header()), b"short", **REQUEST)  # type: ignore[arg-type]


GOOD = header()
T, N, S = GOOD.split(",")


@pytest.mark.parametrize(
    "text",
    [
        "", "t=1", f"{N},{T},{S}", f"{GOOD},", f"{GOOD},{T}", f" {GOOD}", f"{T}, {N},{S}",
        f"t=,{N},{S}", f"t=0{WHEN},{N},{S}", f"t=-1,{N},{S}", f"t=1e9,{N},{S}", f"t=\u0661,{N},{S}", f"t={'9' * 14},{N},{S}",
        f"{T},n=,{S}", f"{T},{N}AA,{S}", f"{T},{N[:-1]},{S}", f"{T},{N}==,{S}", f"{T},n=AAAAAAAAAAAAAAAAAAAAAB,{S}",
        f"{T},n=AAAAAAAAAAAAAAAAAAAA+/,{S}", f"{T},{N},s=", f"{T},{N},{S}A", f"{T},{N},s={'é' * 86}", "x" * 100_000,
    ],
)  # fmt: skip
def test_anything_but_the_one_spelling_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)
