"""What the broker answers: keys for the process that asks, and requests signed with the device's key.

Sockets and threads are `broker`'s; which prompt a process belongs to is `generations`'s.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.client import hook_desk, hooks, processes
from gateway.client.ancestry import facts, main_process
from gateway.client.api import Gateway, fields_of
from gateway.client.errors import ClientError, GatewayUnreachable
from gateway.client.generations import Found, Generations
from gateway.client.held_keys import HeldKeys, Issued
from gateway.client.hook_payloads import Agent
from gateway.client.state import Place

PROMPTS = "/api/v1/prompts/"
CREDENTIALS = "/api/v1/agent-credentials/"
_LONGEST_SECONDS = 180.0
# What the broker signs, and nothing else: a process of this account can ask it for anything.
SIGNED = frozenset(
    {("GET", "/api/v1/device/"), ("DELETE", "/api/v1/device/"), ("POST", PROMPTS), ("POST", "/api/v1/tool-uses/")}
)
# A process that only names a conversation never gets the key of one that hangs below its agent.
KeyName = tuple[str, str, str, bool]


class Answering:
    """Answers one question at a time or many at once; keeps keys and process trees in bounded memory."""

    def __init__(self, place: Place, gateway: Gateway, *, monotonic: Callable[[], float]) -> None:
        self._place, self._gateway, self._monotonic = place, gateway, monotonic
        self._held: HeldKeys[KeyName] = HeldKeys()
        self._generations = Generations(ticks_per_second=os.sysconf("SC_CLK_TCK"))
        self._lock = threading.Lock()

    def answer(self, fields: dict[str, str], pid: int) -> str:
        """The answer to the process `pid`; raises ClientError."""
        match fields.get("op"):
            case "credentials":
                named = [line.partition(":")[::2] for line in fields.get("named", "").split("\n") if line]
                return self._credentials(fields.get("connection", ""), dict(named), pid)
            case "hook":
                return self._hook(fields.get("event", ""), fields.get("agent", ""), pid)
            case "call":
                return self._call(fields.get("method", ""), fields.get("path", ""), fields.get("body", ""), pid)
            case _:
                raise ClientError("The local broker does not know this question.")

    # -- keys

    def _credentials(self, connection: str, agents: dict[str, str], pid: int) -> str:
        chain = processes.chain(pid)
        with self._lock:
            found = self._generations.find(list(agents.values()), chain)
        agent = next((name for name, its in agents.items() if its == found.conversation), "")
        if found.conversation and found.generation is None:
            # Whichever prompt the gateway finds open now may not be the one of the next call.
            return self._issue(connection, agent, found).plaintext
        name = (connection, found.conversation, found.generation or "", found.is_below_agent)
        return self._held.get(name, lambda: self._issue(connection, agent, found), now=self._monotonic)

    def _issue(self, connection: str, agent: str, found: Found) -> Issued:
        asked_at = self._monotonic()
        body = json.dumps(_asked(connection, agent, found)).encode()
        answer = self._gateway.send("POST", CREDENTIALS, body)
        told = fields_of(answer)
        try:
            seconds = _seconds_left(str(told["expires_at"]), answer.sent_at or datetime.now(UTC))
            return Issued(plaintext=_printed(told, seconds, datetime.now(UTC)), ends_at=asked_at + seconds)
        except (KeyError, ValueError):
            raise GatewayUnreachable("What answered is not a hoopweb gateway of this version.") from None

    # -- what agents' hooks bring

    def _hook(self, event: str, agent: str, pid: int) -> str:
        desk = hook_desk.Desk(self._place, lambda method, path, body: self._call(method, path, body, pid), pid)
        known = Agent(agent) if agent in hooks.AGENTS else None
        told = hook_desk.answer(event.encode("utf-8", "surrogateescape"), known, desk)
        return hooks.SEPARATOR.join((str(told.status), told.stdout, told.stderr))

    # -- what the device signs

    def _call(self, method: str, path: str, body: str, pid: int) -> str:
        if (method, path) not in SIGNED:
            raise ClientError("The local broker does not sign this.")
        if method != "POST":
            return json.dumps(self._gateway.call(method, path))
        fields = json.loads(body)
        chain = processes.chain(pid)
        fields["process"] = _standing(facts(chain), fields)
        at = time.clock_gettime(time.CLOCK_BOOTTIME) - _waited(fields, datetime.now(UTC))
        told = self._gateway.call(method, path, fields)
        if path == PROMPTS:
            agent = main_process(chain)
            with self._lock:
                self._generations.opened(
                    str(fields["conversation"]),
                    str(fields["generation"]),
                    at=at,
                    agent=agent,
                )
        return json.dumps(told)


def _waited(fields: dict[str, Any], now: datetime) -> float:
    """Seconds since a prompt that waited in the spool was sent off by its person; nothing for all others."""
    if not fields.get("is_late"):
        return 0.0
    try:
        return max(0.0, (now - datetime.fromisoformat(str(fields.get("occurred_at")))).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _standing(seen: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """What stands above a hook: as seen now, and for what waited in the spool also as its own hook saw it then."""
    then = fields.get("process")
    if not fields.get("is_late") or not isinstance(then, dict):
        return seen
    is_inside = seen["is_inside_agent_shell"] or then.get("is_inside_agent_shell") is not False
    return {**(then if seen["agent_pid"] is not None else seen), "is_inside_agent_shell": is_inside}


def _asked(connection: str, agent: str, found: Found) -> dict[str, Any]:
    return {
        "connection": connection,
        "agent": agent,
        "conversation": found.conversation,
        "generation": found.generation,
        "tool_use_id": None,
        "how": found.how,
        "process": {"is_below_agent": found.is_below_agent, "is_outlived": found.is_outlived},
    }


def _seconds_left(expires_at: str, gateways_now: datetime) -> float:
    """How long keys live from now on, by the gateway's own clock: this machine's may be minutes off."""
    return min(_LONGEST_SECONDS, (datetime.fromisoformat(expires_at) - gateways_now).total_seconds())


def _printed(told: dict[str, Any], seconds: float, now: datetime) -> str:
    """The JSON of `credential_process`, version 1, with an end that is right by this machine's clock."""
    ends = now + timedelta(seconds=seconds)
    shown = {
        "Version": 1,
        "AccessKeyId": told["access_key_id"],
        "SecretAccessKey": told["secret_access_key"],
        "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    token = {"SessionToken": told["session_token"]} if told.get("session_token") else {}
    return json.dumps({**shown, **token}) + "\n"
