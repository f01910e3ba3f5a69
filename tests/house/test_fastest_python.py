"""`bootstrap.sh` makes .venv with the fastest python3.11 on PATH that has what hoopweb needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.house.test_structure import CHECKOUT


def _chosen(*folders: Path) -> str:
    """What the script's own function names with these folders first on PATH."""
    script = (CHECKOUT / "bootstrap.sh").read_text()
    parts = re.search(r"^RACE='.*?^}\n", script, re.DOTALL | re.MULTILINE)
    assert parts is not None
    told = subprocess.run(
        ["/bin/sh", "-euc", parts[0] + f"PATH={':'.join(str(one) for one in folders)}; fastest_python"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip()


def _interpreter(folder: Path, program: str) -> Path:
    folder.mkdir()
    file = folder / "python3.11"
    file.write_text(f"#!/bin/sh\n{program}\n")
    file.chmod(0o755)
    return folder


def _tools(folder: Path) -> Path:
    folder.mkdir()
    for name in ("sort", "sed"):
        (folder / name).symlink_to(next(p for p in (Path("/usr/bin") / name, Path("/bin") / name) if p.exists()))
    return folder


def test_the_fastest_of_several_is_taken_wherever_it_stands(tmp_path: Path) -> None:
    slow = _interpreter(tmp_path / "slow", "echo 2000 /opt/slow/python3.11")
    fast = _interpreter(tmp_path / "a fast one", "echo 900 '/opt/a fast one/python3.11'")
    middle = _interpreter(tmp_path / "middle", "echo 1500 /opt/middle/python3.11")
    tools = _tools(tmp_path / "tools")
    assert _chosen(slow, Path(str(fast).replace(" ", "\\ ")), middle, tools) == "/opt/a fast one/python3.11"


def test_one_that_does_not_run_or_lacks_a_module_is_passed_over(tmp_path: Path) -> None:
    broken = _interpreter(tmp_path / "broken", "echo 'no module named ssl' >&2; exit 1")
    whole = _interpreter(tmp_path / "whole", "echo 900 /opt/whole/python3.11")
    assert _chosen(broken, whole, _tools(tmp_path / "tools")) == "/opt/whole/python3.11"


def test_none_is_named_where_there_is_none(tmp_path: Path) -> None:
    assert _chosen(tmp_path, _tools(tmp_path / "tools")) == ""


def test_a_real_one_runs_the_race_and_names_itself(tmp_path: Path) -> None:
    real = _interpreter(tmp_path / "real", f'exec "{sys.executable}" "$@"')
    assert Path(_chosen(real, _tools(tmp_path / "tools"))).samefile(sys.executable)
