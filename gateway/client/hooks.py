"""`hoopweb hook`: what agents run at their hook events. The record is durable at the gateway before the agent goes on.

Reads stdin, sends through the local broker (which sees and signs who really asks), answers in the agent's own form. What
events mean is `hook_payloads`'s, how answers look `hook_answers`'s.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.client import hook_answers, hook_open, hook_policy, hook_turns, link
from gateway.client.ancestry import facts
from gateway.client.errors import BrokerFailed, ClientError, GatewayUnreachable, Refused, Usage
from gateway.client.hook_answers import HookAnswer
from gateway.client.hook_payloads import LARGEST_PAYLOAD, Agent, HookEvent, Kind, Malformed, read
from gateway.client.hook_spool import Spool, is_passing
from gateway.client.processes import chain
from gateway.client.state import Place, place_of

PROMPTS, TOOL_USES = "/api/v1/prompts/", "/api/v1/tool-uses/"
# An agent gives a hook half a minute; what waits is sent over many events rather than in one.
_LATE_SECONDS = 2.0
_NO_AGENT = "A prompt that does not come from the agent's own process is not kept for later."
_HELP = """usage: hoopweb hook [cursor|claude|codex|gemini] [--profile NAME]

What agents run at their hook events: reads the event as JSON on stdin, records it at the gateway, and answers in the
agent's own form. `hoopweb setup AGENT` writes it into the agent's settings."""


def hook(arguments: list[str]) -> int:
    """Answer one event; returns the exit status the agent expects. Nothing that fails is passed over in silence."""
    if {"-h", "--help"} & set(arguments):
        print(_HELP)
        return 0
    agent, profile = _options(arguments)
    try:
        answer = _answer(_stdin(), agent, profile)
    except Malformed as malformed:
        answer = hook_answers.unreadable(agent, f"{malformed} Nothing was recorded, so the agent was stopped.")
    except Exception as error:  # noqa: BLE001  # a crash would let most agents go on unrecorded
        answer = hook_answers.unreadable(agent, f"The hook failed ({type(error).__name__}); run `hoopweb doctor`.")
    sys.stderr.write(answer.stderr)
    sys.stdout.write(answer.stdout)
    return answer.status


def _options(arguments: list[str]) -> tuple[Agent | None, str | None]:
    agent: Agent | None = None
    profile: str | None = None
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        if name in {"--profile", "--agent"} and (equals or waiting):
            value = value if equals else waiting.pop(0)
            agent, profile = (_agent(value), profile) if name == "--agent" else (agent, value)
        else:
            agent = _agent(word)
    return agent, profile


def _agent(word: str) -> Agent:
    if word not in set(Agent):
        raise Usage("`hoopweb hook` takes one of cursor, claude, codex, gemini, and --profile NAME.")
    return Agent(word)


def _stdin() -> bytes:
    """All of stdin, kept up to the largest event: an agent that is still writing must not meet a closed pipe."""
    if sys.stdin.isatty():
        raise Malformed("Hook events come from agents, on stdin.")
    kept = sys.stdin.buffer.read(LARGEST_PAYLOAD + 1)
    while len(kept) > LARGEST_PAYLOAD and sys.stdin.buffer.read(1024 * 1024):
        continue
    return kept


def _answer(raw: bytes, agent: Agent | None, profile: str | None) -> HookAnswer:
    event = read(raw, agent)
    if event.kind is Kind.OTHER:
        return hook_answers.passed(event)
    try:
        place = place_of(os.environ, profile)
        return _kept(place, event)
    except ClientError as error:
        return hook_answers.stopped(event, str(error))


def _kept(place: Place, event: HookEvent) -> HookAnswer:
    """Record an event, or decide by the organisation's choice what follows where that cannot be."""
    if event.kind is Kind.CONVERSATION_BEGAN:
        hook_policy.refresh(place)
        return hook_answers.passed(event)
    answer = hook_answers.passed(event)
    for path, body in _requests(place, event):
        answer = _sent(place, event, path, body)
    if event.kind is Kind.PROMPT:
        hook_policy.refresh_if_old(place)
    return answer


def _sent(place: Place, event: HookEvent, path: str, body: Mapping[str, Any]) -> HookAnswer:
    spool = Spool(place)
    try:
        _send_waiting(place, spool)
        _post(place, path, body)
    except (GatewayUnreachable, BrokerFailed, Refused) as error:
        if isinstance(error, Refused) and not is_passing(error):
            raise
        return _unreached(place, event, spool, path, body, str(error))
    return hook_answers.passed(event)


def _unreached(
    place: Place, event: HookEvent, spool: Spool, path: str, body: Mapping[str, Any], told: str
) -> HookAnswer:
    if event.may_be_stopped and hook_policy.choice(place) is not hook_policy.Choice.SPOOL:
        return hook_answers.stopped(
            event,
            f"{told} Your organisation lets no agent work unrecorded, so this was stopped. Try again, or run "
            "`hoopweb doctor`.",
        )
    above = facts(chain(os.getpid()))
    if event.kind is Kind.PROMPT and not _is_of_an_agent(above):
        return hook_answers.stopped(event, f"{told} {_NO_AGENT}")
    spool.keep(path, {**body, "process": above})
    return hook_answers.passed(event, note=f"{told} Kept here; it is sent, marked late, when the gateway answers.")


def _send_waiting(place: Place, spool: Spool) -> None:
    # What this process stands below is told to the gateway with each record: a person at a terminal sends none.
    if not spool.waiting() or not _is_of_an_agent(facts(chain(os.getpid()))):
        return
    ends_at = time.monotonic() + _LATE_SECONDS
    spool.send(lambda path, body: _post(place, path, body), is_over=lambda: time.monotonic() > ends_at)


def _is_of_an_agent(above: Mapping[str, Any]) -> bool:
    return above["agent_pid"] is not None and not above["is_inside_agent_shell"]


def _post(place: Place, path: str, body: Mapping[str, Any]) -> None:
    """Through the broker, which adds the processes above us and signs; raises ClientError."""
    text = json.dumps(body)
    if len(text) > link.LARGEST_FRAME - 4096:
        raise Usage("The prompt or command is too long to be recorded, so it was stopped.")
    link.ask(place.home, place.profile, {"op": "call", "method": "POST", "path": path, "body": text})


def _requests(place: Place, event: HookEvent) -> list[tuple[str, dict[str, Any]]]:
    """Where an event is recorded, and what; nothing where there is nothing to keep."""
    common = {"agent": str(event.agent), "conversation": event.conversation}
    occurred = {"occurred_at": datetime.now(UTC).isoformat()}
    match event.kind:
        case Kind.PROMPT:
            turn = event.generation or hook_turns.begin(place, event.agent, event.conversation, random=os.urandom(4))
            return [(PROMPTS, {**common, "generation": turn, **event.fields, **occurred})]
        case Kind.TOOL_BEFORE | Kind.TOOL_AFTER:
            turn = event.generation or hook_turns.current(place, event.agent, event.conversation)
            body = {**common, "generation": turn or None, **event.fields}
            hook_open.note(place, body)
            return [(TOOL_USES, {**body, **occurred})]
        case Kind.GENERATION_ENDED | Kind.CONVERSATION_ENDED:
            turn = event.generation or hook_turns.current(place, event.agent, event.conversation)
            is_all = event.kind is Kind.CONVERSATION_ENDED
            left = hook_open.take(place, event.conversation, generation=None if is_all else turn)
            return [(TOOL_USES, {**body, "phase": "after", **occurred}) for body in left]
        case _:
            return []
