"""What the organisation chose for the time its gateway cannot be reached, as last heard: `block` or `spool`.

Kept in a file of the enrolment, because it is needed exactly when nobody can be asked. Never heard means `block`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from enum import StrEnum

from gateway.client.errors import ClientError
from gateway.client.own_files import read_own, write_own
from gateway.client.state import Place

# A change of mind reaches a working developer within this time.
_FRESH_SECONDS = 10 * 60.0


class Choice(StrEnum):
    """What happens to an agent whose prompt cannot be recorded now."""

    BLOCK = "block"
    SPOOL = "spool"


def choice(place: Place) -> Choice:
    """The choice as last heard; raises Exposed where others could have written it."""
    try:
        return Choice(read_own(_path(place)).decode("ascii", "replace").strip())
    except (FileNotFoundError, ValueError):
        return Choice.BLOCK


def refresh(place: Place, device: Callable[[], str]) -> None:
    """Hear it from the gateway, by what it says of this `device`; what was heard before stays where it does not answer."""
    try:
        told = json.loads(device())
        write_own(_path(place), Choice(told["on_unreachable"]).encode() + b"\n")
    except (ClientError, ValueError, KeyError, TypeError):
        return


def refresh_if_old(place: Place, device: Callable[[], str]) -> None:
    """The same, where it was heard too long ago."""
    try:
        age = time.time() - os.lstat(_path(place)).st_mtime
    except FileNotFoundError:
        age = _FRESH_SECONDS
    if not 0 <= age < _FRESH_SECONDS:
        refresh(place, device)


def _path(place: Place) -> str:
    return f"{place.folder}/on_unreachable"
