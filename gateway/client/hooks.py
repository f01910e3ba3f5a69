"""`hoopweb hook`: what agents run at their hook events. Hands the event to the local broker and prints what it says.

Agents wait for this at every prompt and tool, so nothing slow is imported: what an event leads to is `hook_desk`'s, which
runs in the broker, and here only where there is none to ask.
"""

from __future__ import annotations

import os
import sys

from gateway.client import link, places
from gateway.client.errors import ClientError, Usage

AGENTS = frozenset({"cursor", "claude", "codex", "gemini"})
# The broker's answer is status, stdout and stderr; no text of either holds this.
SEPARATOR = "\x1f"
# What is longer (a tool's whole output) is read here and never travels.
_LARGEST_HANDED_ON = link.LARGEST_FRAME - 8192
_LARGEST_READ = 32 * 1024 * 1024 + 1
# The broker may send what waited, then wait for the gateway; agents give thirty.
_SECONDS = 25.0
_STOP_STATUS = 2
_HELP = """usage: hoopweb hook [cursor|claude|codex|gemini] [--profile NAME]

What agents run at their hook events: reads the event as JSON on stdin, records it at the gateway, and answers in the
agent's own form. `hoopweb setup AGENT` writes it into the agent's settings."""


def hook(arguments: list[str]) -> int:
    """Answer one event; returns the exit status the agent expects. Nothing that fails is passed over in silence."""
    if {"-h", "--help"} & set(arguments):
        print(_HELP)
        return 0
    agent, given = _options(arguments)
    home, profile = places.home(os.environ), places.profile_name(os.environ, given)
    try:
        raw = _stdin()
        status, stdout, stderr = _by_broker(raw, agent, home, profile) or _by_ourselves(raw, agent, home, profile)
    except Exception as error:  # noqa: BLE001  # a crash would let most agents go on unrecorded
        sys.stderr.write(f"hoopweb: The hook failed ({type(error).__name__}); run `hoopweb doctor`.\n")
        return _STOP_STATUS
    sys.stderr.write(stderr)
    sys.stdout.write(stdout)
    return status


def _options(arguments: list[str]) -> tuple[str, str | None]:
    agent, profile = "", None
    waiting = list(arguments)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if name in {"--profile", "--agent"} and (equals or waiting):
            value = value if equals else waiting.pop(0)
            agent, profile = (value, profile) if name == "--agent" else (agent, value)
        else:
            agent = name
        if agent and agent not in AGENTS:
            raise Usage("`hoopweb hook` takes one of cursor, claude, codex, gemini, and --profile NAME.")
    return agent, profile


def _stdin() -> bytes:
    """All of stdin, kept up to the largest event: an agent that is still writing must not meet a closed pipe."""
    if sys.stdin.isatty():
        return b""
    kept = sys.stdin.buffer.read(_LARGEST_READ)
    while len(kept) == _LARGEST_READ and sys.stdin.buffer.read(1024 * 1024):
        continue
    return kept


def _by_broker(raw: bytes, agent: str, home: str, profile: str) -> tuple[int, str, str] | None:
    """What the broker says; None where it cannot be asked, or not this."""
    if len(raw) > _LARGEST_HANDED_ON or b"\0" in raw:
        return None
    asked = {"op": "hook", "agent": agent, "event": raw.decode("utf-8", "surrogateescape")}
    try:
        status, stdout, stderr = link.ask(home, profile, asked, seconds=_SECONDS).split(SEPARATOR)
    except (ClientError, ValueError):
        # It is asked once more, record by record: then its words are known and what is to follow.
        return None
    return int(status), stdout, stderr


def _by_ourselves(raw: bytes, agent: str, home: str, profile: str) -> tuple[int, str, str]:
    from gateway.client import hook_desk
    from gateway.client.hook_payloads import Agent
    from gateway.client.state import Place

    def call(method: str, path: str, body: str) -> str:
        return link.ask(home, profile, {"op": "call", "method": method, "path": path, "body": body})

    desk = hook_desk.Desk(Place(home=home, profile=profile), call, os.getpid())
    answer = hook_desk.answer(raw, Agent(agent) if agent else None, desk)
    return answer.status, answer.stdout, answer.stderr
