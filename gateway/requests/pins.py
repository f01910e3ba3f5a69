"""Pinning what a call names: reading what it is now, once, in a session that may do nothing but that read.

Which references move is `gateway.requests.mutable`. Call outside every transaction and lock: AWS may take seconds.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from gateway.connections.endpoints import upstream_of
from gateway.connections.session_policies import for_call
from gateway.connections.sessions import SessionAsk, one_call_session
from gateway.connections.sts import RoleSession
from gateway.problems import Problem
from gateway.requests.examine import Examined
from gateway.requests.mutable import Look, Moving, moving
from gateway.terms import AccessClass

log = logging.getLogger("hoopweb.pins")
# The agent waits meanwhile, and so do its batch's neighbours: what is not read by then is named as not pinned.
LONGEST_SECONDS = 5.0
# References of one call that are read; people could not judge more, and each costs two calls to AWS.
MOST_READ = 8
# Longer answers (a state machine's definition) are kept as their digest.
LONGEST_TOLD = 200
_TIMEOUTS = {"connect_timeout": 1, "read_timeout": 2, "retries": {"total_max_attempts": 1, "mode": "standard"}}
# botocore makes clients from shared tables it fills as it goes: one at a time.
_making = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One reference and what it was when people were asked."""

    name: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What an approval pins besides the call's own words, and the names of what it cannot."""

    pins: tuple[Pin, ...] = ()
    not_pinned: tuple[str, ...] = ()


def stored(pins: Iterable[Pin]) -> list[dict[str, str]]:
    """The pins as an approval keeps them."""
    return [{"name": pin.name, "now": pin.now} for pin in pins]


def restored(rows: Iterable[Mapping[str, str]]) -> tuple[Pin, ...]:
    """The pins an approval kept."""
    return tuple(Pin(name=row["name"], now=row["now"]) for row in rows)


def pin(examined: Examined, *, session: SessionAsk) -> Pinned:
    """Read what each moving reference of the call is now. What cannot be read is named, never guessed."""
    found = moving(examined.primary, region=examined.question.region, account=examined.key.connection.account_id)
    until = time.monotonic() + LONGEST_SECONDS
    pins: list[Pin] = []
    for one in found[:MOST_READ]:
        now = _now(one, examined, session) if time.monotonic() < until else None
        pins.extend([Pin(name=one.name, now=now)] if now else [])
    named = {one.name for one in pins}
    return Pinned(pins=tuple(pins), not_pinned=tuple(one.name for one in found if one.name not in named))


def changed(before: Iterable[Pin], after: Pinned) -> tuple[str, ...]:
    """Name each pin that does not hold: it became another, or could not be read again."""
    now = {one.name: one.now for one in after.pins}
    return tuple(
        f"{one.name} was {one.now}, and {f'is {now[one.name]}' if one.name in now else 'could not be read again'}"
        for one in before
        if now.get(one.name) != one.now
    )


def _now(one: Moving, examined: Examined, session: SessionAsk) -> str | None:
    if one.look is None:
        return None
    try:
        return _told(one.look, _read(one.look, examined, session))
    except (Problem, ClientError, BotoCoreError) as error:
        # The name is the client's and stays out of the log; the approver sees it.
        log.info("a reference of %s was not read: %s", examined.admission.id, type(error).__name__)
        return None


def _read(look: Look, examined: Examined, session: SessionAsk) -> Mapping[str, Any]:
    home = session.target
    policy = for_call(
        [look.action], look.resources, account=home.end_account, regions=home.regions, further=home.beside
    )
    ask = SessionAsk(target=session.target, person=session.person, access=AccessClass.READ)
    # Named by the call it serves: whoever holds CloudTrail against the ledger finds out why this read was made.
    agent = f"hoopweb-pin/{examined.admission.id}"
    client = _client(look.service, examined.question.region, one_call_session(ask, policy), agent)
    answer: Mapping[str, Any] = getattr(client, look.operation)(**look.parameters)
    return answer


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


def _client(service: str, region: str, session: RoleSession, agent: str) -> Any:
    style = {"s3": {"addressing_style": "path"}} if settings.UPSTREAM_AWS_URL else {}
    config = Config(ignore_configured_endpoint_urls=True, user_agent_extra=agent, **style, **_TIMEOUTS)
    # Asked for every service, S3 too: it refuses regions and services outside the partition.
    signing_region = upstream_of(service, region).signing_region
    with _making:
        return _session().client(
            service,
            region_name=signing_region if service != "s3" else region,
            endpoint_url=settings.UPSTREAM_AWS_URL or None,
            aws_access_key_id=session.access_key_id,
            aws_secret_access_key=session.secret_access_key,
            aws_session_token=session.session_token,
            config=config,
        )


def _told(look: Look, answer: Mapping[str, Any]) -> str | None:
    """The members that pin, those that are there; None where none is."""
    values = {path.rpartition(".")[2]: _at(answer, path) for path in look.told}
    return ", ".join(f"{name} {_text(value)}" for name, value in values.items() if value not in (None, "")) or None


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        match value:
            case Mapping():
                value = value.get(part)
            case list() if part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            case _:
                return None
    return value


def _text(value: Any) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text if len(text) <= LONGEST_TOLD else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
