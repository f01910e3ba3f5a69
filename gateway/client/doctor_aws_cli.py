"""Whether the aws CLI on this machine goes where its profile says. Version 1 has endpoints of its own for six services,
and only an alias of the person's sends those through the gateway (docs/compatibility.md)."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping

from gateway.client.doctor_bypass import address_shown, origin
from gateway.client.doctor_findings import Finding, good, note, weak

# Where AWS's own CLI keeps endpoints for version 1: awscli/customizations and its endpoints' data.
OWN_ENDPOINTS = ("sqs", "emr", "rds", "docdb", "neptune", "health")
_ANSWER_SECONDS = 20.0
_LARGEST = 1024 * 1024


def aws_cli(environ: Mapping[str, str], endpoint: str) -> Iterator[Finding]:
    """What the `aws` of this PATH would do past the gateway; nothing where there is none. `endpoint` may be empty."""
    found = shutil.which("aws", path=environ.get("PATH", os.defpath))
    if found is None:
        return
    version = _version(found, environ)
    if version is None:
        yield note("aws.cli", f"{found} does not say its version: whether it goes through the gateway is not known")
        return
    if version[0] >= 2:
        yield from _second(version)
        return
    yield from _first(environ, endpoint)


def _version(program: str, environ: Mapping[str, str]) -> tuple[int, int] | None:
    try:
        ran = subprocess.run(
            [program, "--version"],
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = re.match(r"aws-cli/(\d+)\.(\d+)", ran.stdout or ran.stderr)
    return (int(told[1]), int(told[2])) if told is not None else None


def _second(version: tuple[int, int]) -> Iterator[Finding]:
    if version >= (2, 13):
        yield good("aws.cli", "the aws CLI reads its profile's endpoint")
        return
    yield weak(
        "aws.cli",
        f"the aws CLI {version[0]}.{version[1]} does not read endpoint_url: its calls go to AWS itself",
        "update it to 2.13 or later",
    )


def _first(environ: Mapping[str, str], endpoint: str) -> Iterator[Finding]:
    path = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".aws", "cli", "alias")
    aliases = _aliases(path)
    astray = [name for name in OWN_ENDPOINTS if not _leads_to(aliases.get(name, ""), endpoint)]
    if not astray:
        yield good("aws.cli", "the aws CLI v1 has an alias for each service it would send past the gateway")
        return
    where = address_shown(endpoint) if endpoint else "https://YOUR-GATEWAY"
    lines = ", ".join(f"`{name} = {name} --endpoint-url {where}`" for name in astray)
    yield weak(
        "aws.cli",
        f"the aws CLI v1 sends {', '.join(astray)} to AWS itself, whatever the profile says",
        f"put below [toplevel] in {path}: {lines}",
    )


def _aliases(path: str) -> Mapping[str, str]:
    """Empty where there is no file, or none that can be read."""
    read = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            read.read_string(file.read(_LARGEST))
        return {name: value or "" for name, value in read.items("toplevel")}
    except (OSError, configparser.Error):
        return {}


def _leads_to(alias: str, endpoint: str) -> bool:
    told = re.search(r"--endpoint-url[= ]+(\S+)", alias)
    return told is not None and (not endpoint or origin(told[1]) == origin(endpoint))
