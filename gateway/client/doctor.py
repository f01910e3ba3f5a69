"""`hoopweb doctor`: every link from a prompt to its AWS call, what is wrong with it, and how to mend it.

Each room of checks has a module: `doctor_chain`, `doctor_hooks`, `doctor_bypass`, `doctor_aws_cli`, `doctor_reach`.
Changes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gateway.client import doctor_aws_cli, doctor_bypass, doctor_chain, doctor_hooks, doctor_reach, surroundings
from gateway.client.aws_profile import program
from gateway.client.doctor_findings import Finding, State, note
from gateway.client.options import Options, place_named
from gateway.client.state import Place

_MARKS = {State.GOOD: "ok  ", State.NOTE: "note", State.WEAK: "weak", State.BROKEN: "BAD "}
_ORDER = (State.BROKEN, State.WEAK, State.NOTE, State.GOOD)


def doctor(arguments: list[str]) -> int:
    """Print what was found; 1 where the chain does not hold or something passes the gateway by, 0 otherwise."""
    options = Options("doctor", "Check every link from a prompt to its AWS call; nothing is changed.")
    options.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options.add_argument("--offline", action="store_true", help="do not try what can be reached past the gateway")
    given = options.parse_args(arguments)
    place = place_named(given.profile)
    found = list(_findings(place, os.environ, datetime.now(UTC), tries_reach=not given.offline))
    is_whole = all(one.state is not State.BROKEN for one in found)
    print(_as_json(found, is_whole=is_whole) if given.json else _as_lines(found))
    return 0 if is_whole else 1


def _findings(place: Place, environ: Mapping[str, str], now: datetime, *, tries_reach: bool) -> Iterator[Finding]:
    profile, enrolment = doctor_chain.enrolment(place)
    yield from enrolment
    told: Mapping[str, Any] = {}
    if profile is not None:
        told, found = doctor_chain.device(place, now)
        yield from found
        yield from doctor_chain.waiting(place)
    endpoint = str(told.get("aws_url") or "") or doctor_bypass.endpoint_of_profiles(environ)
    yield from doctor_hooks.hooks(environ, program(), place.profile)
    yield from _bypasses(environ, endpoint, now)
    if tries_reach:
        yield from _reached(environ, told)
    yield from _here(environ)


def _bypasses(environ: Mapping[str, str], endpoint: str, now: datetime) -> Iterator[Finding]:
    yield from doctor_bypass.environment(environ, endpoint)
    yield from doctor_bypass.profiles(environ, endpoint)
    yield from doctor_bypass.lying_credentials(environ)
    yield from doctor_bypass.caches(environ, now)
    yield from doctor_bypass.trust(environ)
    yield from doctor_aws_cli.aws_cli(environ, endpoint)


def _reached(environ: Mapping[str, str], told: Mapping[str, Any]) -> Iterator[Finding]:
    regions = [str(region) for one in told.get("connections", ()) for region in one.get("regions", ())]
    yield from doctor_reach.aws(regions)
    yield from doctor_reach.metadata(environ)
    yield from doctor_reach.databases(environ, frozenset(_hosts(told)))


def _hosts(told: Mapping[str, Any]) -> Iterator[str]:
    for name in ("gateway_url", "aws_url"):
        host = urlsplit(str(told.get(name) or "")).hostname
        if host:
            yield host


def _here(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, agent in surroundings.named_conversations(environ).items():
        yield note("here", f"this shell belongs to {agent}'s conversation {name}")


def _as_lines(found: list[Finding]) -> str:
    """What is bad first; the rest in the order of the chain."""
    lines: list[str] = []
    for state in _ORDER:
        for one in (one for one in found if one.state is state):
            lines.append(f"{_MARKS[state]}  {one.told}")
            lines += [f"      -> {one.mend}"] if one.mend else []
    count = sum(one.state is State.BROKEN for one in found)
    return "\n".join([*lines, "", f"{count} to mend." if count else "The chain holds."])


def _as_json(found: list[Finding], *, is_whole: bool) -> str:
    listed = [{"check": one.check, "state": one.state, "told": one.told, "mend": one.mend} for one in found]
    return json.dumps({"is_whole": is_whole, "findings": listed}, indent=2)
