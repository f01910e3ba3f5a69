"""What this machine can reach past the gateway: AWS itself, instance metadata, databases it has passwords for.

Connections are opened and closed at once; nothing is sent but one question to instance metadata.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from gateway.client.doctor_findings import Finding, broken, good, note, weak

# Long enough for a firewall that lets through; a person waits for each.
_SECONDS = 0.7
_TRUE = frozenset({"true", "1"})
_METADATA = "http://169.254.169.254"
_MOST_DATABASES = 10
Address = tuple[str, int]


def can_connect(address: Address) -> bool:
    """Whether a TCP connection opens in time; looking up the name included, which has no time limit of its own."""
    reached = threading.Event()

    def attempt() -> None:
        try:
            with socket.create_connection(address, timeout=_SECONDS):
                reached.set()
        except OSError:
            return

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(_SECONDS * 2)
    return reached.is_set()


def aws(regions: Iterable[str], reaches: Callable[[Address], bool] = can_connect) -> Iterator[Finding]:
    """Whether AWS itself can be reached: harmless without credentials, and one wall less."""
    hosts = [f"sts.{region}.amazonaws.com" for region in sorted(set(regions))] or ["sts.amazonaws.com"]
    reached = [host for host in hosts[:3] if reaches((host, 443))]
    if not reached:
        yield good("reach.aws", "AWS itself cannot be reached from here")
        return
    yield note(
        "reach.aws",
        f"{reached[0]} can be reached from here: whoever has AWS credentials can pass the gateway by",
        "give nobody AWS credentials; let AWS refuse calls that do not come from the gateway (docs/agents.md)",
    )


def metadata(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether instance credentials can be had here, as on a workstation in EC2."""
    url = urlsplit(environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _METADATA)
    is_off = environ.get("AWS_EC2_METADATA_DISABLED", "").lower() in _TRUE
    if not url.hostname or not _answers(url.hostname, url.port or 80):
        yield good("reach.metadata", "no instance metadata can be reached from here")
        return
    told = "instance metadata answers here: SDKs without a profile get this machine's own AWS credentials"
    if is_off:
        mend = "take the instance's role away, or block 169.254.169.254 for this account"
        yield weak("reach.metadata", f"{told}, once AWS_EC2_METADATA_DISABLED is unset", mend)
        return
    mend = "export AWS_EC2_METADATA_DISABLED=true, and take the instance's role away"
    yield broken("reach.metadata", told, mend)


def _answers(host: str, port: int) -> bool:
    """Whether somebody there speaks HTTP; IMDSv2 answers 401 to a question without a token."""
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/latest/meta-data/")
        return connection.getresponse().status in {200, 401}
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def databases(
    environ: Mapping[str, str], gateway_hosts: frozenset[str], reaches: Callable[[Address], bool] = can_connect
) -> Iterator[Finding]:
    """Databases that this machine is told how to reach and that answer, other than through the gateway."""
    direct = [one for one in sorted(_named(environ))[:_MOST_DATABASES] if one[0] not in gateway_hosts and reaches(one)]
    for host, port in direct:
        told = f"the database at {host}:{port} can be reached from here, past the gateway"
        yield weak(
            "reach.database", told, "let it take connections from the gateway only, and remove its password here"
        )
    if not direct:
        yield good("reach.database", "no database known here can be reached past the gateway")


def _named(environ: Mapping[str, str]) -> set[Address]:
    """Hosts and ports of databases in variables and in ~/.pgpass."""
    found = {_address(environ.get("PGHOST", ""), environ.get("PGPORT", ""))}
    for name, value in environ.items():
        if name.endswith(("DATABASE_URL", "_DSN", "DB_URL")) and "://" in value:
            found.add(_of_url(value))
    home = environ.get("HOME") or os.path.expanduser("~")
    try:
        with open(
            environ.get("PGPASSFILE") or os.path.join(home, ".pgpass"), encoding="utf-8", errors="replace"
        ) as file:
            lines = file.read(256 * 1024).splitlines()
    except OSError:
        lines = []
    found |= {_address(*line.split(":")[:2]) for line in lines if line.count(":") >= 4 and line[0] != "#"}
    return found - {("", 0)}


def _of_url(url: str) -> Address:
    try:
        parts = urlsplit(url)
        default = {"mysql": 3306, "mariadb": 3306}.get(parts.scheme.partition("+")[0], 5432)
        return _address(parts.hostname or "", str(parts.port or default))
    except ValueError:
        return "", 0


def _address(host: str, port: str) -> Address:
    is_remote = bool(host) and not host.startswith("/") and host not in {"*", "localhost", "127.0.0.1", "::1"}
    return (host, int(port) if port.isdecimal() else 5432) if is_remote else ("", 0)
