"""`hoopweb exec` and `hoopweb psql`: commands that reach AWS, or a database, through the gateway and by no other way.

The keys are made by `hoopweb credentials` each time the command asks; nothing lasting is put into its environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.client import api
from gateway.client.aws_profile import AwsProfile, cleaned, program
from gateway.client.errors import ClientError, GatewayUnreachable, Usage
from gateway.client.options import Options, place_named
from gateway.client.own_files import write_own
from gateway.client.state import Place, read_profile

_NAME = "hoopweb"


class NotThere(ClientError):
    """The gateway has no such connection, or the machine no such program."""


def execute(arguments: list[str]) -> int:
    """Become the command; returns only where it cannot be started."""
    options = Options("exec", "Run a command whose AWS calls go through the gateway.")
    options.add_argument("--connection", help="which one (default: the only one you may use)")
    options.add_argument("command", nargs="...", metavar="-- COMMAND ...")
    given = options.parse_args(arguments)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        raise Usage("Say what to run: hoopweb exec -- COMMAND ...")
    place = place_named(given.profile)
    found = api.call(place, "GET", "/api/v1/device/")
    profile = aws_profile_of(place, found, given.connection)
    environment = {**cleaned(os.environ), **_pointing(_config_file(place, profile), profile)}
    return _become(command, environment)


def psql(arguments: list[str]) -> int:
    """Says that there is no database path: the gateway has none, and a direct connection would pass it by."""
    options = Options("psql", "Open psql through the gateway.")
    # The rest is psql's own.
    given, _ = options.parse_known_args(arguments)
    place = place_named(given.profile)
    found = api.call(place, "GET", "/api/v1/device/")
    if not found.get("databases"):
        raise NotThere(f"The gateway {read_profile(place).gateway} has no path to databases: psql was not started.")
    raise NotThere(
        "The gateway has a path to databases that this version of hoopweb does not know: install a newer one."
    )


def aws_profile_of(place: Place, device: Mapping[str, Any], connection: str | None) -> AwsProfile:
    """The AWS profile of one connection, by what the gateway says of this device; raises NotThere or
    GatewayUnreachable."""
    try:
        chosen = _chosen(list(device["connections"]), connection)
        return AwsProfile(
            connection=str(chosen["name"]),
            profile=place.profile,
            endpoint_url=str(device["aws_url"]),
            region=str(chosen["regions"][0]),
            ca_file=_ca_file(place, str(device["ca_pem"] or "")),
        )
    except (KeyError, IndexError, TypeError):
        raise GatewayUnreachable("What answered is not a hoopweb gateway of this version.") from None


def _chosen(usable: Sequence[Mapping[str, Any]], connection: str | None) -> Mapping[str, Any]:
    """The connection meant, by name or id; raises NotThere where there is none, or several and none is named."""
    found = [one for one in usable if connection in {None, one["name"], one["id"]}]
    names = ", ".join(sorted(str(one["name"]) for one in usable)) or "none"
    if not found:
        raise NotThere(f"You have no connection of that name; there is {names}.")
    if len(found) > 1:
        raise NotThere(f"Say which connection with --connection; there is {names}.")
    return found[0]


def _ca_file(place: Place, pem: str) -> str:
    """The authority behind the gateway's certificates as a file SDKs can read; empty where the system's will do."""
    if not pem:
        return ""
    path = f"{place.folder}/gateway-ca.pem"
    write_own(path, pem.encode())
    return path


def _config_file(place: Place, profile: AwsProfile) -> str:
    path = f"{place.folder}/aws/{hashlib.sha256(profile.connection.encode()).hexdigest()[:16]}.config"
    lines = [f"{name} = {value}" for name, value in profile.settings(program()).items()]
    write_own(path, "\n".join((f"[profile {_NAME}]", *lines, "")).encode())
    return path


def _pointing(path: str, profile: AwsProfile) -> dict[str, str]:
    """The variables that make every SDK read that one file and nothing else."""
    trust = {"NODE_EXTRA_CA_CERTS": profile.ca_file} if profile.ca_file else {}
    return {
        **trust,
        "AWS_CONFIG_FILE": path,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PROFILE": _NAME,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _become(command: list[str], environment: dict[str, str]) -> int:
    found = shutil.which(command[0], path=environment.get("PATH"))
    if found is None:
        raise NotThere(f"There is no program {command[0]!r} on PATH.")
    try:
        os.execve(found, command, environment)  # noqa: S606  # the command is what the person typed
    except OSError as error:
        raise NotThere(f"{found} cannot be started ({error.strerror}).") from None
