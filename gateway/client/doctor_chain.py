"""The links from this machine to the gateway: enrolment, broker, device, clock, trust, what waits in the spool.

What could pass the gateway by is `doctor_bypass`'s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gateway.client import api, hook_policy, link
from gateway.client.doctor_findings import Finding, broken, good, note, weak
from gateway.client.errors import BrokerFailed, ClientError, GatewayUnreachable, Refused
from gateway.client.hook_waiting import Kept, kept_here
from gateway.client.state import KeyStorage, Place, Profile, read_profile

# SDKs and device signatures bear five minutes; half of that is on its way there.
_SKEW_WEAK_SECONDS, _SKEW_BROKEN_SECONDS = 60.0, 270.0


def enrolment(place: Place) -> tuple[Profile | None, list[Finding]]:
    """The enrolment, and what is to be said of it."""
    try:
        profile = read_profile(place)
    except ClientError as error:
        return None, [broken("enrolment", str(error), "hoopweb login --gateway URL --organisation NAME")]
    told = f"enrolled as {profile.device_name} at {profile.gateway}"
    return profile, [good("enrolment", told), _key(profile), *_authority(profile)]


def _key(profile: Profile) -> Finding:
    if profile.key_storage == KeyStorage.SEPARATE_ACCOUNT:
        return good("device_key", f"the device's key is kept apart from your account ({profile.key_storage}): level A")
    return note(
        "device_key",
        "the device's key lies where your account keeps it: whatever runs as you could sign with it, so calls are linked "
        "at level B at most",
        "have the key kept under an account of its own: hoopweb login --key-broker (docs/agents.md)",
    )


def _authority(profile: Profile) -> Iterator[Finding]:
    if profile.ca_file and not os.access(profile.ca_file, os.R_OK):
        yield broken(
            "gateway_ca",
            f"the gateway's authority {profile.ca_file} is gone",
            "put it back, or log in again with --ca-file",
        )


def device(place: Place, now: datetime) -> tuple[Mapping[str, Any], list[Finding]]:
    """What the gateway says of this device, and what is to be said of the way there."""
    try:
        told = api.call(place, "GET", "/api/v1/device/")
    except BrokerFailed as error:
        return {}, [broken("broker", str(error), "hoopweb broker --stop, then try again")]
    except GatewayUnreachable as error:
        return {}, [good("broker", "the local broker answers"), broken("gateway", str(error), _reach(str(error)))]
    except Refused as refused:
        return {}, [good("broker", "the local broker answers"), broken("device", str(refused), _refused(refused))]
    except ClientError as error:
        return {}, [broken("broker", str(error), "hoopweb broker --stop, then try again")]
    person = told.get("person") or {}
    found = [
        good("broker", "the local broker answers"),
        good("device", f"the gateway knows this device as {person.get('username', 'yours')}'s"),
    ]
    return told, [*found, *_clock(told, now), *_connections(told)]


def _reach(told: str) -> str:
    if "certificate" in told:
        return "log in again with --ca-file FILE, the gateway's authority as PEM"
    return "check network and VPN, then the gateway's address in `hoopweb status`"


def _refused(refused: Refused) -> str:
    if "clock" in refused.code or "clock" in str(refused).lower():
        return "set this machine's clock (for instance `timedatectl set-ntp true`)"
    return "hoopweb logout --forget, then hoopweb login"


def _clock(told: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
    try:
        skew = (now - datetime.fromisoformat(str(told["server_time"]))).total_seconds()
    except (KeyError, ValueError, TypeError):
        return
    words = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the gateway's"
    mend = "set this machine's clock (for instance `timedatectl set-ntp true`)"
    if abs(skew) >= _SKEW_BROKEN_SECONDS:
        yield broken("clock", words, mend)
    elif abs(skew) >= _SKEW_WEAK_SECONDS:
        yield weak("clock", words, mend)
    else:
        yield good("clock", "this machine's clock agrees with the gateway's")


def _connections(told: Mapping[str, Any]) -> Iterator[Finding]:
    names = ", ".join(sorted(str(one.get("name")) for one in told.get("connections", ())))
    if names:
        yield good("connections", f"you may use {names}")
    else:
        yield weak("connections", "you may use no connection", "ask whoever administers your organisation's gateway")


def waiting(place: Place) -> Iterator[Finding]:
    """What hooks keep until the gateway answers, and what happens while it does not."""
    try:
        kept = _kept(place)
    except ClientError as error:
        yield broken("spool", str(error), "hoopweb logout, then hoopweb login")
        return
    if kept.waiting:
        yield weak(
            "spool",
            f"{kept.waiting} records wait for the gateway; they go, marked late, with the agent's next event",
            "see to it that the gateway can be reached",
        )
    if kept.refusals:
        yield weak(
            "spool",
            f"the gateway would not take {kept.refusals} records",
            f"look into {kept.refused}, tell your security team, and remove what is settled",
        )
    words = "agents are stopped" if kept.choice == hook_policy.Choice.BLOCK else "records wait here and go marked late"
    yield good("on_unreachable", f"while the gateway is away {words}")


def _kept(place: Place) -> Kept:
    """As whoever takes the hooks' events has it; raises ClientError."""
    if read_profile(place).broker_uid < 0:
        return kept_here(place)
    try:
        return Kept(**json.loads(link.ask(place.home, place.profile, {"op": "waiting"})))
    except (ValueError, TypeError):
        raise BrokerFailed("The key broker is of another version than this command: update both.") from None
