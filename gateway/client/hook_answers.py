"""What agents expect to hear from a hook: the JSON, the line on stderr and the exit status of each, for each event.

Pure. Going on is said without an opinion: the person's own rules for tools stay in force.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gateway.client.hook_payloads import Agent, HookEvent, Kind

# All four agents take 2 as "stop this"; anything else that is not 0 they may take for a broken hook, and go on.
STOP_STATUS = 2
_LONGEST_WORDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    """What the hook leaves behind: both streams and its exit status."""

    stdout: str = ""
    stderr: str = ""
    status: int = 0


def passed(event: HookEvent, *, note: str = "") -> HookAnswer:
    """Go on. `note` is for whoever reads the agent's log of hooks."""
    return HookAnswer(stdout=_json(_passing(event)), stderr=_line(note) if note else "")


def stopped(event: HookEvent, words: str) -> HookAnswer:
    """Do not go on, in words for the person at the agent. Of an event that is over only the words remain."""
    if not event.may_be_stopped:
        return passed(event, note=words)
    words = _told(words)
    if event.agent is Agent.CURSOR:
        # Cursor shows `user_message` only from a hook that ended well.
        return HookAnswer(stdout=_json(_stopping_cursor(event, words)), stderr=_line(words))
    return HookAnswer(stdout=_json(_stopping(event, words)), stderr=_line(words), status=STOP_STATUS)


def unreadable(agent: Agent | None, words: str) -> HookAnswer:
    """Nobody knows what the agent was about to do: it is stopped, and told why."""
    words = _told(words)
    cursor = {"continue": False, "permission": "deny", "user_message": words, "agent_message": words}
    return HookAnswer(stdout=_json(cursor) if agent is Agent.CURSOR else "", stderr=_line(words), status=STOP_STATUS)


def _passing(event: HookEvent) -> dict[str, Any]:
    if event.agent is not Agent.CURSOR or not event.may_be_stopped:
        return {}
    # Cursor merges the strictest of all hooks' answers, so `allow` takes nothing from another's `deny` or `ask`.
    return {"continue": True} if event.name == "beforeSubmitPrompt" else {"permission": "allow"}


def _stopping_cursor(event: HookEvent, words: str) -> dict[str, Any]:
    if event.name == "beforeSubmitPrompt":
        return {"continue": False, "user_message": words}
    return {"permission": "deny", "user_message": words, "agent_message": words}


def _stopping(event: HookEvent, words: str) -> dict[str, Any]:
    if event.agent is Agent.GEMINI:
        return {"decision": "deny", "reason": words}
    if event.kind is Kind.PROMPT:
        return {"decision": "block", "reason": words}
    told = {"hookEventName": event.name, "permissionDecision": "deny", "permissionDecisionReason": words}
    return {"hookSpecificOutput": told}


def _told(words: str) -> str:
    """On one line, bounded, nothing that a terminal would obey."""
    plain = "".join(character if character.isprintable() else " " for character in words)
    return plain[:_LONGEST_WORDS]


def _line(words: str) -> str:
    return f"hoopweb: {_told(words)}\n"


def _json(answer: dict[str, Any]) -> str:
    return json.dumps(answer) + "\n"
