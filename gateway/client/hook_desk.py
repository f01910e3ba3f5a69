"""What one hook event leads to: a record at the gateway before the agent goes on, or the organisation's choice where that
cannot be.

Runs in the broker, where everything is loaded and warm, and in the hook itself where there is no broker to ask. What events
mean is `hook_payloads`'s, how answers look `hook_answers`'s.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from gateway.client import hook_answers, hook_open, hook_policy, hook_turns
from gateway.client.ancestry import facts
from gateway.client.errors import BrokerFailed, ClientError, GatewayUnreachable, Refused, Usage
from gateway.client.hook_answers import HookAnswer
from gateway.client.hook_payloads import Agent, HookEvent, Kind, Malformed, read
from gateway.client.hook_spool import Spool, is_passing
from gateway.client.processes import chain
from gateway.client.state import Place

PROMPTS, TOOL_USES, DEVICE = "/api/v1/prompts/", "/api/v1/tool-uses/", "/api/v1/device/"
# An agent gives a hook half a minute; what waits is sent over many events rather than in one.
_LATE_SECONDS = 2.0
# The gateway takes a prompt of 256 KiB; what is far longer need not travel to be refused.
LARGEST_RECORD = 4 * 1024 * 1024 - 8192
_NO_AGENT = "A prompt that does not come from the agent's own process is not kept for later."


class Call(Protocol):
    """Sends a request that the device signs, together with what stands above the hook; raises ClientError."""

    def __call__(self, method: str, path: str, body: str) -> str: ...


def answer(raw: bytes, agent: Agent | None, desk: Desk) -> HookAnswer:
    """What the agent hears; whatever failed is in its words, nothing is passed over in silence."""
    try:
        event = read(raw, agent)
    except Malformed as malformed:
        return hook_answers.unreadable(agent, f"{malformed} Nothing was recorded, so the agent was stopped.")
    if event.kind is Kind.OTHER:
        return hook_answers.passed(event)
    try:
        return desk.keep(event)
    except ClientError as error:
        return hook_answers.stopped(event, str(error))


class Desk:
    """Takes events of one hook process, `pid`, under one enrolment."""

    def __init__(self, place: Place, call: Call, pid: int) -> None:
        self._place, self._call, self._pid = place, call, pid
        self._spool = Spool(place)

    def keep(self, event: HookEvent) -> HookAnswer:
        """Record an event, or decide by the organisation's choice what follows where that cannot be."""
        if event.kind is Kind.CONVERSATION_BEGAN:
            hook_policy.refresh(self._place, self._device)
            return hook_answers.passed(event)
        answer = hook_answers.passed(event)
        for path, body in self._requests(event):
            answer = self._sent(event, path, body)
        if event.kind is Kind.PROMPT:
            hook_policy.refresh_if_old(self._place, self._device)
        return answer

    def _sent(self, event: HookEvent, path: str, body: Mapping[str, Any]) -> HookAnswer:
        try:
            self._send_waiting()
            self._post(path, body)
        except (GatewayUnreachable, BrokerFailed, Refused) as error:
            if isinstance(error, Refused) and not is_passing(error):
                raise
            return self._unreached(event, path, body, str(error))
        return hook_answers.passed(event)

    def _unreached(self, event: HookEvent, path: str, body: Mapping[str, Any], told: str) -> HookAnswer:
        if event.may_be_stopped and hook_policy.choice(self._place) is not hook_policy.Choice.SPOOL:
            return hook_answers.stopped(
                event,
                f"{told} Your organisation lets no agent work unrecorded, so this was stopped. Try again, or run "
                "`hoopweb doctor`.",
            )
        above = facts(chain(self._pid))
        if event.kind is Kind.PROMPT and not _is_of_an_agent(above):
            return hook_answers.stopped(event, f"{told} {_NO_AGENT}")
        self._spool.keep(path, {**body, "process": above})
        return hook_answers.passed(event, note=f"{told} Kept here; it is sent, marked late, when the gateway answers.")

    def _send_waiting(self) -> None:
        # What this process stands below is told to the gateway with each record: a person at a terminal sends none.
        if not self._spool.waiting() or not _is_of_an_agent(facts(chain(self._pid))):
            return
        ends_at = time.monotonic() + _LATE_SECONDS
        self._spool.send(lambda path, body: self._post(path, body), is_over=lambda: time.monotonic() > ends_at)

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        """Through the broker, which adds the processes above us and signs; raises ClientError."""
        text = json.dumps(body)
        if len(text) > LARGEST_RECORD:
            raise Usage("The prompt or command is too long to be recorded, so it was stopped.")
        self._call("POST", path, text)

    def _device(self) -> str:
        return self._call("GET", DEVICE, "")

    def _requests(self, event: HookEvent) -> list[tuple[str, dict[str, Any]]]:
        """Where an event is recorded, and what; nothing where there is nothing to keep."""
        common = {"agent": str(event.agent), "conversation": event.conversation}
        occurred = {"occurred_at": datetime.now(UTC).isoformat()}
        match event.kind:
            case Kind.PROMPT:
                turn = event.generation or hook_turns.begin(
                    self._place, event.agent, event.conversation, random=os.urandom(4)
                )
                return [(PROMPTS, {**common, "generation": turn, **event.fields, **occurred})]
            case Kind.TOOL_BEFORE | Kind.TOOL_AFTER:
                turn = event.generation or hook_turns.current(self._place, event.agent, event.conversation)
                body = {**common, "generation": turn or None, **event.fields}
                hook_open.note(self._place, body)
                return [(TOOL_USES, {**body, **occurred})]
            case Kind.GENERATION_ENDED | Kind.CONVERSATION_ENDED:
                turn = event.generation or hook_turns.current(self._place, event.agent, event.conversation)
                is_all = event.kind is Kind.CONVERSATION_ENDED
                left = hook_open.take(self._place, event.conversation, generation=None if is_all else turn)
                return [(TOOL_USES, {**body, "phase": "after", **occurred}) for body in left]
            case _:
                return []


def _is_of_an_agent(above: Mapping[str, Any]) -> bool:
    return above["agent_pid"] is not None and not above["is_inside_agent_shell"]
