"""The command as such: usage, `exec`, `psql`; whatever happens is one line and a status."""

from __future__ import annotations

import json
import os
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from gateway.client.app import COMMANDS
from tests.client.world import Machine

CONNECTIONS: list[dict[str, Any]] = [
    {"id": "11111111-0000-4000-8000-000000000000", "name": "billing", "regions": ["eu-west-1"]},
    {"id": "22222222-0000-4000-8000-000000000000", "name": "reports", "regions": ["us-east-1"]},
]
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


def known(machine: Machine, *connections: dict[str, Any]) -> None:
    told = {
        "connections": list(connections),
        "aws_url": "https://gw.example:8443",
        "ca_pem": "PEM of the authority",
    }
    machine.gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, told)


def test_help_names_every_command(machine: Machine) -> None:
    ran = machine.run("--help")
    assert ran.returncode == 0
    assert all(f"  {name}" in ran.stdout for name in COMMANDS)
    assert machine.run().returncode == 2


@pytest.mark.parametrize("arguments", [("nonsense",), ("login",), ("status", "--nonsense"), ("exec",), ("broker",)])
def test_a_command_line_that_is_not_understood_is_one_line(machine: Machine, arguments: tuple[str, ...]) -> None:
    ran = machine.run(*arguments)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert ran.stderr.startswith("hoopweb: ")


def test_exec_gives_a_command_one_aws_profile_and_no_other_way(laptop: Machine) -> None:
    known(laptop, *CONNECTIONS)
    ran = laptop.run(
        "exec", "--connection", "billing", "--", sys.executable, "-c", SHOW,
        AWS_ACCESS_KEY_ID="AKIAREAL", AWS_PROFILE="real", AWS_ENDPOINT_URL_S3="https://direct",
        AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true", CURSOR_CONVERSATION_ID="talk",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    given = json.loads(ran.stdout)
    passing_by = ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    assert not [name for name in passing_by if name in given]
    assert given["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert given["CURSOR_CONVERSATION_ID"] == "talk"
    config = ConfigParser()
    config.read(given["AWS_CONFIG_FILE"])
    profile = config[f"profile {given['AWS_PROFILE']}"]
    assert (profile["region"], profile["endpoint_url"]) == ("eu-west-1", "https://gw.example:8443")
    assert profile["credential_process"].endswith("credentials --profile default --connection billing")
    assert Path(profile["ca_bundle"]).read_text() == "PEM of the authority"


def test_exec_takes_the_only_connection_there_is(laptop: Machine) -> None:
    known(laptop, CONNECTIONS[1])
    ran = laptop.run("exec", sys.executable, "-c", "print('ran')")
    assert (ran.returncode, ran.stdout) == (0, "ran\n")


@pytest.mark.parametrize(
    ("connections", "arguments", "told"),
    [
        (CONNECTIONS, ("true",), "Say which connection with --connection; there is billing, reports."),
        (CONNECTIONS, ("--connection", "other", "true"), "You have no connection of that name"),
        ([], ("true",), "there is none"),
        (CONNECTIONS[:1], ("no-such-program",), "There is no program 'no-such-program' on PATH."),
    ],
)
def test_exec_says_what_is_missing(
    laptop: Machine, connections: list[dict[str, Any]], arguments: tuple[str, ...], told: str
) -> None:
    known(laptop, *connections)
    ran = laptop.run("exec", *arguments)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert told in ran.stderr


def test_the_status_of_the_command_is_the_status_of_exec(laptop: Machine) -> None:
    known(laptop, CONNECTIONS[0])
    assert laptop.run("exec", sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_psql_says_that_there_is_no_database_path(laptop: Machine) -> None:
    known(laptop, CONNECTIONS[0])
    ran = laptop.run("psql", "-c", "select 1")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"hoopweb: The gateway {laptop.gateway.url} has no path to databases: psql was not started.\n"


def test_an_answer_of_another_version_is_one_line_too(laptop: Machine) -> None:
    laptop.gateway.replies["GET", "/api/v1/device/"] = lambda _: (
        200,
        {"connections": [{"id": "1", "name": "billing"}]},
    )
    ran = laptop.run("exec", "true")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "not a hoopweb gateway of this version" in ran.stderr
