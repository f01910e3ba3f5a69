"""The device's private key: made at login, kept where the profile says, used to sign and never shown.

The form of a signature is `gateway.wire.device_signature`'s. On Linux a key lies in a file of its owner's, or with a
broker under another account; a file is called what it is.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.client.errors import NotLoggedIn, StateBroken
from gateway.client.own_files import read_own, write_own
from gateway.client.state import Place, Profile
from gateway.wire import device_signature

_HEAD = b"hoopweb-device-key-v1:"


class DeviceKey:
    """An Ed25519 key that signs; its bytes leave only into its own file."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @property
    def public_bytes(self) -> bytes:
        return self._private.public_key().public_bytes_raw()

    def headers(
        self, device_id: str, method: str, path: str, body: bytes, *, unix_ms: int, nonce: bytes
    ) -> dict[str, str]:
        """The headers that prove a request is this device's."""
        return device_signature.sign(
            self._private, device_id=device_id, method=method, target=path, body=body, unix_ms=unix_ms, nonce=nonce
        )

    def save(self, place: Place) -> None:
        """Keep it for its owner alone."""
        write_own(place.key_file, _HEAD + base64.b64encode(self._private.private_bytes_raw()) + b"\n")


def generate() -> DeviceKey:
    return DeviceKey(Ed25519PrivateKey.generate())


def load(place: Place, profile: Profile) -> DeviceKey:
    """The key of an enrolment; raises NotLoggedIn, StateBroken or Exposed."""
    try:
        content = read_own(place.key_file)
    except FileNotFoundError:
        raise NotLoggedIn(
            f"The key of device {profile.device_name} is gone: run `hoopweb logout`, then `hoopweb login` again."
        ) from None
    head, _, text = content.partition(b":")
    try:
        if head + b":" != _HEAD:
            raise ValueError("no key of ours")
        return DeviceKey(Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.strip(), validate=True)))
    except ValueError:
        raise StateBroken(
            f"{place.key_file} is damaged: run `hoopweb logout --forget`, then `hoopweb login`."
        ) from None
