"""Which hooks each agent gets, in which file and form, and how ours are told from everybody else's.

Pure but for names of files. How a file is shown, kept and written is `setup_files`'s.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from gateway.client import setup_json
from gateway.client.errors import ClientError
from gateway.client.hook_payloads import Agent

# Longer than the broker waits for the gateway, so that the agent hears the hook's own words.
_SECONDS = 30
_EVENTS: Mapping[Agent, tuple[str, ...]] = {
    Agent.CURSOR: (
        "sessionStart",
        "beforeSubmitPrompt",
        "preToolUse",
        "postToolUse",
        "postToolUseFailure",
        "subagentStart",
        "stop",
        "sessionEnd",
    ),
    Agent.CLAUDE: (
        "SessionStart",
        "UserPromptSubmit",
        "PreToolUse",
        "PostToolUse",
        "PostToolUseFailure",
        "Stop",
        "SessionEnd",
    ),
    Agent.CODEX: ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"),
    Agent.GEMINI: ("SessionStart", "BeforeAgent", "BeforeTool", "AfterTool", "AfterAgent", "SessionEnd"),
}
# Cursor goes on past a hook that fails, unless told otherwise; where it asks us, it must not.
_CLOSED = frozenset({"beforeSubmitPrompt", "preToolUse", "subagentStart"})


class SettingsUnreadable(ClientError):
    """A person's file is not what the agent itself could read; nothing was changed."""


def settings_file(agent: Agent, environ: Mapping[str, str], project: str | None) -> str:
    """The file of an agent's hooks: the person's own, or one project's."""
    home = environ.get("HOME") or os.path.expanduser("~")
    folder, name, variable = {
        Agent.CURSOR: (".cursor", "hooks.json", ""),
        Agent.CLAUDE: (".claude", "settings.json", "CLAUDE_CONFIG_DIR"),
        Agent.CODEX: (".codex", "hooks.json", "CODEX_HOME"),
        Agent.GEMINI: (".gemini", "settings.json", ""),
    }[agent]
    if project is not None:
        return os.path.join(os.path.abspath(project), folder, name)
    return os.path.join(environ.get(variable) or os.path.join(home, folder), name)


def command_of(agent: Agent, program: str, profile: str) -> str:
    """What the agent runs; `program` is quoted for a shell."""
    named = f" --profile {profile}" if profile != "default" else ""
    return f"{program} hook {agent}{named}"


def wanted(agent: Agent, command: str) -> dict[str, dict[str, Any]]:
    """Event -> our entry, in the agent's own form."""
    return {event: _entry(agent, event, command) for event in _EVENTS[agent]}


def _entry(agent: Agent, event: str, command: str) -> dict[str, Any]:
    if agent is Agent.CURSOR:
        # Cursor's entries are flat: nested ones invalidate the whole file.
        closed = {"failClosed": True} if event in _CLOSED else {}
        return {"command": command, "timeout": _SECONDS, **closed}
    # Gemini CLI counts in milliseconds.
    timeout = _SECONDS * 1000 if agent is Agent.GEMINI else _SECONDS
    return {"hooks": [{"type": "command", "command": command, "timeout": timeout}]}


def is_ours(agent: Agent, entry: Any) -> bool:
    """Whether an entry is wholly ours; a group that a person added hooks to is not."""
    if not isinstance(entry, dict):
        return False
    if agent is Agent.CURSOR:
        return _is_our_command(agent, entry.get("command"))
    inner = entry.get("hooks")
    return (
        isinstance(inner, list)
        and bool(inner)
        and all(isinstance(one, dict) and _is_our_command(agent, one.get("command")) for one in inner)
    )


def _is_our_command(agent: Agent, command: Any) -> bool:
    if not isinstance(command, str):
        return False
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    is_program = bool(words) and (os.path.basename(words[0]) == "hoopweb" or "gateway.client" in words)
    return is_program and any(pair == ("hook", agent) for pair in pairwise(words))


def merged(path: str, text: str, agent: Agent, command: str) -> str:
    """The file's text with our hooks in it and everything else as it was; raises SettingsUnreadable."""
    _check(path, text)
    text = text if text.strip() else "{}\n"
    if agent is Agent.CURSOR and setup_json.find(text, ("version",)) is None:
        text = setup_json.with_member(text, (), "version", 1)
    if setup_json.find(text, ("hooks",)) is None:
        text = setup_json.with_member(text, (), "hooks", {})
    for event, entry in wanted(agent, command).items():
        text = _with_entry(text, agent, event, entry)
    return _without_events(text, agent, kept=frozenset(_EVENTS[agent]))


def _with_entry(text: str, agent: Agent, event: str, entry: dict[str, Any]) -> str:
    path = ("hooks", event)
    if setup_json.find(text, path) is None:
        return setup_json.with_member(text, ("hooks",), event, [entry])
    ours = [index for index, one in setup_json.parts_of(text, path) if is_ours(agent, one)]
    if not ours:
        return setup_json.with_item(text, path, entry)
    for index in reversed(ours[1:]):
        text = setup_json.without_part(text, path, index)
    held = dict(setup_json.parts_of(text, path))[ours[0]]
    return text if held == entry else setup_json.with_item_replaced(text, path, ours[0], entry)


def removed(path: str, text: str, agent: Agent) -> str:
    """The file's text without our hooks; raises SettingsUnreadable."""
    _check(path, text)
    text = _without_events(text, agent, kept=frozenset()) if text.strip() else text
    if dict(setup_json.parts_of(text, ())) and setup_json.find(text, ("hooks",)) is not None:
        text = _without_empty(text, (), "hooks")
    return text


def _without_events(text: str, agent: Agent, *, kept: frozenset[str]) -> str:
    """Without our entries, except in the events that are kept."""
    hooks = setup_json.find(text, ("hooks",))
    for event in [part.name for part in hooks.parts if part.name not in kept] if hooks is not None else ():
        path = ("hooks", event)
        ours = [index for index, one in setup_json.parts_of(text, path) if is_ours(agent, one)]
        for index in reversed(ours):
            text = setup_json.without_part(text, path, index)
        text = _without_empty(text, ("hooks",), event) if ours else text
    return text


def _without_empty(text: str, path: tuple[str, ...], name: str) -> str:
    node, inner = setup_json.find(text, path), setup_json.find(text, (*path, name))
    if node is None or inner is None or inner.parts or text[inner.start + 1 : inner.end - 1].strip():
        return text
    return setup_json.without_part(text, path, [part.name for part in node.parts].index(name))


def _check(path: str, text: str) -> None:
    """Raises SettingsUnreadable, with the line, unless hooks can be put in and taken out."""
    if not text.strip():
        return
    try:
        hooks = setup_json.find(text, ("hooks",))
    except setup_json.NotJson as error:
        raise SettingsUnreadable(f"{path}, line {error.line}: {error}. Nothing was changed; mend it first.") from None
    if hooks is None:
        return
    odd = [hooks] if not isinstance(hooks.value, dict) else []
    odd += [part.node for part in hooks.parts if part.name and not isinstance(part.node.value, list)]
    if odd:
        line = setup_json.line_of(text, odd[0].start)
        raise SettingsUnreadable(f"{path}, line {line}: this is not the form of hooks. Nothing was changed.")


def missing(text: str, agent: Agent, command: str) -> list[str]:
    """The events whose hook is not there, or not as we write it; raises setup_json.NotJson."""
    held = {event: [one for _, one in setup_json.parts_of(text, ("hooks", event))] for event in wanted(agent, command)}
    return [event for event, entry in wanted(agent, command).items() if entry not in held[event]]
