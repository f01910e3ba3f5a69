"""`hoopweb setup AGENT`: the command itself, on real files with other people's settings in them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from gateway.client.app import main
from gateway.client.hook_payloads import KINDS, Agent, Kind
from tests.client.world import Machine

FILES = {
    Agent.CURSOR: ".cursor/hooks.json",
    Agent.CLAUDE: ".claude/settings.json",
    Agent.CODEX: ".codex/hooks.json",
    Agent.GEMINI: ".gemini/settings.json",
}
PROMPT_EVENTS = {
    Agent.CURSOR: "beforeSubmitPrompt",
    Agent.CLAUDE: "UserPromptSubmit",
    Agent.CODEX: "UserPromptSubmit",
    Agent.GEMINI: "BeforeAgent",
}
FOREIGN = {
    Agent.CURSOR: '{\n\t"version": 1,\n\t"hooks": {\n\t\t"stop": [{"command": "./say.sh"}], "preToolUse": []\n\t}\n}',
    Agent.CLAUDE: '{"env": {"ANTHROPIC_API_KEY": "sk-very-secret"},\r\n  "hooks": {"PreToolUse": [{"matcher": "Bash",'
    ' "hooks": [{"type": "command", "command": "lint"}]}]}}\r\n',
    Agent.CODEX: '{"hooks": {}}',
    Agent.GEMINI: '// mine\n{\n  "ui": {"theme": "Ayu"}, // nice\n}\n',
}


def put(laptop: Machine, agent: Agent, text: str, mode: int = 0o644) -> Path:
    path = laptop.home / FILES[agent]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


def setup(laptop: Machine, *arguments: str) -> str:
    """The command in this very process: starting one for each of so many files would cost the suite half a minute."""
    told = io.StringIO()
    with mock.patch.dict(os.environ, laptop.environment(), clear=True), contextlib.redirect_stdout(told):
        status = main(["setup", *arguments])
    assert status == 0, told.getvalue()
    return told.getvalue()


def commands(found: Any) -> list[str]:
    return [entry["command"] for entry in found if "command" in entry] + [
        inner["command"] for entry in found for inner in entry.get("hooks", [])
    ]


@pytest.mark.parametrize("agent", Agent)
def test_a_new_file_holds_every_hook_in_the_agents_own_form(laptop: Machine, agent: Agent) -> None:
    setup(laptop, agent, "--yes")
    path = laptop.home / FILES[agent]
    hooks = json.loads(path.read_text())["hooks"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {Kind.PROMPT, Kind.TOOL_BEFORE, Kind.TOOL_AFTER, Kind.GENERATION_ENDED} <= {
        KINDS[agent][event] for event in hooks
    }
    for entries in hooks.values():
        (command,) = commands(entries)
        assert command.endswith(f" hook {agent}")


def test_cursor_gets_flat_entries_that_fail_closed_where_it_asks(laptop: Machine) -> None:
    setup(laptop, "cursor", "--yes")
    written = json.loads((laptop.home / ".cursor/hooks.json").read_text())
    assert written["version"] == 1
    assert {event for event, (entry,) in written["hooks"].items() if entry.get("failClosed")} == {
        "beforeSubmitPrompt",
        "preToolUse",
        "subagentStart",
    }
    assert all("hooks" not in entry for (entry,) in written["hooks"].values())


@pytest.mark.parametrize("agent", Agent)
def test_what_setup_wrote_runs(laptop: Machine, agent: Agent) -> None:
    from tests.client import payloads

    setup(laptop, agent, "--yes")
    written = json.loads((laptop.home / FILES[agent]).read_text())["hooks"][PROMPT_EVENTS[agent]]
    payload = getattr(payloads, f"{agent.upper()}_PROMPT")
    ran = subprocess.run(
        ["sh", "-c", commands(written)[0]],
        cwd=Path(__file__).parent.parent.parent,
        env=laptop.environment(),
        input=json.dumps(payload),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ran.returncode == 0, ran.stderr
    assert laptop.gateway.of("/api/v1/prompts/")[0]["text"] == payloads.PROMPT


@pytest.mark.parametrize("agent", Agent)
def test_other_peoples_content_stays_and_undo_restores_it_byte_for_byte(laptop: Machine, agent: Agent) -> None:
    path = put(laptop, agent, FOREIGN[agent], mode=0o640)
    setup(laptop, agent, "--yes")
    merged = path.read_bytes().decode()
    for word in ("./say.sh", '"matcher": "Bash"', "// nice", "// mine", "sk-very-secret"):
        assert (word in merged) == (word in FOREIGN[agent])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    backup = path.with_name(f"{path.name}.before-hoopweb")
    assert backup.read_bytes().decode() == FOREIGN[agent]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640
    setup(laptop, agent, "--undo", "--yes")
    assert path.read_bytes().decode() == FOREIGN[agent]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not backup.exists()


@pytest.mark.parametrize("agent", Agent)
def test_undo_removes_a_file_and_folder_that_were_not_there(laptop: Machine, agent: Agent) -> None:
    setup(laptop, agent, "--yes")
    setup(laptop, agent, "--undo", "--yes")
    assert not (laptop.home / FILES[agent]).parent.exists()


@pytest.mark.parametrize("agent", Agent)
def test_a_second_time_changes_nothing(laptop: Machine, agent: Agent) -> None:
    path = put(laptop, agent, FOREIGN[agent])
    setup(laptop, agent, "--yes")
    once = path.read_bytes()
    assert "nothing was changed" in setup(laptop, agent)
    assert path.read_bytes() == once


@pytest.mark.parametrize("agent", Agent)
def test_undo_after_the_person_edited_the_file_takes_out_ours_alone(laptop: Machine, agent: Agent) -> None:
    path = put(laptop, agent, '{\n  "hooks": {},\n  "z": 1\n}\n')
    setup(laptop, agent, "--yes")
    path.write_text(path.read_text().replace('"z": 1', '"z": 2, "own": [true]'))
    setup(laptop, agent, "--undo", "--yes")
    left = json.loads(path.read_text())
    assert (left["z"], left["own"]) == (2, [True])
    assert "hoopweb" not in path.read_text()


def test_the_backup_stays_the_persons_own_over_later_setups(laptop: Machine) -> None:
    path = put(laptop, Agent.CURSOR, FOREIGN[Agent.CURSOR])
    setup(laptop, "cursor", "--yes")
    # As an earlier version of hoopweb, from another place, would have written it.
    path.write_text(path.read_text().replace("gateway.client hook", "gateway.client --old hook"))
    setup(laptop, "cursor", "--yes")
    text = path.read_text()
    assert "--old" not in text
    assert text.count("hook cursor") == 8
    assert "hoopweb" not in path.with_name("hooks.json.before-hoopweb").read_text()
    setup(laptop, "cursor", "--undo", "--yes")
    assert json.loads(path.read_text())["hooks"]["stop"] == [{"command": "./say.sh"}]


def test_a_dry_run_shows_and_writes_nothing(laptop: Machine) -> None:
    path = put(laptop, Agent.CLAUDE, FOREIGN[Agent.CLAUDE])
    told = setup(laptop, "claude", "--dry-run", "--profile", "default")
    assert "+" in told
    assert "UserPromptSubmit" in told
    assert path.read_bytes().decode() == FOREIGN[Agent.CLAUDE]
    assert sorted(found.name for found in path.parent.iterdir()) == ["settings.json"]


def test_secrets_near_a_change_are_covered_in_the_diff(laptop: Machine) -> None:
    put(laptop, Agent.CLAUDE, '{\n  "ANTHROPIC_API_KEY": "sk-very-secret"\n}\n')
    assert "sk-very-secret" not in setup(laptop, "claude", "--dry-run")


def test_nothing_is_written_where_nobody_said_yes(laptop: Machine) -> None:
    ran = laptop.run("setup", "cursor")
    assert ran.returncode == 1
    assert "--yes" in ran.stderr
    assert not (laptop.home / ".cursor").exists()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n  "hooks": {\n    "stop": [}\n  }\n}', 3),
        ('{\n  "hooks": []\n}', 2),
        ('{\n  "hooks": {\n    "stop": {"command": "x"}\n  }\n}', 3),
        ('{"version": 1,\n "version": 1}', 2),
        ("hooks:\n  - x\n", 1),
    ],
)
def test_a_malformed_file_is_refused_with_its_line_and_left_alone(laptop: Machine, text: str, line: int) -> None:
    path = put(laptop, Agent.CURSOR, text)
    ran = laptop.run("setup", "cursor", "--yes")
    assert ran.returncode == 1
    assert f"hooks.json, line {line}: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert path.read_text() == text


def test_a_file_that_is_no_text_is_refused(laptop: Machine) -> None:
    path = put(laptop, Agent.CURSOR, "{}")
    path.write_bytes(b'{"a":\n"\xff"}')
    assert "line 2" in laptop.run("setup", "cursor", "--yes").stderr


def test_a_linked_file_stays_a_link(laptop: Machine) -> None:
    own = laptop.home / "dotfiles.json"
    own.write_text("{}")
    (laptop.home / ".claude").mkdir()
    link = laptop.home / FILES[Agent.CLAUDE]
    link.symlink_to(own)
    setup(laptop, "claude", "--yes")
    assert link.is_symlink()
    assert "hook claude" in own.read_text()


def test_a_project_has_hooks_of_its_own(laptop: Machine, tmp_path: Path) -> None:
    setup(laptop, "cursor", "--yes", "--project", str(tmp_path / "repo"))
    assert (tmp_path / "repo/.cursor/hooks.json").exists()
    assert not (laptop.home / ".cursor").exists()


def test_claude_codes_own_folder_is_used_where_it_is_elsewhere(laptop: Machine, tmp_path: Path) -> None:
    ran = laptop.run("setup", "claude", "--yes", CLAUDE_CONFIG_DIR=str(tmp_path / "elsewhere"))
    assert ran.returncode == 0
    assert (tmp_path / "elsewhere/settings.json").exists()


def test_a_machine_that_is_not_enrolled_gets_no_hooks(machine: Machine) -> None:
    ran = machine.run("setup", "cursor", "--yes")
    assert ran.returncode == 1
    assert "hoopweb login" in ran.stderr
    assert not (machine.home / ".cursor").exists()


def test_a_folder_that_cannot_be_written_is_told(laptop: Machine) -> None:
    (laptop.home / ".cursor").write_text("a file where a folder should be")
    ran = laptop.run("setup", "cursor", "--yes")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("arguments", [("vim",), (), ("cursor", "--connection", "x"), ("aws", "--project", "x")])
def test_what_setup_does_not_know_it_says(laptop: Machine, arguments: tuple[str, ...]) -> None:
    ran = laptop.run("setup", *arguments)
    assert ran.returncode == 2
    assert ran.stderr.startswith("hoopweb: ")
    assert os.linesep not in ran.stderr.strip()
