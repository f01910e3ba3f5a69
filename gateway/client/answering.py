"""What the broker answers: keys for the process that asks, and requests signed with the device's key.

Sockets and threads are `broker`'s; which prompt a process belongs to is `generations`'s.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.client import hook_desk, hooks, processes
from gateway.client.ancestry import facts, main_process
from gateway.client.api import Gateway, fields_of
from gateway.client.errors import ClientError, GatewayUnreachable
from gateway.client.generations import Found, Generations
from gateway.client.held_keys import HeldKeys, Issued
from gateway.client.hook_payloads import Agent
from gateway.client.lineage import Lineage, Standing
from gateway.client.processes import Process
from gateway.client.state import Place

PROMPTS = "/api/v1/prompts/"
CREDENTIALS = "/api/v1/agent-credentials/"
_LONGEST_SECONDS = 180.0
_HOOK_SECONDS = 2.0
_MOST_WAITS = 512
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
        ticks = os.sysconf("SC_CLK_TCK")
        self._generations = Generations(ticks_per_second=ticks)
        self._lineage = Lineage(ticks_per_second=ticks, look=processes.whereabouts, is_alive=processes.is_alive)
        # Conversations named before any hook told of them -> until when they are waited for.
        self._waits: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()
        self._has_opened = threading.Condition(self._lock)

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
        found = self._found(list(agents.values()), processes.chain(pid))
        agent = next((name for name, its in agents.items() if its == found.conversation), "")
        if found.conversation and found.generation is None:
            # Whichever prompt the gateway finds open now may not be the one of the next call.
            return self._issue(connection, agent, found).plaintext
        name = (connection, found.conversation, found.generation or "", found.is_below_agent)
        return self._held.get(name, lambda: self._issue(connection, agent, found), now=self._monotonic)

    def _found(self, named: Sequence[str], chain: Sequence[Process]) -> Found:
        """Where the process belongs. A conversation that is new here is waited for: its hook may be on the way.

        A sub-agent's first command can come before the event that tells of the sub-agent.
        """
        with self._has_opened:
            found = self._generations.find(named, chain)
            if not found.conversation or self._generations.knows(found.conversation):
                return found
            seconds = self._seconds_to_wait(found.conversation)
            if self._has_opened.wait_for(lambda: self._generations.knows(found.conversation), timeout=seconds):
                return self._generations.find(named, chain)
            return found

    def _seconds_to_wait(self, conversation: str) -> float:
        """What is left of the wait that began when the conversation was first named; it is waited for once."""
        ends_at = self._waits.setdefault(conversation, self._monotonic() + _HOOK_SECONDS)
        self._waits.move_to_end(conversation)
        while len(self._waits) > _MOST_WAITS:
            self._waits.popitem(last=False)
        return max(0.0, ends_at - self._monotonic())

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
        fields["process"] = _seen(facts(chain), fields)
        if path != PROMPTS:
            return json.dumps(self._gateway.call(method, path, fields))
        main = _poster(chain, fields)
        standing = self._standing(fields, main, chain)
        fields["process"] = _with_standing(fields["process"], standing)
        at = time.clock_gettime(time.CLOCK_BOOTTIME)
        told = self._gateway.call(method, path, fields)
        with self._has_opened:
            if main is not None and not standing.is_doubtful:
                # Those in doubt are not remembered: enough of them would make the broker forget who was first.
                self._lineage.seen(main, at=at)
            self._generations.opened(
                str(fields["conversation"]),
                str(fields["generation"]),
                at=at - _waited(fields, datetime.now(UTC)),
                agent=main,
                is_doubtful=standing.is_doubtful,
            )
            self._has_opened.notify_all()
        return json.dumps(told)

    def _standing(self, fields: dict[str, Any], main: Process | None, chain: Sequence[Process]) -> Standing:
        """Of what waited in the spool, its agent is looked at now; where that has ended, nothing can be said for it."""
        if main is None:
            return Standing(is_doubtful=bool(fields.get("is_late")))
        above = chain[chain.index(main) + 1 :] if main in chain else processes.chain(main.pid)[1:]
        with self._lock:
            rivals = self._generations.agents_of(str(fields["conversation"]))
            return self._lineage.standing(main, above, rivals)


def _poster(chain: Sequence[Process], fields: dict[str, Any]) -> Process | None:
    """The main process whose prompt this is: for what waited in the spool, the one of its own hook, if it still runs."""
    then = fields["process"]
    main = main_process(chain)
    if not fields.get("is_late") or main is None or main.identity == (then["agent_pid"], then["agent_started"]):
        return main
    found = processes.process(then["agent_pid"]) if isinstance(then["agent_pid"], int) else None
    return found if found is not None and found.started_ticks == then["agent_started"] else None


def _with_standing(seen: dict[str, Any], standing: Standing) -> dict[str, Any]:
    return {
        **seen,
        "is_inside_agent_shell": seen["is_inside_agent_shell"] or standing.is_inside_agent,
        "is_doubtful": standing.is_doubtful,
        "is_second_agent": standing.is_second_agent,
    }


def _waited(fields: dict[str, Any], now: datetime) -> float:
    """Seconds since a prompt that waited in the spool was sent off by its person; nothing for all others."""
    if not fields.get("is_late"):
        return 0.0
    try:
        return max(0.0, (now - datetime.fromisoformat(str(fields.get("occurred_at")))).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _seen(seen: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """What stands above a hook: as seen now, and for what waited in the spool also as its own hook saw it then."""
    then = fields.get("process")
    if not fields.get("is_late") or not isinstance(then, dict):
        return seen
    is_inside = seen["is_inside_agent_shell"] or then.get("is_inside_agent_shell") is not False
    kept = {name: then.get(name, seen[name]) for name in seen} if seen["agent_pid"] is not None else seen
    return {**kept, "is_inside_agent_shell": is_inside}


def _asked(connection: str, agent: str, found: Found) -> dict[str, Any]:
    return {
        "connection": connection,
        "agent": agent,
        "conversation": found.conversation,
        "generation": found.generation,
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
