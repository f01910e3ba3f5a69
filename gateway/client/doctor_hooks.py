"""Whether each agent on this machine runs our hooks, as we wrote them, and nothing switches them off.

What hooks should look like is `setup_agents`'s.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.client import setup_agents, setup_json
from gateway.client.doctor_findings import Finding, broken, good, note
from gateway.client.hook_payloads import Agent

_PROGRAMS = {Agent.CURSOR: "cursor", Agent.CLAUDE: "claude", Agent.CODEX: "codex", Agent.GEMINI: "gemini"}
_LARGEST = 4 * 1024 * 1024


def hooks(environ: Mapping[str, str], program: str, profile: str) -> Iterator[Finding]:
    """One finding an agent, and more where something is wrong."""
    for agent in Agent:
        path = setup_agents.settings_file(agent, environ, None)
        text = _text(path)
        if text is None and not _is_here(agent, path, environ):
            continue
        yield from _agent(agent, path, text or "", setup_agents.command_of(agent, program, profile))
        yield from _switched_off(agent, path, text or "")


def _is_here(agent: Agent, path: str, environ: Mapping[str, str]) -> bool:
    return os.path.isdir(os.path.dirname(path)) or shutil.which(_PROGRAMS[agent], path=environ.get("PATH")) is not None


def _agent(agent: Agent, path: str, text: str, command: str) -> Iterator[Finding]:
    check, mend = f"hooks.{agent}", f"hoopweb setup {agent}"
    try:
        missing = setup_agents.missing(text or "{}", agent, command)
        ours = _ours(text or "{}", agent)
    except setup_json.NotJson as error:
        yield broken(check, f"{path}, line {error.line}: {error}; {agent} may ignore the whole file", "mend the file")
        return
    wanted = len(setup_agents.wanted(agent, command))
    if not ours:
        yield broken(check, f"{agent} has no hooks of hoopweb in {path}: its prompts are not recorded", mend)
    elif missing:
        told = f"in {path} the hooks {', '.join(missing)} are missing or were changed"
        yield broken(check, told, mend)
    else:
        yield good(check, f"{agent} runs all {wanted} hooks")
    yield from _programs(check, ours, mend)


def _ours(text: str, agent: Agent) -> list[str]:
    """The commands of every entry that is ours, whatever it was changed to."""
    hooks = setup_json.find(text, ("hooks",))
    entries: list[Any] = []
    for part in hooks.parts if hooks is not None else ():
        entries += [inner.node.value for inner in part.node.parts if setup_agents.is_ours(agent, inner.node.value)]
    return sorted({entry.get("command") or entry["hooks"][0]["command"] for entry in entries})


def _programs(check: str, commands: list[str], mend: str) -> Iterator[Finding]:
    for command in commands:
        program = shlex.split(command)[0]
        if shutil.which(program) is None:
            yield broken(check, f"the hooks run {program}, which is not there or may not be run", mend)


def _switched_off(agent: Agent, path: str, text: str) -> Iterator[Finding]:
    told, mend = "", ""
    if agent is Agent.CLAUDE and _value(text, "disableAllHooks") is True:
        told, mend = f'"disableAllHooks" in {path} switches all hooks off', "take that line out"
    if agent is Agent.GEMINI and _value(text, "hooksConfig", "enabled") is False:
        told, mend = f'"hooksConfig" in {path} switches all hooks off', "set its `enabled` to true"
    if agent is Agent.CODEX and _codex_is_off(os.path.join(os.path.dirname(path), "config.toml")):
        told, mend = "`hooks = false` under [features] in Codex's config.toml switches all hooks off", "take it out"
    if told:
        yield broken(f"hooks.{agent}", told, mend)
    if agent is Agent.CODEX and not told:
        yield note("hooks.codex", "Codex runs hooks once you trust them", "run `/hooks` in Codex and trust hoopweb's")


def _value(text: str, *path: str) -> Any:
    try:
        node = setup_json.find(text, path) if text.strip() else None
    except setup_json.NotJson:
        return None
    return node.value if node is not None else None


def _codex_is_off(path: str) -> bool:
    import tomllib

    try:
        found = tomllib.loads(_text(path) or "")
    except tomllib.TOMLDecodeError:
        return False
    features = found.get("features")
    return isinstance(features, dict) and features.get("hooks") is False


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return None
