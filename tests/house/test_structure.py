"""The house is built as its plan says: rooms, what they may import, what lies at the top."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PURE = (
    "gateway/terms.py",
    "gateway/problems.py",
    "gateway/wire",
    "gateway/masking",
    "gateway/engine",
    "audit/ledger",
    "audit/verifier",
    "approvals/quorum.py",
)
# Reading models, once, when tables are compiled.
BUILD_TIME = {"gateway/wire/tables_compiler.py"}
# What import-linter cannot see because it looks at whole libraries: parts of ones that are otherwise fine.
IMPURE_PARTS = {"http.client", "http.server", "urllib.request", "multiprocessing"}
TOP_LEVEL = {
    ".ci", ".gitignore", "CHANGELOG.md", "Makefile", "README.md", "approvals", "audit", "bench", "bootstrap.sh",
    "deploy", "docs", "gateway", "hoopweb", "manage.py", "pyproject.toml", "requirements-bench.in",
    "requirements-bench.txt", "requirements-demo.in",
    "requirements-demo.txt", "requirements-dev.in", "requirements-dev.txt", "requirements-names.in", "requirements-names.txt",
    "requirements.in", "requirements.txt", "tests",
}  # fmt: skip
LONGEST_FILE = 400


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name]


def _contracts() -> dict[str, dict[str, Any]]:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    return {contract["id"]: contract for contract in settings["tool"]["importlinter"]["contracts"]}


def _pure_files() -> Iterator[Path]:
    for name in PURE:
        path = CHECKOUT / name
        yield from (sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.exists() else [])


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


def test_every_import_contract_holds() -> None:
    linted = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_a_room_that_exists_is_in_the_contracts() -> None:
    layers = " ".join(_contracts()["rooms"]["layers"])
    rooms = {f"gateway.{path.parent.name}" for path in CHECKOUT.glob("gateway/*/__init__.py")}
    walled = rooms - {"gateway.edge", "gateway.client"}
    assert {room for room in walled if room not in layers} == set()
    outside = rooms & {"gateway.edge", "gateway.client"}
    named = {module for contract in _contracts().values() for module in contract.get("source_modules", ())}
    assert outside <= named, "the edge and the client import pure rooms only; give the new one its contract"


def test_a_pure_room_that_exists_is_in_the_pure_contract() -> None:
    existing = {
        name.removesuffix(".py").replace("/", ".")
        for name in PURE
        if (CHECKOUT / name).is_file() or (CHECKOUT / name / "__init__.py").is_file()
    }
    assert existing == set(_contracts()["pure"]["source_modules"])


@pytest.mark.parametrize("path", list(_pure_files()), ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_a_pure_file_imports_nothing_that_acts(path: Path) -> None:
    acts = {name for name in _imports(path) if any(f"{name}.".startswith(f"{part}.") for part in IMPURE_PARTS)}
    assert acts == set()
    if str(path.relative_to(CHECKOUT)) not in BUILD_TIME:
        assert not any(name.startswith("botocore") for name in _imports(path))


@pytest.mark.parametrize("package", ["gateway", "audit", "approvals"])
def test_the_package_itself_imports_nothing(package: str) -> None:
    """Importing `audit.ledger` runs `audit/__init__.py` first: anything in it would end every room's purity."""
    assert (CHECKOUT / package / "__init__.py").read_text().strip() == ""


def test_the_top_level_is_as_the_plan_draws_it() -> None:
    assert {name.split("/", 1)[0] for name in tracked()} - TOP_LEVEL == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name in tracked()
        if name.endswith(".py") and not name.endswith("__init__.py") and "/migrations/" not in name
        if (CHECKOUT / name).exists() and not ast.get_docstring(ast.parse((CHECKOUT / name).read_text()))
    ]
    assert silent == []


def test_no_file_grows_past_its_second_subject() -> None:
    paths = [CHECKOUT / name for name in tracked() if name.endswith(".py") and "/migrations/" not in name]
    long = {
        str(path.relative_to(CHECKOUT)): lines
        for path in paths
        if path.exists() and (lines := path.read_text().count("\n")) > LONGEST_FILE
    }
    assert long == {}
