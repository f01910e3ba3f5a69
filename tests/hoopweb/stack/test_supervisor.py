"""The launcher from outside: killed, interrupted, started twice, started again."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from hoopweb.stack.plan import CHECKOUT, FREE_PORTS, PORTS, make, state_of
from hoopweb.stack.ports import choose
from hoopweb.stack.postgres import DATABASE, OWNER
from hoopweb.stack.problems import PortTaken, StackProblem
from hoopweb.stack.processes import table
from hoopweb.stack.services import Services, remove, services
from tests.hoopweb.stack.processes import all_dead, family, gone, living

Launcher = subprocess.Popen[str]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "var"
    yield root
    assert gone(str(root), within_seconds=20)
    if root.exists():
        remove(_here(root))


def _environment(state: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(state.parent), **FREE_PORTS, "HOOPWEB_STATE": str(state), **more}


def _launch(state: Path, **more: str) -> Launcher:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.hoopweb.stack.small_stack"],
        cwd=CHECKOUT,
        env=_environment(state, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _until_up(launcher: Launcher) -> str:
    """Read its progress until it says UP or ends; returns what it said."""
    said = []
    assert launcher.stdout is not None
    for line in launcher.stdout:
        said.append(line)
        if line == "UP\n":
            break
    return "".join(said)


@contextlib.contextmanager
def _up(state: Path) -> Iterator[Launcher]:
    launcher = _launch(state)
    try:
        said = _until_up(launcher)
        assert said.endswith("UP\n"), said
        yield launcher
    finally:
        launcher.kill()
        launcher.wait()
        assert launcher.stdout is not None
        launcher.stdout.close()


def _here(state: Path) -> Services:
    return services(state_of({"HOOPWEB_STATE": str(state)}), valkey_port=0)


def _owner(state: Path) -> psycopg.Connection[tuple[object, ...]]:
    here = _here(state)
    return here.postgres.connect(OWNER, here.passwords.owner, DATABASE)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_supervisor(state: Path, number: signal.Signals) -> None:
    with _up(state) as launcher:
        everyone = family(launcher.pid)
        assert len(everyone) > 8, "three guardians, postgres and its helpers, valkey, a stubborn pair"
        os.kill(launcher.pid, number)
        launcher.wait(20)
        assert all_dead(everyone, within_seconds=8)


def test_a_second_start_keeps_the_data_even_after_a_kill(state: Path) -> None:
    with _up(state), _owner(state) as connection:
        connection.execute("CREATE TABLE kept (what text)")
        connection.execute("INSERT INTO kept VALUES ('evidence')")
    with _up(state), _owner(state) as connection:
        assert connection.execute("SELECT what FROM kept").fetchone() == ("evidence",)


def test_a_stale_lock_file_of_the_database_does_not_stop_a_start(state: Path) -> None:
    with _up(state) as launcher:
        here, everyone = _here(state), family(launcher.pid)
    assert all_dead(everyone, within_seconds=10)
    # The number of a process that lives and is no server: ours.
    (here.postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{here.postgres.data}\n")
    with _up(state), _owner(state) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_second_launcher_on_the_same_state_says_who_is_there(state: Path) -> None:
    with _up(state) as first:
        second = _launch(state)
        said, _ = second.communicate(timeout=20)
        assert second.returncode == 1
        assert f"already runs on {state} (process {first.pid})" in said
        assert "HOOPWEB_STATE" in said


def test_a_killed_process_comes_back(state: Path) -> None:
    with _up(state) as launcher:
        here = _here(state)
        postmaster = int((here.postgres.data / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(postmaster, signal.SIGKILL)
        assert launcher.stdout is not None
        told = [next(launcher.stdout), next(launcher.stdout)]
        assert "postgres ended (signal 9); again in 0.5 s" in told[0]
        assert "postgres ready" in told[1]
        with _owner(state) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_lost_secrets_are_told_with_what_to_do(state: Path) -> None:
    with _up(state) as launcher:
        everyone = family(launcher.pid)
    assert all_dead(everyone, within_seconds=10)
    (state / "secrets" / "db-superuser-password").write_text("another")
    again = _launch(state)
    said, _ = again.communicate(timeout=40)
    assert again.returncode == 1
    assert "PostgreSQL did not let us in" in said
    assert "make clean" in said


def test_what_goes_wrong_later_is_said_and_tried_again(state: Path) -> None:
    with _up(state) as launcher:
        log = state / "log" / "stubborn.log"
        log.unlink()
        log.mkdir()
        (state / "stubborn-is-up").unlink()
        for pid in living("stubborn-is-up") - {pid for pid in living("stubborn-is-up") if _is_guardian(pid)}:
            os.kill(pid, signal.SIGKILL)
        assert launcher.stdout is not None
        assert "stubborn ended" in next(launcher.stdout)
        assert "Is a directory" in next(launcher.stdout)
        log.rmdir()
        assert any("stubborn ready" in line for line in itertools.islice(launcher.stdout, 6))


def test_what_a_killed_guardian_leaves_is_cleared_and_replaced(state: Path) -> None:
    with _up(state) as launcher:
        stubborn = {pid for pid in living("stubborn-is-up") if _is_guardian(pid)}
        before = living("stubborn-is-up")
        (state / "stubborn-is-up").unlink()
        os.kill(stubborn.pop(), signal.SIGKILL)
        assert launcher.stdout is not None
        assert "stubborn ended" in next(launcher.stdout)
        assert "stubborn ready" in next(launcher.stdout)
        assert not before & living("stubborn-is-up")


def _is_guardian(pid: int) -> bool:
    return b"guardian.py" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.variable)
def test_a_taken_port_is_told_with_the_variable_that_changes_it(port: object) -> None:
    variable = getattr(port, "variable")  # noqa: B009 - parametrize loses the type
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        with pytest.raises(PortTaken, match=f"{variable}="):
            choose(next(known for known in PORTS if known.variable == variable), {variable: number})


def test_a_taken_port_ends_the_start_before_anything_runs(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        launcher = _launch(state, HOOPWEB_EDGE_PORT=str(taken.getsockname()[1]))
        said, _ = launcher.communicate(timeout=20)
    assert launcher.returncode == 1
    assert "is taken by another program" in said
    assert "HOOPWEB_EDGE_PORT=" in said
    assert not living(str(state))


@pytest.mark.parametrize("text", ["http", "-1", "70000", "8080x"])
def test_a_port_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(StackProblem, match="HOOPWEB_WEB_PORT"):
        choose(PORTS[0], {"HOOPWEB_WEB_PORT": text})


def test_processes_get_nothing_of_the_users_aws_configuration(state: Path) -> None:
    mine = {"AWS_SECRET_ACCESS_KEY": "my-own", "AWS_PROFILE": "prod", "HTTPS_PROXY": "http://proxy"}
    plan = make(_environment(state, **mine), now=datetime.now(UTC))
    for process in table(plan):
        assert "my-own" not in process.program().environment.values()
        assert not {"AWS_PROFILE", "HTTPS_PROXY"} & set(process.program().environment)


def test_waiting_for_a_stack_ends_when_told_to_stop(state: Path) -> None:
    launcher = _launch(state)
    threading.Event().wait(0.4)
    started = time.monotonic()
    launcher.send_signal(signal.SIGTERM)
    launcher.communicate(timeout=20)
    assert time.monotonic() - started < 15
