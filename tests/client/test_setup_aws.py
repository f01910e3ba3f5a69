"""`hoopweb setup aws`: profiles that real SDKs read, merged into a file with other people's lines in it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.client.setup_agents import SettingsUnreadable
from gateway.client.setup_aws import merged, profiles, removed
from tests.client.world import Machine

SETTINGS = {
    "region": "eu-west-1",
    "endpoint_url": "https://aws.gateway.example",
    "credential_process": "/usr/bin/hoopweb credentials --profile default --connection billing",
    "ca_bundle": "/users/alice/.config/hoopweb/profiles/default/gateway-ca.pem",
}
OWN = """# mine
[default]
region = us-east-1   ; near
output=json

[profile work]
sso_session = corp
s3 =
    max_concurrent_requests = 20
    addressing_style = path

[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
"""


@pytest.mark.parametrize("text", ["", OWN, OWN.rstrip("\n"), OWN.replace("\n", "\r\n"), "\n\n"])
def test_a_profile_is_added_behind_everything_and_taken_out_again(text: str) -> None:
    changed = merged("config", text, "hoopweb-billing", SETTINGS)
    assert changed.startswith(text)
    assert profiles("config", changed)["hoopweb-billing"] == SETTINGS
    assert ("\r\n" in changed) == ("\r\n" in text)
    assert removed("config", changed).rstrip() == text.rstrip()


def test_a_second_time_changes_nothing() -> None:
    once = merged("config", OWN, "hoopweb-billing", SETTINGS)
    assert merged("config", once, "hoopweb-billing", SETTINGS) == once


def test_a_profile_that_is_there_keeps_its_other_lines() -> None:
    changed = merged("config", OWN, "default", SETTINGS)
    assert profiles("config", changed)["default"] == {"output": "json", **SETTINGS}
    assert "[profile work]\nsso_session = corp\ns3 =\n    max_concurrent_requests = 20" in changed
    assert "output=json\nendpoint_url = " in changed
    left = profiles("config", removed("config", changed))["default"]
    assert left == {"output": "json", "region": "eu-west-1"}


def test_nested_settings_are_no_settings_of_the_profile() -> None:
    nested = "[profile a]\ns3 =\n    endpoint_url = https://s3.example\n"
    changed = merged("config", nested, "a", SETTINGS)
    assert "    endpoint_url = https://s3.example" in changed
    assert profiles("config", changed)["a"]["endpoint_url"] == SETTINGS["endpoint_url"]


@pytest.mark.parametrize("line", ["role_arn = arn:aws:iam::1:role/x", "AWS_ACCESS_KEY_ID=AKIA", "sso_session = corp"])
def test_a_profile_whose_own_keys_would_win_is_refused_with_the_line(line: str) -> None:
    with pytest.raises(SettingsUnreadable) as refused:
        merged("config", f"[profile a]\n# x\n{line}\n", "a", SETTINGS)
    assert "config, line 3: " in str(refused.value)
    assert "AKIA" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[default\nregion = x\n", 1),
        ("region = x\n[default]\n", 1),
        ("[default]\nregion = x\nwhat is this\n", 3),
        ("[profile a]\n[default]\n[profile a]\n", 3),
    ],
)
def test_a_file_sdks_could_not_read_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(SettingsUnreadable) as refused:
        merged("config", text, "a", SETTINGS)
    assert f"config, line {line}: " in str(refused.value)


@pytest.fixture
def told(laptop: Machine) -> dict[str, Any]:
    """What the gateway says of this device."""
    device = {
        "person": {"username": "alice"},
        "aws_url": "https://aws.gateway.example",
        "ca_pem": "-----BEGIN CERTIFICATE-----\n",
        "connections": [
            {"id": "1", "name": "billing", "regions": ["eu-west-1"]},
            {"id": "2", "name": "Data lake / EU", "regions": ["eu-central-1"]},
        ],
    }
    laptop.gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, device)
    return device


def test_every_connection_gets_a_profile_of_its_own(laptop: Machine, told: dict[str, Any]) -> None:
    ran = laptop.run("setup", "aws", "--yes")
    assert ran.returncode == 0, ran.stderr
    path = laptop.home / ".aws/config"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = profiles("config", path.read_text())
    assert set(found) == {"hoopweb-billing", "hoopweb-Data-lake-EU"}
    assert found["hoopweb-Data-lake-EU"]["region"] == "eu-central-1"
    assert "'Data lake / EU'" in found["hoopweb-Data-lake-EU"]["credential_process"]
    assert Path(found["hoopweb-billing"]["ca_bundle"]).read_text().startswith("-----BEGIN")
    assert "set up already" in laptop.run("setup", "aws").stdout
    assert laptop.run("setup", "aws", "--undo", "--yes").returncode == 0
    assert not (laptop.home / ".aws").exists()


def test_boto3_reads_the_profile_and_gets_its_keys_from_it(laptop: Machine, told: dict[str, Any]) -> None:
    (laptop.home / ".aws").mkdir()
    (laptop.home / ".aws/config").write_text(OWN)
    laptop.run("setup", "aws", "--yes", "--connection", "billing", "--aws-profile", "agent")
    script = (
        "import boto3, json; s = boto3.Session(profile_name='agent'); c = s.client('sts');"
        "k = s.get_credentials().get_frozen_credentials();"
        "print(json.dumps([k.access_key, c.meta.endpoint_url, c.meta.region_name]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=laptop.environment(PYTHONPATH=str(Path(__file__).parent.parent.parent)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == ["HWIA0001", "https://aws.gateway.example", "eu-west-1"]
    assert laptop.run("setup", "aws", "--undo", "--yes").returncode == 0
    assert (laptop.home / ".aws/config").read_text() == OWN


def test_two_connections_do_not_fit_one_profile(laptop: Machine, told: dict[str, Any]) -> None:
    ran = laptop.run("setup", "aws", "--yes", "--aws-profile", "agent")
    assert ran.returncode == 2
    assert "--connection" in ran.stderr


def test_without_a_connection_nothing_is_written(laptop: Machine, told: dict[str, Any]) -> None:
    told["connections"] = []
    ran = laptop.run("setup", "aws", "--yes")
    assert ran.returncode == 1
    assert "no connection yet" in ran.stderr
    assert not (laptop.home / ".aws").exists()
