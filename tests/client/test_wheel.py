"""The wheel `hoopweb-client`: built without a network, installed alone, light, and quick to start."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cryptography
import pytest

from hoopweb.stack.plan import CHECKOUT
from tests.client.world import Machine

UV = CHECKOUT / ".tools" / "uv-bootstrap" / "bin" / "uv"
# cryptography, and what it needs: all that the wheel asks for.
NEEDED = ("cryptography", "cffi", "pycparser")
OFFLINE = {"UV_OFFLINE": "1", "UV_NO_CONFIG": "1", "PIP_NO_INDEX": "1"}
# On two busy cores; docs/benchmarks.md has what a quiet machine measures.
MOST_START_SECONDS = 0.15


def uv(*arguments: str | Path, folder: Path) -> None:
    ran = subprocess.run(
        [UV, *arguments], env={**os.environ, **OFFLINE}, cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv(
        "build",
        "--quiet",
        "--wheel",
        "--python",
        sys.executable,
        "--out-dir",
        folder,
        CHECKOUT / "deploy" / "client",
        folder=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and what it asks for, and nothing else; the path of its `hoopweb`."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    uv("venv", "--quiet", "--python", sys.executable, folder, folder=wheel.parent)
    uv("pip", "install", "--quiet", "--no-deps", "--compile-bytecode", "--python", folder, wheel, folder=wheel.parent)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for name in {file.parts[0] for one in NEEDED for file in importlib.metadata.files(one) or ()}:
        if name not in {"..", "__pycache__"}:
            (site / name).symlink_to(Path(cryptography.__file__).parent.parent / name)
    return folder / "bin" / "hoopweb"


def run(command: Path, machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, *arguments], env=machine.environment(), cwd=machine.home, capture_output=True, text=True, check=False
    )


def test_it_holds_the_client_and_the_one_page_it_shares(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    outside = {name for name in names if name.endswith(".py") and not name.startswith("gateway/client/")}
    assert outside == {"gateway/__init__.py", "gateway/wire/__init__.py", "gateway/wire/device_signature.py"}
    assert {f"gateway/client/{path.name}" for path in (CHECKOUT / "gateway" / "client").glob("*.py")} <= names


def test_pip_installs_a_command_that_runs(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--no-deps", wheel]
    subprocess.run(pip, env={**os.environ, **OFFLINE}, check=True)
    ran = subprocess.run([tmp_path / "venv" / "bin" / "hoopweb", "--help"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "credentials" in ran.stdout


def test_the_same_tree_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    uv(
        "build",
        "--quiet",
        "--wheel",
        "--python",
        sys.executable,
        "--out-dir",
        tmp_path,
        CHECKOUT / "deploy" / "client",
        folder=tmp_path,
    )
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_it_runs_in_an_environment_of_its_own(installed: Path, laptop: Machine) -> None:
    assert run(installed, laptop, "--version").stdout.startswith("hoopweb ")
    ran = run(installed, laptop, "credentials", "--connection", "billing")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert '"Version": 1' in ran.stdout


def test_every_command_starts_there(installed: Path, machine: Machine) -> None:
    """Nothing is imported that the wheel does not hold: no Django above all."""
    for name in ("login", "logout", "status", "credentials", "exec", "psql", "hook", "setup", "doctor", "broker"):
        ran = run(installed, machine, name, "--help")
        assert (ran.returncode, ran.stderr) == (0, ""), (name, ran.stderr)


def test_what_sdks_wait_for_imports_nothing_slow(installed: Path, laptop: Machine) -> None:
    assert run(installed, laptop, "credentials", "--connection", "billing").returncode == 0
    program = (
        "import sys; sys.argv[1:] = []; from gateway.client.app import main; status = main({!r}); print(*sys.modules)"
    )
    asked = program.format(["credentials", "--connection", "billing"])
    ran = subprocess.run(
        [installed.parent / "python", "-c", asked], env=laptop.environment(), capture_output=True, text=True, check=True
    )
    loaded = set(ran.stdout.splitlines()[-1].split())
    slow = {"json", "ssl", "http", "cryptography", "argparse", "dataclasses", "subprocess", "pathlib", "asyncio", "re"}
    assert loaded & slow == set()


def test_a_warm_start_is_quick(installed: Path, laptop: Machine) -> None:
    run(installed, laptop, "credentials", "--connection", "billing")
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        assert run(installed, laptop, "credentials", "--connection", "billing").returncode == 0
        taken.append(time.perf_counter() - began)
    # The best of five: what it costs, not what else this machine does.
    assert min(taken) < MOST_START_SECONDS
