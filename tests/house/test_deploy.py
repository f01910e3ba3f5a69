"""What `deploy/` shows is what the product reads and runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hoopweb.stack.child import Program
from hoopweb.stack.plan import FREE_PORTS, make
from hoopweb.stack.processes import table
from hoopweb.stack.services import remove
from tests.house.test_structure import CHECKOUT

DEPLOY = CHECKOUT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Mapping[str, Program]]:
    """What `make run` would start and production needs too, by the unit's name."""
    plan = make({**FREE_PORTS, "HOOPWEB_STATE": str(tmp_path / "var")}, now=datetime.now(UTC))
    embedded = {"postgres", "valkey", "standin"}
    lasting = [process for process in table(plan) if not process.runs_once and process.name not in embedded]
    yield {process.name.replace("edge-1", "edge"): process.program() for process in lasting}
    remove(plan.services)


def _variables(name: str) -> set[str]:
    return set(re.findall(r"^(HOOPWEB_[A-Z_]+)=", (DEPLOY / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("example", "reader"),
    [("hoopweb.env.example", "hoopweb/settings.py"), ("edge.env.example", "gateway/edge/settings.py")],
)
def test_every_variable_shown_is_read(example: str, reader: str) -> None:
    read = set(re.findall(r'"(HOOPWEB_[A-Z_]+)"', (CHECKOUT / reader).read_text()))
    assert _variables(example)
    assert _variables(example) <= read


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_runs_what_make_run_runs(unit: Path, tmp_path: Path) -> None:
    """Ports, counts and places differ; the program, its queue and its switches may not."""
    name = (
        unit.stem.removeprefix("hoopweb-").replace("edge", "edge-1") if unit.stem == "hoopweb-edge" else unit.stem[8:]
    )
    plan = make({**FREE_PORTS, "HOOPWEB_STATE": str(tmp_path / "var")}, now=datetime.now(UTC))
    program = next(process for process in table(plan) if process.name == name).program()
    shown = re.search(r"^ExecStart=\S+ (.*)$", unit.read_text(), re.MULTILINE)
    assert shown is not None
    assert _essence(shown.group(1).split()) == _essence([str(word) for word in program.argv[1:]])


def _essence(words: list[str]) -> list[str]:
    own = {"--port", "--workers", "-n", "-s", "-c"}
    return [word for before, word in zip(["", *words], words, strict=False) if before not in own]


def test_every_serving_process_has_a_unit(serving: Mapping[str, Program]) -> None:
    assert set(serving) == {unit.stem.removeprefix("hoopweb-") for unit in UNITS}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_gives_its_process_no_more_than_it_needs(unit: Path) -> None:
    text = unit.read_text()
    assert "NoNewPrivileges=yes" in text
    assert "ProtectSystem=strict" in text
    assert re.search(r"^User=hoopweb", text, re.MULTILINE)
    # The edge holds no database password and no sealing key: its environment is another file.
    assert ("EnvironmentFile=/etc/hoopweb/edge.env" in text) == (unit.stem == "hoopweb-edge")
