"""What the make targets, the README and the requirement files promise is there."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.house.test_structure import CHECKOUT, tracked

TARGETS = ("help", "run", "demo", "test", "test-all", "check", "bench", "quality", "figures", "clean", "lock")
LOCKS = ("requirements.txt", "requirements-demo.txt", "requirements-dev.txt", "requirements-names.txt")
# Looked at one by one: what they are and why they may be used.
REVIEWED_LICENCES = {
    "psycopg": "LGPL-3.0-only: used as an unchanged library, replaceable by its user",
    "psycopg-binary": "LGPL-3.0-only: the same library, compiled",
    "psycopg-pool": "LGPL-3.0-only: the same library",
    "mozilla-django-oidc": "MPL-2.0: used unchanged; our subclass is a file of our own",
    "certifi": "MPL-2.0: a list of authorities, used unchanged",
}
COPYLEFT = re.compile(
    r"\bA?L?GPL|GNU (Affero |Lesser )?General Public|\bMPL|Mozilla Public|\bSSPL|Business Source", re.I
)
MACHINE_PATH = re.compile(r"/root/|/home/[a-z]+/|/tmp/[a-z]+-?\d*/")


def _help() -> str:
    return subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("target", TARGETS)
def test_help_lists_the_target(target: str) -> None:
    assert re.search(rf"make {target}\s{{2,}}\S", _help())


@pytest.mark.parametrize("target", TARGETS)
def test_what_help_lists_can_be_made(target: str) -> None:
    planned = subprocess.run(["make", "--dry-run", target], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr


def test_every_module_a_target_runs_is_there() -> None:
    modules = re.findall(r"-m ([a-z_.]+)", (CHECKOUT / "Makefile").read_text())
    assert modules
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_ci_runs_the_check_and_nothing_else() -> None:
    script = CHECKOUT / ".ci" / "run"
    assert script.read_text() == "#!/bin/sh\nexec make check\n"
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("name", ["bootstrap.sh", ".ci/run"])
def test_scripts_are_executable_in_a_clone(name: str) -> None:
    listed = subprocess.run(["git", "ls-files", "-s", name], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert listed.stdout.startswith("100755")
    assert (CHECKOUT / name).stat().st_mode & stat.S_IXUSR


def _readme_commands() -> list[str]:
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def test_the_readme_shows_only_targets_that_exist() -> None:
    shown = {found for line in _readme_commands() for found in re.findall(r"\bmake ([a-z-]+)", line)}
    assert {"run", "test"} <= shown
    assert shown <= set(TARGETS)


def test_the_readme_runs_only_modules_and_files_that_exist() -> None:
    text = "\n".join(_readme_commands())
    modules = re.findall(r"python -m ([a-z_.]+)", text)
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", (CHECKOUT / "README.md").read_text())
    assert [name for name in linked if not (CHECKOUT / name).exists()] == []


def test_notracked_file_knows_a_machine() -> None:
    here = str(Path(__file__).relative_to(CHECKOUT))
    found = []
    for name in tracked():
        path = CHECKOUT / name
        if name == here or not path.is_file() or path.suffix in {".woff2", ".png", ".ico", ".svg"}:
            continue
        lines = path.read_text(errors="replace").splitlines()
        found += [f"{name}:{number}" for number, line in enumerate(lines, 1) if MACHINE_PATH.search(line)]
    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_one_exact_version(name: str) -> None:
    lines = (CHECKOUT / name).read_text().splitlines()
    assert lines
    assert [
        line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*(\[[a-z,]+\])?==[A-Za-z0-9.+!-]+", line)
    ] == []


def test_the_locks_agree_on_every_version() -> None:
    runtime, demo, development, names = (set((CHECKOUT / name).read_text().splitlines()) for name in LOCKS)
    assert runtime <= demo <= development
    assert names <= development


@pytest.mark.parametrize(
    "pair",
    [
        ("requirements.in", LOCKS[0]),
        ("requirements-demo.in", LOCKS[1]),
        ("requirements-dev.in", LOCKS[2]),
        ("requirements-names.in", LOCKS[3]),
    ],
)
def test_what_is_asked_for_is_in_the_lock(pair: tuple[str, str]) -> None:
    asked = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[|==|$)", (CHECKOUT / pair[0]).read_text(), re.MULTILINE)
    locked = {line.split("==")[0] for line in (CHECKOUT / pair[1]).read_text().splitlines()}
    assert asked
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in asked if not name.startswith("-")} <= locked


def _licence(distribution: str) -> str:
    described = importlib.metadata.metadata(distribution)
    classifiers = [line for line in described.get_all("Classifier") or [] if line.startswith("License")]
    # Some put the whole text in this field; its name is in the first lines.
    named = [text[:200] for text in described.get_all("License") or []]
    return " ".join([*(described.get_all("License-Expression") or []), *named, *classifiers])


def test_nothing_the_product_runs_on_binds_its_users_unseen() -> None:
    names = [line.split("==")[0] for line in (CHECKOUT / LOCKS[0]).read_text().splitlines()]
    installed = [name for name in names if _is_installed(name)]
    # Markers leave a few out on this Python; most must be there for the test to mean anything.
    assert len(installed) > 0.9 * len(names)
    assert {name for name in installed if COPYLEFT.search(_licence(name))} - set(REVIEWED_LICENCES) == set()


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
