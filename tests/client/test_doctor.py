"""`hoopweb doctor`: the command on a machine that is whole, and with one link broken at a time."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from gateway.client import doctor_aws_cli
from gateway.client.app import main
from tests.client.world import Machine

ENDPOINT = "https://aws.gateway.example"


def examined(laptop: Machine, *arguments: str, **more: str) -> tuple[int, dict[str, tuple[str, str, str]]]:
    """Exit status, and the worst finding of each check: state, words, how to mend."""
    told = io.StringIO()
    # No aws CLI on the way: asking it for its version takes a second.
    environment = laptop.environment(AWS_PROFILE="hoopweb-billing", PATH=str(laptop.home / "bin")) | more
    with mock.patch.dict(os.environ, environment, clear=True), contextlib.redirect_stdout(told):
        status = main(["doctor", "--json", "--offline", *arguments])
    order = ["good", "note", "weak", "broken"]
    found: dict[str, tuple[str, str, str]] = {}
    for one in sorted(json.loads(told.getvalue())["findings"], key=lambda one: order.index(one["state"])):
        found[one["check"]] = (one["state"], one["told"], one["mend"])
    return status, found


@pytest.fixture
def device(laptop: Machine) -> dict[str, Any]:
    told = {
        "person": {"username": "alice"},
        "gateway_url": "https://gateway.example",
        "aws_url": ENDPOINT,
        "ca_pem": "",
        "server_time": datetime.now(UTC).isoformat(),
        "on_unreachable": "spool",
        "connections": [{"id": "1", "name": "billing", "regions": ["eu-west-1"]}],
    }
    laptop.gateway.replies["GET", "/api/v1/device/"] = lambda _: (200, told)
    return told


@pytest.fixture
def whole(laptop: Machine, device: dict[str, Any]) -> Machine:
    """A machine with everything set up."""
    with mock.patch.dict(os.environ, laptop.environment(), clear=True), contextlib.redirect_stdout(io.StringIO()):
        for what in ("cursor", "claude", "codex", "gemini", "aws"):
            assert main(["setup", what, "--yes"]) == 0
    # Whatever aws CLI this machine has, version 1 among them, goes through.
    aliases = laptop.home / ".aws" / "cli" / "alias"
    aliases.parent.mkdir()
    lines = [f"{name} = {name} --endpoint-url {ENDPOINT}" for name in doctor_aws_cli.OWN_ENDPOINTS]
    aliases.write_text("\n".join(["[toplevel]", *lines]))
    return laptop


def test_a_machine_that_is_set_up_is_whole(whole: Machine) -> None:
    ran = whole.run("doctor", "--offline", AWS_PROFILE="hoopweb-billing", PATH=os.environ["PATH"])
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.endswith("The chain holds.\n")
    status, found = examined(whole)
    assert status == 0
    assert {check for check, (state, _, _) in found.items() if state in {"weak", "broken"}} == set()
    assert {"enrolment", "broker", "device", "clock", "hooks.cursor", "aws.config", "aws.credentials"} <= set(found)


def write(machine: Machine, name: str, text: str) -> None:
    path = machine.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def edit(machine: Machine, name: str, old: str, new: str) -> None:
    path = machine.home / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


_LATER = (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
_EARLIER = "2020-01-01T00:00:00Z"
Break = Callable[[Machine], None]
BROKEN: dict[str, tuple[str, Break]] = {
    "a hook taken out": (
        "hooks.cursor",
        lambda its: edit(its, ".cursor/hooks.json", "beforeSubmitPrompt", "beforeSubmitPromptX"),
    ),
    "a hook that may fail": (
        "hooks.cursor",
        lambda its: edit(its, ".cursor/hooks.json", '"failClosed": true', '"failClosed": false'),
    ),
    "hooks of another program": (
        "hooks.claude",
        lambda its: edit(its, ".claude/settings.json", "gateway.client hook claude", "true"),
    ),
    "a file no agent can read": ("hooks.gemini", lambda its: write(its, ".gemini/settings.json", '{\n"hooks": {]}')),
    "all of Claude's hooks off": (
        "hooks.claude",
        lambda its: edit(its, ".claude/settings.json", "{\n", '{\n"disableAllHooks": true,'),
    ),
    "all of Codex's hooks off": (
        "hooks.codex",
        lambda its: write(its, ".codex/config.toml", "[features]\nhooks=false"),
    ),
    "all of Gemini's hooks off": (
        "hooks.gemini",
        lambda its: edit(its, ".gemini/settings.json", "{\n", '{\n"hooksConfig": {"enabled": false},'),
    ),
    "keys in the credentials file": (
        "aws.credentials",
        lambda its: write(its, ".aws/credentials", "[default]\naws_access_key_id = AKIAVERYSECRET\n"),
    ),
    "keys in the config file": (
        "aws.credentials",
        lambda its: edit(
            its, ".aws/config", "[profile", "[profile old]\naws_secret_access_key = AKIAVERYSECRET\n[profile"
        ),
    ),
    "a credentials file that cannot be read": (
        "aws.credentials",
        lambda its: write(its, ".aws/credentials", "aws_access_key_id = AKIAVERYSECRET\n"),
    ),
    "a live single sign-on": (
        "aws.caches",
        lambda its: write(
            its, ".aws/sso/cache/a.json", json.dumps({"accessToken": "AKIAVERYSECRET", "expiresAt": _LATER})
        ),
    ),
    "live keys of the CLI": (
        "aws.caches",
        lambda its: write(
            its,
            ".aws/cli/cache/b.json",
            json.dumps({"Credentials": {"AccessKeyId": "AKIAVERYSECRET", "Expiration": _LATER}}),
        ),
    ),
    "a token that renews itself": (
        "aws.caches",
        lambda its: write(
            its, ".aws/sso/cache/c.json", json.dumps({"refreshToken": "AKIAVERYSECRET", "expiresAt": _EARLIER})
        ),
    ),
    "another endpoint": (
        "aws.config",
        lambda its: edit(its, ".aws/config", ENDPOINT, "https://eu-west-1.amazonaws.com"),
    ),
    "endpoints ignored": (
        "aws.config",
        lambda its: edit(its, ".aws/config", "region =", "ignore_configured_endpoint_urls = true\nregion ="),
    ),
    "an endpoint for one service": (
        "aws.config",
        lambda its: edit(its, ".aws/config", "region =", "services = mine\nregion ="),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_with_how_to_mend_it(whole: Machine, name: str) -> None:
    check, break_it = BROKEN[name]
    break_it(whole)
    status, found = examined(whole)
    state, told, mend = found[check]
    assert (status, state) == (1, "broken")
    assert mend
    assert "AKIAVERYSECRET" not in told + mend
    assert {one for one, (state, _, _) in found.items() if state == "broken"} == {check}


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("AWS_ACCESS_KEY_ID", "AKIAVERYSECRET", "env.credentials"),
        ("AWS_SECRET_ACCESS_KEY", "AKIAVERYSECRET", "env.credentials"),
        ("AWS_SESSION_TOKEN", "AKIAVERYSECRET", "env.credentials"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/AKIAVERYSECRET", "env.credentials"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost/AKIAVERYSECRET", "env.credentials"),
        ("AWS_BEARER_TOKEN_BEDROCK", "AKIAVERYSECRET", "env.credentials"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True", "env.ignore_endpoints"),
        ("AWS_ENDPOINT_URL", "https://u:AKIAVERYSECRET@sts.amazonaws.com", "env.endpoint"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.amazonaws.com", "env.endpoint"),
        ("AWS_PROFILE", "work", "aws.profile"),
        ("AWS_CA_BUNDLE", "/nowhere.pem", "env.ca"),
    ],
)
def test_a_variable_that_passes_the_gateway_by_is_named_and_not_repeated(
    whole: Machine, variable: str, value: str, check: str
) -> None:
    status, found = examined(whole, **{variable: value})
    state, told, mend = found[check]
    assert (status, state) == (1, "broken")
    assert variable in told + mend or check == "aws.profile"
    assert "AKIAVERYSECRET" not in told + mend


@pytest.mark.parametrize(
    ("variables", "check"),
    [
        ({"HTTPS_PROXY": "http://u:pw@proxy:3128"}, "env.proxy"),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "aws.gateway.example,.amazonaws.com"}, "env.proxy"),
    ],
)
def test_proxies_that_get_between_are_told(whole: Machine, variables: dict[str, str], check: str) -> None:
    status, found = examined(whole, **variables)
    assert (status, found[check][0]) == (0, "weak")
    assert "pw" not in found[check][1]


def test_a_proxy_that_spares_the_gateway_is_fine(whole: Machine) -> None:
    _, found = examined(whole, HTTPS_PROXY="http://proxy:3128", NO_PROXY=".gateway.example")
    assert "env.proxy" not in found


def test_the_gateways_own_endpoint_in_a_variable_is_fine(whole: Machine) -> None:
    status, found = examined(whole, AWS_ENDPOINT_URL=ENDPOINT + "/")
    assert status == 0
    assert "env.endpoint" not in found


def test_caches_that_have_ended_and_files_that_are_none_are_fine(whole: Machine) -> None:
    write(whole, ".aws/sso/cache/a.json", json.dumps({"accessToken": "x", "expiresAt": _EARLIER}))
    write(whole, ".aws/sso/cache/b.json", json.dumps({"clientId": "x", "expiresAt": _LATER}))
    write(whole, ".aws/sso/cache/c.json", "{")
    write(whole, ".aws/sso/cache/d.json", "[]")
    assert examined(whole)[0] == 0


def test_another_profile_with_its_own_way_to_keys_is_told(whole: Machine) -> None:
    edit(whole, ".aws/config", "[profile", "[profile corp]\nsso_session = corp\n[profile")
    status, found = examined(whole)
    assert (status, found["aws.other_profiles"][0]) == (0, "weak")


@pytest.mark.parametrize(("seconds", "state"), [(0, "good"), (90, "weak"), (-90, "weak"), (1000, "broken")])
def test_a_clock_that_is_wrong_is_told(whole: Machine, device: dict[str, Any], seconds: float, state: str) -> None:
    device["server_time"] = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    found = examined(whole)[1]["clock"]
    assert found[0] == state
    assert ("ahead" in found[1]) == (seconds > 0)


def test_a_revoked_device_is_told_in_the_gateways_words(whole: Machine) -> None:
    whole.gateway.replies["GET", "/api/v1/device/"] = lambda _: (401, {"code": "x", "title": "This device was revoked"})
    status, found = examined(whole)
    assert (status, found["device"][0]) == (1, "broken")
    assert "This device was revoked." in found["device"][1]
    assert "hoopweb login" in found["device"][2]


def test_a_gateway_that_is_away_is_told(whole: Machine) -> None:
    path = Path(whole.place().profile_file)
    path.write_text(path.read_text().replace(whole.gateway.url, "http://127.0.0.1:9"))
    status, found = examined(whole)
    assert (status, found["gateway"][0]) == (1, "broken")
    assert "nobody listens there" in found["gateway"][1]
    # What can be told without it is told.
    assert found["aws.config"][0] == "good"


def test_records_that_wait_are_told(whole: Machine) -> None:
    from gateway.client.hook_spool import Spool

    Spool(whole.place()).keep("/api/v1/prompts/", {})
    assert "1 records wait" in examined(whole)[1]["spool"][1]


def test_a_machine_that_is_not_enrolled_hears_what_to_do_first(machine: Machine) -> None:
    ran = machine.run("doctor", "--offline")
    assert ran.returncode == 1
    assert ran.stdout.startswith("BAD   This machine is not enrolled")
    assert "Traceback" not in ran.stderr
