"""How a device proves a request is its own: Ed25519 over method, target, time, a nonce and the body's hash. Pure.

Both sides read this page: the client signs, the control plane verifies. Which device, how old, and whether the nonce is
fresh is for the control plane to say.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

DEVICE_HEADER = "Hoopweb-Device"
SIGNATURE_HEADER = "Hoopweb-Signature"
# Beyond this a request is refused, and the refusal tells the gateway's time. Nonces are remembered for twice as long.
SKEW_SECONDS = 300
NONCE_BYTES = 16
_SIGNATURE_BYTES = 64
_CONTEXT = "hoopweb-device-v1"
# Thirteen digits last until the year 2286.
_LONGEST_TIME = 13
_LONGEST_HEADER = 200


class Unreadable(ValueError):
    """The header is not of the one form there is."""


class Signed:
    """A signature as it came: when it says it was made, its nonce, and the 64 bytes."""

    __slots__ = ("nonce", "signature", "unix_ms")

    def __init__(self, *, unix_ms: int, nonce: bytes, signature: bytes) -> None:
        self.unix_ms, self.nonce, self.signature = unix_ms, nonce, signature


def string_to_sign(*, method: str, target: str, unix_ms: int, nonce: bytes, body: bytes) -> bytes:
    """The bytes under the signature. `target` is the path with its query, as on the request line."""
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join((_CONTEXT, method, target, str(unix_ms), _b64(nonce), digest)).encode()


def sign(
    private: Ed25519PrivateKey, *, device_id: str, method: str, target: str, body: bytes, unix_ms: int, nonce: bytes
) -> dict[str, str]:
    """Return the two headers of a request; `nonce` is 16 random bytes, never used before."""
    text = string_to_sign(method=method, target=target, unix_ms=unix_ms, nonce=nonce, body=body)
    told = f"t={unix_ms},n={_b64(nonce)},s={_b64(private.sign(text))}"
    return {DEVICE_HEADER: device_id, SIGNATURE_HEADER: told}


def read(header: str) -> Signed:
    """Read `Hoopweb-Signature`; raises Unreadable for anything but `t=...,n=...,s=...` in that order and canonical."""
    parts = header.split(",") if len(header) <= _LONGEST_HEADER else []
    if [part[:2] for part in parts] != ["t=", "n=", "s="]:
        raise Unreadable("the signature reads t=...,n=...,s=...")
    time, nonce, signature = (part[2:] for part in parts)
    is_number = time.isascii() and time.isdigit() and len(time) <= _LONGEST_TIME and not time.startswith("0")
    if not is_number:
        raise Unreadable("the time is milliseconds since 1970")
    return Signed(unix_ms=int(time), nonce=_unb64(nonce, NONCE_BYTES), signature=_unb64(signature, _SIGNATURE_BYTES))


def is_genuine(signed: Signed, public_key: bytes, *, method: str, target: str, body: bytes) -> bool:
    """Whether the device with this key signed exactly this request."""
    text = string_to_sign(method=method, target=target, unix_ms=signed.unix_ms, nonce=signed.nonce, body=body)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signed.signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str, length: int) -> bytes:
    """Exactly one spelling for each value: a nonce written twice in two ways would be used twice."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Unreadable("a part is not base64url") from None
    if len(data) != length or _b64(data) != text:
        raise Unreadable("a part has the wrong length")
    return data
