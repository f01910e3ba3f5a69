"""`hoopweb login`, `logout` and `status` as a person runs them, and what OAuth's answers make of a login."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.client.errors import GatewayUnreachable
from gateway.client.login import LoginFailed, Started, wait_for_answer
from tests.client.world import DEVICE, Machine, StandIn

BEGIN, TOKEN = ("POST", "/oauth/device_authorization"), ("POST", "/oauth/token")
STARTED: dict[str, Any] = {
    "device_code": "code-of-the-device",
    "user_code": "BCDF-GHJK",
    "verification_uri": "https://gateway.example/device/",
    "verification_uri_complete": "https://gateway.example/device/?user_code=BCDF-GHJK",
    "expires_in": 600,
    "interval": 0,
}
YES = {"access_token": "hw_token_nobody_keeps", "token_type": "Bearer", "device_id": DEVICE}
ARGUMENTS = ("--organisation", "acme", "--name", "laptop")


def opening(gateway: StandIn, *answers: dict[str, Any]) -> None:
    """The gateway begins a login and answers the machine's questions in this order."""
    left = list(answers)
    gateway.replies[BEGIN] = lambda _: (200, STARTED)
    gateway.replies[TOKEN] = lambda _: (200 if "device_id" in left[0] else 400, left.pop(0))


def test_a_login_enrols_a_key_made_here_and_keeps_it_for_the_owner(machine: Machine) -> None:
    opening(machine.gateway, {"error": "authorization_pending"}, YES)
    ran = machine.run("login", "--gateway", machine.gateway.url, *ARGUMENTS)
    assert ran.returncode == 0, ran.stderr
    assert "BCDF-GHJK" in ran.stdout
    assert STARTED["verification_uri_complete"] in ran.stdout
    begun = machine.gateway.of(BEGIN[1])[0]
    assert {name: begun[name] for name in ("client_id", "organisation", "device_name")} == {
        "client_id": "hoopweb-client",
        "organisation": "acme",
        "device_name": "laptop",
    }
    machine.gateway.public_key = base64.b64decode(begun["public_key"])
    assert machine.run("credentials", "--connection", "billing").returncode == 0
    assert stat.S_IMODE(Path(machine.place().key_file).stat().st_mode) == 0o600


def test_no_token_is_kept_or_shown(machine: Machine) -> None:
    opening(machine.gateway, YES)
    ran = machine.run("login", "--gateway", machine.gateway.url, *ARGUMENTS)
    kept = b"".join(path.read_bytes() for path in Path(machine.place().folder).rglob("*") if path.is_file())
    assert b"hw_token" not in kept
    assert "hw_token" not in ran.stdout + ran.stderr
    assert "code-of-the-device" not in ran.stdout + ran.stderr


def test_the_browser_is_opened_where_there_is_one(machine: Machine) -> None:
    opening(machine.gateway, YES)
    opened = machine.home / "opened"
    browser = machine.home / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    ran = machine.run("login", "--gateway", machine.gateway.url, *ARGUMENTS, BROWSER=f"{browser} %s")
    assert ran.returncode == 0, ran.stderr
    assert opened.read_text().strip() == STARTED["verification_uri_complete"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": "access_denied"}, "said no to this machine"),
        ({"error": "expired_token"}, "Nobody answered in time"),
        ({"error": "server_error", "error_description": "too\x1b[2J bad"}, "ended the login: too [2J bad"),
    ],
)
def test_a_login_that_fails_leaves_nothing_behind(machine: Machine, answer: dict[str, str], told: str) -> None:
    opening(machine.gateway, answer)
    ran = machine.run("login", "--gateway", machine.gateway.url, *ARGUMENTS)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert told in ran.stderr
    assert list(Path(machine.place().folder).iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example",
        "gateway.example",
        "https://",
        "https://user@gateway.example",
        "https://a/b",
        "file:///a",
    ],
)
def test_an_address_that_would_send_keys_in_the_clear_is_refused(machine: Machine, url: str) -> None:
    ran = machine.run("login", "--gateway", url, *ARGUMENTS)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "https://" in ran.stderr


def test_a_gateway_that_is_not_there_is_said(machine: Machine) -> None:
    ran = machine.run("login", "--gateway", "http://127.0.0.1:9", *ARGUMENTS)
    assert ran.returncode == 1
    assert ran.stderr == "hoopweb: The gateway at http://127.0.0.1:9 cannot be reached (nobody listens there).\n"


def test_something_else_that_answers_is_no_gateway(machine: Machine) -> None:
    machine.gateway.replies[BEGIN] = lambda _: (200, {"hello": "world"})
    ran = machine.run("login", "--gateway", machine.gateway.url, *ARGUMENTS)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "not a hoopweb gateway" in ran.stderr


def test_an_enrolled_machine_is_not_enrolled_over(laptop: Machine) -> None:
    ran = laptop.run("login", "--gateway", laptop.gateway.url, *ARGUMENTS)
    assert ran.returncode == 2
    assert "`hoopweb logout` first" in ran.stderr
    assert laptop.gateway.seen == []


# --- waiting (RFC 8628, 3.5)


class Waiting:
    """A login's clock and its gateway, without the waiting."""

    def __init__(self, *answers: dict[str, str] | Exception) -> None:
        self.answers, self.slept, self.now = list(answers), [], 0.0

    slept: list[float]

    def ask(self) -> dict[str, str]:
        answer = self.answers.pop(0) if self.answers else {"error": "authorization_pending"}
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def run(self) -> Any:
        started = Started(device_code="d", user_code="u", page="p", seconds=60.0, interval=5.0)
        return wait_for_answer(self.ask, started, sleep=self.sleep, monotonic=lambda: self.now)


def test_a_gateway_that_asks_for_patience_gets_it() -> None:
    waiting = Waiting({"error": "authorization_pending"}, {"error": "slow_down"}, {"device_id": "d"})
    assert waiting.run() == {"device_id": "d"}
    assert waiting.slept == [5, 5, 10]


def test_a_network_that_fails_for_a_moment_is_asked_again_more_slowly() -> None:
    waiting = Waiting(GatewayUnreachable("down"), {"device_id": "d"})
    assert waiting.run() == {"device_id": "d"}
    assert waiting.slept == [5, 10]


def test_the_code_has_an_end_whatever_the_gateway_says() -> None:
    waiting = Waiting()
    with pytest.raises(LoginFailed, match="in time"):
        waiting.run()
    assert sum(waiting.slept) == 60


# --- status and logout

KNOWN = {
    "person": {"username": "alice"},
    "connections": [{"id": "1", "name": "billing", "regions": ["eu-west-1"]}],
    "aws_url": "https://gw.example",
    "ca_pem": "",
}


def test_status_says_who_where_and_how_the_key_is_kept(laptop: Machine) -> None:
    laptop.gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, KNOWN)
    ran = laptop.run("status")
    assert (ran.returncode, ran.stderr) == (0, "")
    for told in (laptop.gateway.url, "acme", "laptop", DEVICE, "alice", "billing", "level B at most"):
        assert told in ran.stdout


def test_status_in_json_is_one_object(laptop: Machine) -> None:
    laptop.gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, KNOWN)
    told = json.loads(laptop.run("status", "--json").stdout)
    assert (told["device"]["key_storage"], told["gateway_says"], told["problem"]) == ("file", KNOWN, "")


def test_status_of_a_revoked_device_fails_and_still_says_which(laptop: Machine) -> None:
    refused = {"code": "device.revoked", "title": "This device was revoked", "remedy": "Run hoopweb login."}
    laptop.gateway.replies["GET", "/api/v1/device/"] = lambda _: (401, refused)
    ran = laptop.run("status")
    assert ran.returncode == 1
    assert ran.stderr == "hoopweb: This device was revoked. Run hoopweb login.\n"
    assert DEVICE in ran.stdout


def test_logout_ends_the_device_there_and_forgets_it_here(laptop: Machine) -> None:
    assert laptop.run("credentials", "--connection", "billing").returncode == 0
    laptop.gateway.replies["DELETE", "/api/v1/device/"] = lambda _: (204, {})
    assert laptop.run("logout").returncode == 0
    assert [one.method for one in laptop.gateway.seen] == ["POST", "DELETE"]
    assert not Path(laptop.place().key_file).exists()
    ran = laptop.run("credentials", "--connection", "billing")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "not enrolled" in ran.stderr


def test_logout_without_a_gateway_forgets_nothing_unless_told_to(laptop: Machine) -> None:
    laptop.gateway.replies["DELETE", "/api/v1/device/"] = lambda _: (503, {"title": "Not ready"})
    ran = laptop.run("logout")
    assert ran.returncode == 1
    assert Path(laptop.place().key_file).exists()
    assert laptop.run("logout", "--forget").returncode == 0
    assert not Path(laptop.place().key_file).exists()


def test_a_device_revoked_already_can_still_be_logged_out(laptop: Machine) -> None:
    laptop.gateway.replies["DELETE", "/api/v1/device/"] = lambda _: (401, {"title": "This device was revoked"})
    assert laptop.run("logout").returncode == 0
    assert not Path(laptop.place().key_file).exists()
