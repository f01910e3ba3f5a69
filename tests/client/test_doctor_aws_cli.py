"""`hoopweb doctor` on the aws CLI: version 1 passes the gateway by for six services unless aliases send them through."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.client.doctor_aws_cli import OWN_ENDPOINTS, aws_cli
from gateway.client.doctor_findings import Finding
from hoopweb.stack.plan import CHECKOUT

ENDPOINT = "https://aws.gateway.example:8443"


def found(home: Path, path: str, endpoint: str = ENDPOINT) -> list[Finding]:
    return list(aws_cli({"HOME": str(home), "PATH": path}, endpoint))


def program(folder: Path, script: str) -> str:
    """A PATH with an `aws` that does this."""
    own = folder / "bin"
    own.mkdir()
    (own / "aws").write_text(f"#!/bin/sh\n{script}\n")
    (own / "aws").chmod(0o755)
    return f"{own}:/usr/bin:/bin"


def says(folder: Path, version: str) -> str:
    return program(folder, f"echo 'aws-cli/{version} Python/3.11.7 Linux/6.1 source/x86_64'")


def alias(home: Path, text: str) -> None:
    (home / ".aws/cli").mkdir(parents=True)
    (home / ".aws/cli/alias").write_text(text)


def through(address: str = ENDPOINT, *, without: str = "") -> str:
    lines = [f"{name} = {name} --endpoint-url {address}" for name in OWN_ENDPOINTS if name != without]
    return "\n".join(["[toplevel]", "whoami = sts get-caller-identity", *lines, "odd", ""])


def test_the_real_version_1_is_told_with_the_lines_that_mend_it(tmp_path: Path) -> None:
    (one,) = found(tmp_path, f"{CHECKOUT}/.venv/bin:{os.defpath}")
    assert (one.check, one.state) == ("aws.cli", "weak")
    assert "sends sqs, emr, rds, docdb, neptune, health to AWS itself" in one.told
    assert f"`sqs = sqs --endpoint-url {ENDPOINT}`" in one.mend
    assert str(tmp_path / ".aws/cli/alias") in one.mend


def test_version_1_with_an_alias_for_each_is_good(tmp_path: Path) -> None:
    alias(tmp_path, through())
    assert [one.state for one in found(tmp_path, says(tmp_path, "1.46.3"))] == ["good"]


def test_an_alias_that_is_missing_or_leads_elsewhere_is_named(tmp_path: Path) -> None:
    alias(
        tmp_path, through(without="rds").replace(f"emr --endpoint-url {ENDPOINT}", "emr --endpoint-url https://x.org")
    )
    (one,) = found(tmp_path, says(tmp_path, "1.46.3"))
    assert "sends emr, rds to AWS itself" in one.told


@pytest.mark.parametrize(
    "text", ["", "no ini", "[toplevel\nsqs = sqs", "[other]\nsqs = sqs --endpoint-url x", "\x00\xff"]
)
def test_a_file_of_aliases_nobody_can_read_is_as_none(tmp_path: Path, text: str) -> None:
    alias(tmp_path, text)
    assert [one.state for one in found(tmp_path, says(tmp_path, "1.46.3"))] == ["weak"]


@pytest.mark.parametrize(("version", "state"), [("2.9.19", "weak"), ("2.13.0", "good"), ("2.40.1", "good")])
def test_version_2_reads_its_profile_from_2_13_on(tmp_path: Path, version: str, state: str) -> None:
    assert [one.state for one in found(tmp_path, says(tmp_path, version))] == [state]


@pytest.mark.parametrize("script", ["echo something else", "exit 1", "kill -9 $$"])
def test_a_program_that_says_no_version_is_said_to(tmp_path: Path, script: str) -> None:
    assert [one.state for one in found(tmp_path, program(tmp_path, script))] == ["note"]


def test_where_there_is_no_aws_cli_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert found(tmp_path, str(tmp_path)) == []


def test_without_a_known_gateway_any_alias_with_an_address_will_do(tmp_path: Path) -> None:
    alias(tmp_path, through("https://somewhere.example"))
    assert [one.state for one in found(tmp_path, says(tmp_path, "1.46.3"), endpoint="")] == ["good"]
