"""What this machine knows of its enrolment: one profile per gateway, with the place of its key.

How files are kept from others is `own_files`'s; who signs with the key is `api`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from gateway.client import places
from gateway.client.errors import NotLoggedIn, StateBroken
from gateway.client.own_files import read_own, write_own


class KeyStorage(StrEnum):
    """Where the device's private key lies, as honestly as it can be told: what may be proven depends on it."""

    OS_KEYSTORE = "os_keystore"
    SEPARATE_ACCOUNT = "separate_account"
    # Every process of the same account can read it, an agent's shell included: at most level B.
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One enrolment. `broker_uid` and `broker_socket` are set where another account holds the key."""

    name: str
    gateway: str
    organisation: str
    device_id: str
    device_name: str
    key_storage: str
    ca_file: str = ""
    broker_uid: int = -1
    broker_socket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One profile's folder, whether there is an enrolment in it or not."""

    home: str
    profile: str

    @property
    def folder(self) -> str:
        return places.folder(self.home, self.profile)

    @property
    def profile_file(self) -> str:
        return f"{self.folder}/profile.json"

    @property
    def key_file(self) -> str:
        return f"{self.folder}/device.key"

    @property
    def socket(self) -> str:
        return places.socket_path(self.home, self.profile)


def place_of(environ: Mapping[str, str], given: str | None = None) -> Place:
    """The folder of the profile that is meant; raises Usage for a name of no use."""
    return Place(home=places.home(environ), profile=places.profile_name(environ, given))


def read_profile(place: Place) -> Profile:
    """The enrolment in this folder; raises NotLoggedIn, StateBroken or Exposed."""
    try:
        found = json.loads(read_own(place.profile_file))
        return _profile_of(found)
    except FileNotFoundError:
        named = "" if place.profile == places.DEFAULT_PROFILE else f" --profile {place.profile}"
        raise NotLoggedIn(
            f"This machine is not enrolled (profile {place.profile}): "
            f"run `hoopweb login{named} --gateway URL --organisation NAME`."
        ) from None
    except (ValueError, TypeError):
        raise StateBroken(
            f"{place.profile_file} is damaged: run `hoopweb logout --forget`, then `hoopweb login`, and revoke the old "
            "device on the gateway's page."
        ) from None


def _profile_of(found: Any) -> Profile:
    """Raises TypeError or ValueError for anything but the fields of a profile, each of its type."""
    known = {field.name: int if field.name == "broker_uid" else str for field in fields(Profile)}
    if not isinstance(found, dict) or not all(isinstance(found[name], known[name]) for name in found if name in known):
        raise ValueError("not a profile")
    KeyStorage(str(found.get("key_storage")))
    if not str(found.get("gateway", "")).startswith(("https://", "http://")):
        raise ValueError("no gateway")
    # What a newer version wrote beside is left alone.
    return Profile(**{name: value for name, value in found.items() if name in known})


def write_profile(place: Place, profile: Profile) -> None:
    """Keep the enrolment, whole or not at all."""
    write_own(place.profile_file, json.dumps(asdict(profile), indent=2).encode() + b"\n")


def forget(place: Place) -> None:
    """Remove key and enrolment; the key first, so that what is left over can sign nothing."""
    for path in (place.key_file, place.profile_file):
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
