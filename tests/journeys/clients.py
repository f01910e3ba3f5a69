"""How the AWS clients of the compatibility page are pointed at the running product, and names that resolve here."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoopweb.stack.plan import CHECKOUT
from tests.journeys.product import Tenant


@contextmanager
def names_below_localhost() -> Iterator[None]:
    """As with systemd-resolved or wildcard DNS: every name below localhost is this machine."""
    before = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        return before("localhost" if str(host).endswith("localhost") else host, *arguments, **options)

    socket.getaddrinfo = resolve
    try:
        yield
    finally:
        socket.getaddrinfo = before


@dataclass(frozen=True, kw_only=True)
class Fetched:
    status: int
    body: bytes


def fetch(
    tenant: Tenant,
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Fetched:
    """Open a URL as curl would, trusting the demo's authority alone."""
    context = ssl.create_default_context(cafile=str(tenant.product.stack.plan.certificates.authority))
    # Without a type urllib claims a form, and the stand-in would then lose the body.
    own = dict(headers or {})
    given = {"Content-Type": "application/octet-stream", **own} if body is not None else own
    request = urllib.request.Request(url, method=method, data=body, headers=given)
    try:
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return Fetched(status=answer.status, body=answer.read())
    except urllib.error.HTTPError as error:
        return Fetched(status=error.code, body=error.read())


def environment(tenant: Tenant, **more: str) -> dict[str, str]:
    """What `. var/demo.env` gives a client, and nothing of this machine's own AWS configuration."""
    wanted = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
    return {
        **{name: tenant.demo[name] for name in (*wanted, "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE")},
        # The one name the aws CLI of version 1 reads.
        "AWS_DEFAULT_REGION": tenant.demo["AWS_REGION"],
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        **more,
    }


def aws(
    tenant: Tenant, *arguments: str, given: bytes | None = None, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the real aws CLI."""
    return subprocess.run(
        [sys.executable, "-m", "awscli", *arguments],
        env=environment(tenant, **(more or {})),
        cwd=CHECKOUT,
        input=given,
        capture_output=True,
        timeout=120,
        check=False,
    )


def cli_configured(folder: Path, *lines: str) -> dict[str, str]:
    """A configuration file of the CLI with these lines in its default profile."""
    path = folder / "aws-config"
    path.write_text("\n".join(("[default]", *lines, "")))
    return {"AWS_CONFIG_FILE": str(path)}
