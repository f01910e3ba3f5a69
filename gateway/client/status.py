"""`hoopweb status`: who this machine is to the gateway, what it may use, and how its key is kept.

Whether every link from prompt to call holds is `doctor`'s.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from gateway.client import api
from gateway.client.errors import ClientError
from gateway.client.options import Options, place_named
from gateway.client.state import KeyStorage, Profile, read_profile

_KEPT = {
    KeyStorage.FILE: "in a file of your account: whatever runs as you could sign with it (level B at most)",
    KeyStorage.SEPARATE_ACCOUNT: "with a broker under another account, out of your processes' reach (level A can be reached)",
    KeyStorage.OS_KEYSTORE: "in the system's key store",
}


def status(arguments: list[str]) -> int:
    """Print enrolment and gateway; the exit status tells whether the gateway knows this device now."""
    options = Options("status", "Who you are, by which device, at which gateway.")
    options.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    given = options.parse_args(arguments)
    place = place_named(given.profile)
    profile = read_profile(place)
    found, problem = _asked(lambda: api.call(place, "GET", "/api/v1/device/"))
    if given.json:
        print(json.dumps({**_local(profile), "gateway_says": found, "problem": problem}, indent=2))
    else:
        print("\n".join(_lines(profile, found)))
    if problem:
        print(f"hoopweb: {problem}", file=sys.stderr)
    return 1 if problem else 0


def _asked(ask: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """What the gateway says of this device, or why it says nothing."""
    try:
        return ask(), ""
    except ClientError as error:
        return {}, str(error)


def _local(profile: Profile) -> dict[str, Any]:
    return {
        "profile": profile.name,
        "gateway": profile.gateway,
        "organisation": profile.organisation,
        "device": {"id": profile.device_id, "name": profile.device_name, "key_storage": profile.key_storage},
    }


def _lines(profile: Profile, found: dict[str, Any]) -> list[str]:
    lines = [
        f"profile       {profile.name}",
        f"gateway       {profile.gateway}",
        f"organisation  {profile.organisation}",
        f"device        {profile.device_name} ({profile.device_id})",
        f"device key    {_KEPT.get(KeyStorage(profile.key_storage), profile.key_storage)}",
    ]
    if found:
        names = [str(one.get("name")) for one in found.get("connections", [])]
        lines.append(f"person        {found.get('person', {}).get('username', '')}")
        lines.append(f"connections   {', '.join(names) or 'none'}")
    return lines
