"""The real aws CLI through hoopweb, service by service: what it prints when a call passes, and when one is refused."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hoopweb.stack import seed
from hoopweb.stack.plan import CHECKOUT
from tests.journeys.product import Product, Tenant

ARN = f"arn:aws:rds:us-east-1:{seed.ACCOUNT}:cluster:none"
SECRET_ARN = f"arn:aws:secretsmanager:us-east-1:{seed.ACCOUNT}:secret:none"
KEY = {"id": {"S": "cli"}}
FOLDER = "{folder}"
QUEUE = "{queue}"

# aws-cli v1 has endpoints of its own for these, which outweigh AWS_ENDPOINT_URL (in `overridesslcommonname.py`); an
# alias that says the endpoint stands before each, as docs/compatibility.md has it.
ALIASED = ("sqs", "emr", "rds", "docdb", "neptune", "health")
# name -> the command. They run in this order, in one session of the agent.
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "identity": ("sts", "get-caller-identity"),
    "buckets": ("s3", "ls"),
    "upload": ("s3", "cp", f"{FOLDER}/up.txt", f"s3://{seed.SCRATCH}/cli/up.txt", "--no-progress"),
    "sync-up": ("s3", "sync", f"{FOLDER}/tree", f"s3://{seed.SCRATCH}/cli/tree", "--no-progress"),
    "listing": ("s3", "ls", f"s3://{seed.SCRATCH}/cli/", "--recursive"),
    "download": ("s3", "cp", f"s3://{seed.SCRATCH}/cli/up.txt", "-"),
    "sync-down": ("s3", "sync", f"s3://{seed.SCRATCH}/cli/tree", f"{FOLDER}/back", "--no-progress"),
    "put-item": ("dynamodb", "put-item", "--table-name", seed.TABLE, "--item", json.dumps(KEY | {"n": {"N": "1"}})),
    "get-item": ("dynamodb", "get-item", "--table-name", seed.TABLE, "--key", json.dumps(KEY)),
    "delete-item": ("dynamodb", "delete-item", "--table-name", seed.TABLE, "--key", json.dumps(KEY)),
    "parameter": ("ssm", "get-parameter", "--name", seed.PARAMETER, "--with-decryption"),
    "secret": ("secretsmanager", "get-secret-value", "--secret-id", seed.SECRET),
    "send": ("sqs", "send-message", "--queue-url", QUEUE, "--message-body", "from the cli"),
    "receive": ("sqs", "receive-message", "--queue-url", QUEUE),
    "encrypt": ("kms", "encrypt", "--key-id", seed.KEY_ALIAS, "--plaintext", "cGxhaW4="),
    "invoke": ("lambda", "invoke", "--function-name", seed.FUNCTION, "--payload", "{}", f"{FOLDER}/invoked.json"),
    "instances": ("ec2", "describe-instances", "--query", "Reservations[].Instances[].InstanceId"),
    "statement": ("rds-data", "execute-statement", "--resource-arn", ARN, "--secret-arn", SECRET_ARN, "--sql", "SELECT 1"),
}  # fmt: skip
# name -> the command, the code its service has for a refusal, and a part of what our rule advises.
REFUSED: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "s3-rb": (("s3", "rb", f"s3://{seed.REPORTS}"), "AccessDenied", "Deleting buckets"),
    "s3-public": (
        ("s3", "cp", f"{FOLDER}/up.txt", f"s3://{seed.SCRATCH}/cli/open.txt", "--acl", "public-read", "--no-progress"),
        "AccessDenied",
        "Nothing is opened to everybody",
    ),
    "dynamodb": (("dynamodb", "delete-table", "--table-name", seed.TABLE), "AccessDeniedException", "Deleting databases"),
    "sts": (
        ("iam", "create-access-key", "--user-name", "alice"),
        "AccessDenied",
        "credentials",
    ),
    "ssm": (
        ("ssm", "send-command", "--document-name", "AWS-RunShellScript", "--instance-ids", "i-0123456789abcdef0"),
        "AccessDeniedException",
        "Running commands on machines",
    ),
    "secretsmanager": (
        ("secretsmanager", "delete-secret", "--secret-id", seed.SECRET), "AccessDeniedException", "Deleting secrets",
    ),
    "sqs": (("sqs", "purge-queue", "--queue-url", QUEUE), "AccessDeniedException", "Messages still in it"),
    "kms": (
        ("kms", "schedule-key-deletion", "--key-id", "1234abcd-12ab-34cd-56ef-1234567890ab"),
        "AccessDeniedException",
        "Without its key",
    ),
    "lambda": (
        ("lambda", "create-function-url-config", "--function-name", seed.FUNCTION, "--auth-type", "NONE"),
        "AccessDeniedException",
        "Nothing is opened to everybody",
    ),
    "ec2": (
        ("ec2", "authorize-security-group-ingress", "--group-id", "sg-0123456789abcdef0", "--protocol", "tcp",
         "--port", "22", "--cidr", "0.0.0.0/0"),
        "UnauthorizedOperation",
        "reachable from everywhere",
    ),
    "rds": (
        ("rds", "modify-db-snapshot-attribute", "--db-snapshot-identifier", "nightly", "--attribute-name", "restore",
         "--values-to-add", "all"),
        "AccessDenied",
        "Nothing is opened to everybody",
    ),
    "logs": (
        ("logs", "put-retention-policy", "--log-group-name", "audit", "--retention-in-days", "1"),
        "AccessDeniedException",
        "Logs are kept",
    ),
    "cloudtrail": (("cloudtrail", "stop-logging", "--name", "main"), "AccessDeniedException", "Trails and logs stay on"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one command said and returned."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """All commands, run once: results by name, the folder they worked in, what reached the stand-in meanwhile."""

    ran: Mapping[str, Ran]
    folder: Path
    upstream: list[dict[str, Any]]


@pytest.fixture(scope="module")
def commands(product: Product, demo: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "up.txt").write_text("from the command line\n")
    (folder / "tree" / "deep").mkdir(parents=True)
    (folder / "tree" / "deep" / "leaf.txt").write_text("a leaf\n")
    (folder / "tree" / "root.txt").write_text("a root\n")
    aliases = "".join(f"{name} = {name} --endpoint-url {demo.demo['AWS_ENDPOINT_URL']}\n" for name in ALIASED)
    (folder / ".aws" / "cli").mkdir(parents=True)
    (folder / ".aws" / "cli" / "alias").write_text(f"[toplevel]\n{aliases}")
    queue = product.truth("sqs").create_queue(QueueName="cli")["QueueUrl"]
    named = {**ALLOWED, **{name: command for name, (command, _, _) in REFUSED.items()}}
    lines = [_words(command, folder=folder, queue=queue) for command in named.values()]
    before = len(product.upstream())
    found = subprocess.run(
        [sys.executable, "-m", "tests.journeys.cli_runner"],
        input=json.dumps(lines),
        cwd=CHECKOUT,
        env=_environment(demo, folder),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    ran = {name: Ran(**one) for name, one in zip(named, json.loads(found.stdout), strict=True)}
    return Commands(ran=ran, folder=folder, upstream=product.upstream()[before:])


def _words(command: tuple[str, ...], *, folder: Path, queue: str) -> list[str]:
    return [word.replace(FOLDER, str(folder)).replace(QUEUE, queue) for word in command]


def _environment(tenant: Tenant, home: Path) -> dict[str, str]:
    """What `. var/demo.env` gives, in a conversation of its own, and nothing of this machine's AWS configuration."""
    held = tenant.keys_for("the-command-line")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return {
        **{name: held[name] for name in names},
        **{name: tenant.demo[name] for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_REGION")},
        "AWS_DEFAULT_REGION": tenant.demo["AWS_REGION"],
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }


@pytest.mark.parametrize("name", ALLOWED)
def test_an_allowed_command_succeeds_and_says_nothing_on_the_side(commands: Commands, name: str) -> None:
    ran = commands.ran[name]
    assert ran.err.strip() == ""
    assert ran.status == 0


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_command_prints_its_services_own_error_and_our_advice(commands: Commands, name: str) -> None:
    _, code, advice = REFUSED[name]
    ran = commands.ran[name]
    assert ran.status not in (0, None)
    assert f"An error occurred ({code})" in ran.err
    assert advice in ran.err
    assert "Traceback" not in ran.err
    assert "parse" not in ran.err.lower()


def test_nothing_refused_reached_aws(commands: Commands) -> None:
    told = json.dumps(commands.upstream)
    for trace in (
        "DeleteTable",
        "SendCommand",
        "DeleteSecret",
        "PurgeQueue",
        "StopLogging",
        "open.txt",
        "CreateAccessKey",
    ):
        assert trace not in told


def test_files_go_up_and_come_back_as_they_were(commands: Commands) -> None:
    assert commands.ran["download"].out == "from the command line\n"
    assert (commands.folder / "back" / "deep" / "leaf.txt").read_text() == "a leaf\n"
    assert (commands.folder / "back" / "root.txt").read_text() == "a root\n"
    listed = commands.ran["listing"].out
    assert all(name in listed for name in ("cli/up.txt", "cli/tree/deep/leaf.txt", "cli/tree/root.txt"))


def test_answers_are_what_the_service_says_with_secrets_masked(commands: Commands) -> None:
    told = {name: ran.out for name, ran in commands.ran.items()}
    assert json.loads(told["identity"])["Account"] == seed.ACCOUNT
    assert seed.REPORTS in told["buckets"]
    assert json.loads(told["get-item"])["Item"]["n"] == {"N": "1"}
    assert json.loads(told["receive"])["Messages"][0]["Body"] == "from the cli"
    assert json.loads(told["parameter"])["Parameter"]["Value"] == "[REDACTED:secret]"
    assert seed.DATABASE_PASSWORD not in told["secret"]
    assert json.loads(told["instances"])
    assert "records" in json.loads(told["statement"])
    assert seed.API_TOKEN not in (commands.folder / "invoked.json").read_text()


def test_every_command_stands_in_the_session_with_its_decision(commands: Commands, demo: Tenant) -> None:
    session = next(one for one in demo.items("sessions/") if one["conversation"] == "the-command-line")
    assert session["refused"] == len(REFUSED)
    assert session["calls"] >= len(ALLOWED) + len(REFUSED)
    assert session["taint"] == ["secret", "untrusted"]


def test_the_aliases_are_those_of_the_page_and_all_the_cli_needs() -> None:
    names = importlib.import_module("awscli.customizations.overridesslcommonname").SSL_COMMON_NAMES
    page = (CHECKOUT / "docs" / "compatibility.md").read_text()
    assert set(names) == set(ALIASED)
    for name in ALIASED:
        assert f"{name} = {name} --endpoint-url https://" in page
