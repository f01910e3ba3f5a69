"""Key and enrolment on disk: what is open to others, damaged or not ours is refused in one line that says what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.client.api import open_gateway
from gateway.client.app import main
from gateway.client.errors import Exposed, StateBroken
from gateway.client.state import read_profile
from tests.client.world import Machine

Damage = Callable[[Path], object]


def profile_of(machine: Machine) -> Path:
    return Path(machine.place().profile_file)


def key_of(machine: Machine) -> Path:
    return Path(machine.place().key_file)


def told(machine: Machine, *arguments: str) -> str:
    """The one line of a refusal; no traceback, nothing on stdout."""
    ran = machine.run(*(arguments or ("credentials", "--connection", "billing")))
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1), ran.stderr
    assert ran.stderr.startswith("hoopweb: ")
    return ran.stderr


def test_a_machine_that_never_logged_in_is_told_how(machine: Machine) -> None:
    assert "run `hoopweb login --gateway URL --organisation NAME`" in told(machine)


def test_another_profile_is_named_in_the_advice(laptop: Machine) -> None:
    line = told(laptop, "credentials", "--connection", "billing", "--profile", "work")
    assert "(profile work): run `hoopweb login --profile work" in line


def test_key_and_enrolment_are_written_for_their_owner_alone(laptop: Machine) -> None:
    for path in (key_of(laptop), profile_of(laptop)):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_key_others_may_read_or_write_is_not_used(laptop: Machine, mode: int) -> None:
    key_of(laptop).chmod(mode)
    with pytest.raises(Exposed, match=f"is open to others \\(mode {mode:04o}\\) and is not used: `chmod 600"):
        open_gateway(laptop.place())


def test_the_command_signs_nothing_with_a_key_others_may_read(laptop: Machine) -> None:
    key_of(laptop).chmod(0o644)
    assert "device.key is open to others" in told(laptop)
    assert laptop.gateway.seen == []


def test_an_enrolment_others_may_write_is_not_used(laptop: Machine) -> None:
    """Whoever writes it chooses the gateway that prompts are sent to."""
    profile_of(laptop).chmod(0o622)
    assert "profile.json is open to others" in told(laptop, "status")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can own what is another's")
def test_a_key_of_another_account_is_not_used(laptop: Machine) -> None:
    os.chown(key_of(laptop), 65534, 65534)
    assert "belongs to another account and is not used" in told(laptop)


def linked(path: Path) -> None:
    moved = path.with_suffix(".moved")
    path.rename(moved)
    path.symlink_to(moved)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


DAMAGES: list[tuple[str, Damage]] = [
    ("empty", lambda path: path.write_bytes(b"")),
    ("cut", lambda path: path.write_bytes(path.read_bytes()[:-20])),
    ("other", lambda path: path.write_bytes(b"\x00\xff" * 400)),
    ("list", lambda path: path.write_bytes(b"[]")),
    ("long", lambda path: path.write_bytes(b"x" * 300_000)),
    ("link", linked),
    ("pipe", a_pipe),
]


@pytest.mark.parametrize("damage", [damage for _, damage in DAMAGES], ids=[name for name, _ in DAMAGES])
@pytest.mark.parametrize("which", [profile_of, key_of], ids=["enrolment", "key"])
def test_a_damaged_file_is_said_and_can_be_cleared_away(
    laptop: Machine, which: Callable[[Machine], Path], damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(which(laptop))
    with pytest.raises(StateBroken, match="then `hoopweb login`"):
        open_gateway(laptop.place())
    monkeypatch.setenv("HOOPWEB_HOME", laptop.place().home)
    assert main(["logout", "--forget"]) == 0
    assert not os.path.lexists(profile_of(laptop))
    assert not os.path.lexists(key_of(laptop))


@pytest.mark.parametrize("which", [profile_of, key_of], ids=["enrolment", "key"])
def test_the_command_says_so_in_one_line(laptop: Machine, which: Callable[[Machine], Path]) -> None:
    which(laptop).write_bytes(b"\x00\xff" * 400)
    assert "then `hoopweb login`" in told(laptop)


@pytest.mark.parametrize(
    "content",
    ['{"gateway": 7}', '{"gateway": "file:///etc"}', '{"gateway": "https://a"}', '{"key_storage": "vault"}', "null"],
)
def test_json_that_is_no_enrolment_is_damaged_too(laptop: Machine, content: str) -> None:
    profile_of(laptop).write_text(content)
    with pytest.raises(StateBroken, match=r"profile\.json is damaged"):
        read_profile(laptop.place())


def test_a_key_that_is_gone_is_said(laptop: Machine) -> None:
    key_of(laptop).unlink()
    assert "The key of device laptop is gone" in told(laptop)


def test_two_profiles_do_not_touch_each_other(laptop: Machine) -> None:
    laptop.enrol("work")
    key_of(laptop).chmod(0o644)
    assert laptop.run("credentials", "--connection", "billing", "--profile", "work").returncode == 0
    assert laptop.run("credentials", "--connection", "billing", HOOPWEB_PROFILE="work").returncode == 0
    assert "open to others" in told(laptop)


def test_a_home_too_deep_for_a_socket_still_has_a_broker(laptop: Machine) -> None:
    deep = Machine(home=laptop.home / ("deep" * 12) / ("er" * 20), gateway=laptop.gateway)
    deep.home.mkdir(parents=True)
    deep.enrol()
    try:
        assert deep.run("credentials", "--connection", "billing").returncode == 0
        assert deep.place().socket.startswith(f"/tmp/hoopweb-{os.getuid()}/")
    finally:
        deep.end()
