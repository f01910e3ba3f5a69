"""Who keeps a new device's key: a file of this account, or the key broker under another one.

`login` enrols whatever public key it is given; how the other account keeps its half is `key_broker`'s.
"""

from __future__ import annotations

import base64
import os
import pwd
from dataclasses import dataclass
from typing import Protocol

from gateway.client import device_key, key_broker, link
from gateway.client.errors import StateBroken
from gateway.client.state import KeyStorage, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be enrolled, and where."""

    gateway: str
    organisation: str
    device_name: str
    ca_file: str


class Holder(Protocol):
    """A key that was made and is not enrolled yet."""

    storage: KeyStorage
    public_key: str
    uid: int
    socket: str
    told: str

    def keep(self, device_id: str) -> None:
        """The gateway knows it now by this name; raises ClientError."""


class OwnFile:
    """Whatever runs as the same person can read it."""

    storage, uid, socket = KeyStorage.FILE, -1, ""

    def __init__(self, place: Place) -> None:
        self._place, self._key = place, device_key.generate()
        self.public_key = base64.b64encode(self._key.public_bytes).decode()
        self.told = f"Its key lies in {place.key_file}, readable by your account."

    def keep(self, device_id: str) -> None:
        self._key.save(self._place)


class AnotherAccount:
    """The key broker made it, and it never leaves there."""

    storage = KeyStorage.SEPARATE_ACCOUNT

    def __init__(self, asked: Asked, path: str) -> None:
        self.socket = path
        fields = {"gateway": asked.gateway, "organisation": asked.organisation, "device_name": asked.device_name}
        connection, self.uid = key_broker.open_broker(path)
        with connection:
            self.public_key = link.ask_over(connection, {"op": "enrol", "ca_pem": _read(asked.ca_file), **fields})
        self.told = f"Its key lies with the key broker of account {self.uid}, which your account cannot read."

    def keep(self, device_id: str) -> None:
        connection, _ = key_broker.open_broker(self.socket)
        with connection:
            link.ask_over(connection, {"op": "enrolled", "public_key": self.public_key, "device_id": device_id})


def chosen(place: Place, asked: Asked, given: str) -> Holder:
    """The key broker named, the one an administrator set up for this person, or a file; raises ClientError."""
    path = given or key_broker.well_known(_own_name())
    return AnotherAccount(asked, os.path.abspath(path)) if given or os.path.lexists(path) else OwnFile(place)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _read(ca_file: str) -> str:
    if not ca_file:
        return ""
    try:
        with open(ca_file, encoding="ascii") as file:
            return file.read(256 * 1024)
    except (OSError, ValueError):
        raise StateBroken(f"{ca_file} cannot be read as PEM.") from None
