"""What agents tell their hooks, read strictly into one form: a prompt, a tool use, the end of a turn, or nothing to keep.

Pure: bytes in, a record out. Sending it is `hooks`'s, answering the agent `hook_answers`'s.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn

# A tool's whole output may be in a payload; what is longer is no hook's input.
LARGEST_PAYLOAD = 32 * 1024 * 1024
_LONGEST_NAME = 200
_LONGEST_PATH = 4096
_MOST_ATTACHMENTS = 200
# What a tool that is no shell was given is kept for people to read; files' whole contents are not.
_LONGEST_INPUT = 32 * 1024
_NO_WORDS = "(no words)"


class Agent(StrEnum):
    """The agents whose hooks are known; the value is the word of the command line and of the records."""

    CURSOR = "cursor"
    CLAUDE = "claude"
    CODEX = "codex"
    GEMINI = "gemini"


class Kind(StrEnum):
    """What an event is to us."""

    PROMPT = "prompt"
    TOOL_BEFORE = "before"
    TOOL_AFTER = "after"
    GENERATION_ENDED = "generation_ended"
    CONVERSATION_ENDED = "conversation_ended"
    CONVERSATION_BEGAN = "conversation_began"
    OTHER = "other"


class Malformed(Exception):
    """What came on stdin is no hook event; the text says which part and never repeats the payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookEvent:
    """One event. `name` is the agent's own word for it; `generation` is empty where the agent names none.

    `fields` are what the record holds besides agent, conversation and generation.
    """

    agent: Agent
    name: str
    kind: Kind
    conversation: str = ""
    generation: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def may_be_stopped(self) -> bool:
        """Whether the agent waits for our word before it goes on."""
        return self.kind in {Kind.PROMPT, Kind.TOOL_BEFORE}


_CURSOR = {
    "beforeSubmitPrompt": Kind.PROMPT,
    "subagentStart": Kind.PROMPT,
    "preToolUse": Kind.TOOL_BEFORE,
    "beforeShellExecution": Kind.TOOL_BEFORE,
    "beforeMCPExecution": Kind.TOOL_BEFORE,
    "postToolUse": Kind.TOOL_AFTER,
    "postToolUseFailure": Kind.TOOL_AFTER,
    "afterShellExecution": Kind.TOOL_AFTER,
    "afterMCPExecution": Kind.TOOL_AFTER,
    "stop": Kind.GENERATION_ENDED,
    "subagentStop": Kind.OTHER,
    "sessionStart": Kind.CONVERSATION_BEGAN,
    "sessionEnd": Kind.CONVERSATION_ENDED,
}
_CLAUDE = {
    "UserPromptSubmit": Kind.PROMPT,
    "PreToolUse": Kind.TOOL_BEFORE,
    "PostToolUse": Kind.TOOL_AFTER,
    "PostToolUseFailure": Kind.TOOL_AFTER,
    "Stop": Kind.GENERATION_ENDED,
    "StopFailure": Kind.GENERATION_ENDED,
    "SessionStart": Kind.CONVERSATION_BEGAN,
    "SessionEnd": Kind.CONVERSATION_ENDED,
}
_GEMINI = {
    "BeforeAgent": Kind.PROMPT,
    "BeforeTool": Kind.TOOL_BEFORE,
    "AfterTool": Kind.TOOL_AFTER,
    "AfterAgent": Kind.GENERATION_ENDED,
    "SessionStart": Kind.CONVERSATION_BEGAN,
    "SessionEnd": Kind.CONVERSATION_ENDED,
}
# Codex speaks Claude Code's words; its turns have ids of their own.
KINDS: Mapping[Agent, Mapping[str, Kind]] = {
    Agent.CURSOR: _CURSOR,
    Agent.CLAUDE: _CLAUDE,
    Agent.CODEX: _CLAUDE,
    Agent.GEMINI: _GEMINI,
}


def read(raw: bytes, agent: Agent | None) -> HookEvent:
    """Read one payload; `agent` None lets the payload tell. Raises Malformed.

    An event that is not known gives Kind.OTHER: agents grow new ones, and each must pass.
    """
    payload = _object(raw)
    name = _text(payload, "hook_event_name")
    known = agent or _agent_of(payload, name)
    kind = KINDS[known].get(name, Kind.OTHER)
    if kind is Kind.OTHER:
        return HookEvent(agent=known, name=name, kind=kind)
    if name == "subagentStart":
        return _subagent(payload, name)
    return HookEvent(
        agent=known,
        name=name,
        kind=kind,
        conversation=_text(payload, "conversation_id" if known is Agent.CURSOR else "session_id"),
        generation=_generation(payload, known),
        fields=_fields(payload, known, name, kind),
    )


def _object(raw: bytes) -> dict[str, Any]:
    if len(raw) > LARGEST_PAYLOAD:
        raise Malformed(f"The event on stdin is longer than {LARGEST_PAYLOAD // 1024 // 1024} MiB.")
    if not raw.strip():
        raise Malformed("Nothing came on stdin: agents give their hook events there, as JSON.")
    try:
        found = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise Malformed("The event on stdin is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"The event on stdin is not JSON (line {error.lineno}, column {error.colno}).") from None
    except (RecursionError, ValueError):
        raise Malformed("The event on stdin is not JSON that can be read.") from None
    if not isinstance(found, dict):
        raise Malformed("The event on stdin is not a JSON object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _agent_of(payload: Mapping[str, Any], name: str) -> Agent:
    """Whose payload this is, by what only one of them sends."""
    if "cursor_version" in payload or "conversation_id" in payload or name in _CURSOR:
        return Agent.CURSOR
    if name in {"BeforeAgent", "AfterAgent", "BeforeTool", "AfterTool", "BeforeModel", "AfterModel"}:
        return Agent.GEMINI
    return Agent.CODEX if "turn_id" in payload else Agent.CLAUDE


def _generation(payload: Mapping[str, Any], agent: Agent) -> str:
    named = {Agent.CURSOR: "generation_id", Agent.CLAUDE: "prompt_id", Agent.CODEX: "turn_id"}.get(agent)
    return _optional_text(payload, named) if named else ""


def _fields(payload: Mapping[str, Any], agent: Agent, name: str, kind: Kind) -> dict[str, Any]:
    if kind is Kind.PROMPT:
        return _prompt(payload, agent)
    if kind in {Kind.TOOL_BEFORE, Kind.TOOL_AFTER}:
        return _tool_use(payload, agent, name, kind)
    return {}


def _prompt(payload: Mapping[str, Any], agent: Agent) -> dict[str, Any]:
    prompt = payload.get("prompt")
    if not isinstance(prompt, str):
        raise Malformed("The event has no `prompt`, or it is no text.")
    return {
        # A picture alone has no words; the gateway keeps none without.
        "text": prompt or _NO_WORDS,
        "agent_version": _optional_text(payload, "cursor_version") if agent is Agent.CURSOR else "",
        "attachments": _attachments(payload),
        "source": _source(payload, agent),
        "workspace": _workspace(payload),
        **_parent(payload),
    }


def _source(payload: Mapping[str, Any], agent: Agent) -> str:
    """Claude Code tells what began a turn; whatever is not the person at the keyboard is a machine."""
    told = payload.get("source", "user") if agent is Agent.CLAUDE else "user"
    return "person" if told == "user" else "machine"


def _attachments(payload: Mapping[str, Any]) -> list[str]:
    listed = payload.get("attachments", [])
    if not isinstance(listed, list):
        raise Malformed("The event's `attachments` are no list.")
    names = [one.get("file_path", one.get("filePath")) for one in listed if isinstance(one, dict)]
    return [name[:_LONGEST_PATH] for name in names if isinstance(name, str) and name][:_MOST_ATTACHMENTS]


def _workspace(payload: Mapping[str, Any]) -> str:
    roots = payload.get("workspace_roots")
    first = roots[0] if isinstance(roots, list) and roots else payload.get("cwd", "")
    return first[:_LONGEST_PATH] if isinstance(first, str) else ""


def _parent(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A sub-agent of Claude Code and Codex shares its parent's conversation; only `agent_id` tells it."""
    own = _optional_text(payload, "agent_id")
    return {"subagent": own} if own else {}


def _subagent(payload: Mapping[str, Any], name: str) -> HookEvent:
    """A sub-agent of Cursor is a conversation of its own; its task is the prompt, and a machine's."""
    task = payload.get("task", "")
    if not isinstance(task, str):
        raise Malformed("The event's `task` is no text.")
    return HookEvent(
        agent=Agent.CURSOR,
        name=name,
        kind=Kind.PROMPT,
        conversation=_text(payload, "subagent_id"),
        generation=_generation(payload, Agent.CURSOR) or _text(payload, "subagent_id"),
        fields={
            "text": task or _NO_WORDS,
            "agent_version": _optional_text(payload, "cursor_version"),
            "attachments": [],
            "source": "machine",
            "workspace": _workspace(payload),
            "parent": {
                "conversation": _optional_text(payload, "parent_conversation_id") or _text(payload, "conversation_id"),
                "tool_use_id": _optional_text(payload, "tool_call_id") or None,
            },
        },
    )


def _tool_use(payload: Mapping[str, Any], agent: Agent, name: str, kind: Kind) -> dict[str, Any]:
    tool, given = _tool(payload, name)
    own = _optional_text(payload, "tool_use_id")
    return {
        "phase": str(kind),
        "tool": tool,
        "command": _command(given),
        "cwd": _cwd(payload, given),
        "tool_use_id": own or _made_id(agent, _generation(payload, agent), tool, _command(given)),
        **_parent(payload),
    }


def _tool(payload: Mapping[str, Any], name: str) -> tuple[str, Any]:
    """The tool's name, and what it was given."""
    if name in {"beforeShellExecution", "afterShellExecution"}:
        return "Shell", {"command": payload.get("command")}
    given = payload.get("tool_input", {})
    if name in {"beforeMCPExecution", "afterMCPExecution"}:
        return f"MCP:{_text(payload, 'tool_name')}"[:_LONGEST_NAME], given
    return _text(payload, "tool_name"), given


def _command(given: Any) -> str:
    """A shell's command exactly as it will run; of other tools their input, cut where it holds whole files."""
    command = given.get("command") if isinstance(given, dict) else None
    if isinstance(command, str):
        return command
    if isinstance(command, list) and all(isinstance(part, str) for part in command):
        return shlex.join(command)
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= _LONGEST_INPUT else f"{text[:_LONGEST_INPUT]} [cut: {len(text)} characters]"


def _cwd(payload: Mapping[str, Any], given: Any) -> str:
    inner = next((given.get(name) for name in ("cwd", "workdir") if given.get(name)), "") if type(given) is dict else ""
    found = next((one for one in (inner, payload.get("cwd")) if isinstance(one, str) and one), "")
    return found[:_LONGEST_PATH] or _workspace(payload)


def _made_id(agent: Agent, generation: str, tool: str, command: str) -> str:
    """For events without an id: the same before and after, so that one closes the other."""
    told = "\0".join((agent, generation, tool, command)).encode("utf-8", "surrogatepass")
    return f"made-{hashlib.sha256(told).hexdigest()[:32]}"


def _text(payload: Mapping[str, Any], name: str) -> str:
    found = _optional_text(payload, name)
    if not found:
        raise Malformed(f"The event has no `{name}`.")
    return found


def _optional_text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        raise Malformed(f"The event's `{name}` is no name of up to {_LONGEST_NAME} characters.")
    return value
