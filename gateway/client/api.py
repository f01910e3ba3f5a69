"""The gateway's REST API as this device speaks it: each request signed with the device's own key.

Bytes on the wire are `transport`'s, the form of the signature is `gateway.wire.device_signature`'s.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from gateway.client import device_key, link
from gateway.client.errors import Refused
from gateway.client.state import Place, Profile, read_profile
from gateway.client.transport import Answer, Transport

# A prompt waits for its record to be durable; agents give their hooks far longer.
USUAL_SECONDS = 10.0


class Gateway:
    """One gateway, as one enrolled device. Safe to use from several threads at once."""

    def __init__(self, profile: Profile, key: device_key.DeviceKey) -> None:
        self.profile = profile
        self._key = key
        self._transport = Transport(profile.gateway, ca_file=profile.ca_file)

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, seconds: float = USUAL_SECONDS
    ) -> dict[str, Any]:
        """Return the answer's fields; raises Refused with the gateway's own words, or GatewayUnreachable."""
        return fields_of(self.send(method, path, json.dumps(body).encode() if body is not None else b"", seconds))

    def send(self, method: str, path: str, body: bytes, seconds: float = USUAL_SECONDS) -> Answer:
        """Sign and send bytes that are JSON already; raises GatewayUnreachable."""
        signed = self._key.headers(
            self.profile.device_id, method, path, body, unix_ms=time.time_ns() // 1_000_000, nonce=os.urandom(16)
        )
        headers = {"Content-Type": "application/json", "Accept": "application/json", **signed}
        # A signature is good once: a request that may have arrived is not sent again.
        return self._transport.send(
            method, path, headers=headers, body=body, seconds=seconds, is_repeatable=method == "GET"
        )


def open_gateway(place: Place) -> Gateway:
    """The gateway of a profile, ready to sign for its device; raises NotLoggedIn, StateBroken or Exposed."""
    profile = read_profile(place)
    return Gateway(profile, device_key.load(place, profile))


def fields_of(answer: Answer) -> dict[str, Any]:
    """The fields of a good answer; raises Refused for a problem."""
    if answer.status == 204:
        return {}
    found = answer.fields()
    if answer.status < 400:
        return found
    raise Refused(_told(found), http_status=answer.status, code=str(found.get("code", "")))


def _told(problem: Mapping[str, Any]) -> str:
    """The problem's own sentences on one line, whatever is in them."""
    errors = problem.get("errors")
    faults = [f"{name}: {its[0] if isinstance(its, list) and its else its}" for name, its in _members(errors)]
    told = [problem.get("title"), problem.get("detail"), *faults, problem.get("remedy")]
    parts = [str(part).strip().rstrip(".") for part in told if part]
    text = " ".join(f"{part}." for part in dict.fromkeys(parts)) or "The gateway refused."
    return "".join(character if character.isprintable() else " " for character in text)[:600]


def _members(errors: Any) -> list[tuple[str, Any]]:
    return list(errors.items())[:3] if isinstance(errors, dict) else []


def call(place: Place, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same through the local broker, which signs; it adds to prompts and tool uses who really asks (`process`)."""
    asked = {"op": "call", "method": method, "path": path, "body": json.dumps(body) if body is not None else ""}
    return dict(json.loads(link.ask(place.home, place.profile, asked)))
