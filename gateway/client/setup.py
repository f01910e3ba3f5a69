"""`hoopweb setup`: connects an agent's hooks, or the AWS SDKs, with this enrolment. Shows, asks, writes; `--undo`.

What is put into which file is `setup_agents`'s and `setup_aws`'s; how files are kept is `setup_files`'s.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.client import setup_agents, setup_aws, setup_files
from gateway.client.aws_profile import program
from gateway.client.errors import ClientError, Usage
from gateway.client.hook_payloads import Agent
from gateway.client.options import Options, place_named
from gateway.client.state import Place, read_profile

_NEXT = {
    "cursor": "Restart Cursor, or open its settings under Hooks, to see them.",
    "claude": "They work from the next session of Claude Code on; `/hooks` lists them.",
    "codex": "Codex asks you once to trust them: run `/hooks` in it.",
    "gemini": "They work from the next session of Gemini CLI on; `/hooks panel` lists them.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One file to change, and how to find what it is without us."""

    path: str
    change: Callable[[str, str], str]
    without_ours: Callable[[str, str], str]


def setup(arguments: list[str]) -> int:
    """Connect one thing, or take it back; 1 where the person said no or nobody could be asked."""
    given = _given(arguments)
    place = place_named(given.profile)
    plans, told = _aws_plans(place, given) if given.what == "aws" else _agent_plans(place, given)
    changes = [_change(place, plan, is_undo=given.undo) for plan in plans]
    if all(change.is_none for change in changes):
        print("There is nothing to take back." if given.undo else "Everything is set up already; nothing was changed.")
        return 0
    print("\n".join(setup_files.shown(change) for change in changes))
    if given.dry_run:
        print("Nothing was changed (--dry-run).")
        return 0
    if not given.yes and not _agreed():
        return 1
    for plan, change in zip(plans, changes, strict=True):
        _carry_out(place, plan, change, is_undo=given.undo)
    print("Taken back." if given.undo else told)
    return 0


def _given(arguments: list[str]) -> Any:
    options = Options("setup", "Connect an agent, or the AWS SDKs. Shows what changes first, and keeps a backup.")
    options.add_argument("what", choices=[*Agent, "aws"])
    options.add_argument("--undo", action="store_true", help="put back what was there before")
    options.add_argument("--yes", action="store_true", help="write without asking")
    options.add_argument("--dry-run", action="store_true", help="only show what would change")
    options.add_argument("--project", metavar="FOLDER", help="hooks of one project instead of your own")
    options.add_argument("--connection", help="aws: only this one (default: all you may use)")
    options.add_argument("--aws-profile", metavar="NAME", help="aws: the profile's name (default: hoopweb-CONNECTION)")
    given = options.parse_args(arguments)
    is_aws = given.what == "aws"
    if (given.project and is_aws) or ((given.connection or given.aws_profile) and not is_aws):
        raise Usage("--project is for agents, --connection and --aws-profile are for aws.")
    return given


def _agent_plans(place: Place, given: Any) -> tuple[list[Plan], str]:
    agent = Agent(given.what)
    if not given.undo:
        # Hooks of a machine that is not enrolled would stop every prompt.
        read_profile(place)
    path = setup_agents.settings_file(agent, os.environ, given.project)
    command = setup_agents.command_of(agent, program(), place.profile)
    plan = Plan(
        path=path,
        change=lambda file, text: setup_agents.merged(file, text, agent, command),
        without_ours=lambda file, text: setup_agents.removed(file, text, agent),
    )
    return [plan], f"Hooks are set up in {path}. {_NEXT[agent]}"


def _aws_plans(place: Place, given: Any) -> tuple[list[Plan], str]:
    wanted = {} if given.undo else _aws_profiles(place, given)

    def change(file: str, text: str) -> str:
        for name, settings in wanted.items():
            text = setup_aws.merged(file, text, name, settings)
        return text

    plan = Plan(path=setup_aws.config_file(os.environ), change=change, without_ours=setup_aws.removed)
    shown = ", ".join(wanted)
    return [plan], f"Profiles are set up: {shown}. Use one with AWS_PROFILE, then run `hoopweb doctor`."


def _aws_profiles(place: Place, given: Any) -> dict[str, dict[str, str]]:
    """AWS profile -> its settings, by what the gateway says this person may use."""
    from gateway.client import api, running

    device = api.call(place, "GET", "/api/v1/device/")
    usable = [str(one["name"]) for one in device.get("connections", ())]
    chosen = [given.connection] if given.connection else usable
    if not chosen:
        raise ClientError("You may use no connection yet: ask whoever administers your organisation's gateway.")
    if given.aws_profile and len(chosen) > 1:
        raise Usage("Say which connection the profile is for, with --connection.")
    found = [running.aws_profile_of(place, device, name) for name in chosen]
    return {given.aws_profile or _slug(one.connection): one.settings(program()) for one in found}


def _slug(connection: str) -> str:
    return f"hoopweb-{re.sub(r'[^A-Za-z0-9._-]+', '-', connection).strip('-') or 'aws'}"


def _change(place: Place, plan: Plan, *, is_undo: bool) -> setup_files.Change:
    if is_undo:
        return setup_files.undone(place.home, plan.path, plan.without_ours)
    return setup_files.planned(plan.path, plan.change)


def _carry_out(place: Place, plan: Plan, change: setup_files.Change, *, is_undo: bool) -> None:
    if is_undo:
        setup_files.take_back(place.home, change)
        return
    backup = setup_files.write(place.home, change, without_ours=plan.without_ours)
    if backup:
        print(f"What was there before is kept in {backup}.")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        print("hoopweb: nothing was changed: nobody can be asked here; give --yes.", file=sys.stderr)
        return False
    print("Write this? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    print("Nothing was changed.")
    return False
