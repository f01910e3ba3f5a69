"""The world the story plays in: what `var/demo.env` says, the REST API, the aws CLI, and the stand-in's own truth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from hoopweb.stack import seed

REST_SECONDS = 20
# Longer than the product holds a call, so that a hold never looks like a hang.
CLI_SECONDS = 180


class NotAsTold(Exception):
    """A step went otherwise than the story says; the message shows what was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """AWS keys as hoopweb issues them."""

    access_key_id: str
    secret: str
    token: str


class World:
    """One demo tenant, reached only by what its users hold."""

    def __init__(self, demo: Mapping[str, str], *, access_log: Path) -> None:
        self.demo = demo
        self.url = demo["HOOPWEB_URL"].rstrip("/")
        self.endpoint = demo["AWS_ENDPOINT_URL"]
        self.ca = demo["AWS_CA_BUNDLE"]
        self.access_log = access_log
        self.region = demo["AWS_REGION"]

    # -- the REST API

    def rest(self, method: str, path: str, *, key: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the API as whoever holds `key` (a name in demo.env); raises NotAsTold with the problem's own words."""
        request = urllib.request.Request(  # noqa: S310  # the address is the demo's own
            f"{self.url}/api/v1/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.demo[key]}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=REST_SECONDS) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise NotAsTold(f"{method} {path} answered {error.code}: {error.read().decode()}") from None
        return json.loads(text) if text else None

    # -- AWS, through hoopweb

    def client(self, service: str, keys: Keys) -> Any:
        """An ordinary boto3 client: nothing is changed but endpoint and credentials."""
        session = boto3.Session(keys.access_key_id, keys.secret, keys.token, region_name=self.region)
        return session.client(service, endpoint_url=self.endpoint, verify=self.ca, config=Config(read_timeout=60))

    def aws(self, *arguments: str, keys: Keys, config_file: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the real aws CLI with nothing of this machine's own AWS configuration."""
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": "/nonexistent",
            "LANG": "C.UTF-8",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": self.ca,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
            "AWS_SESSION_TOKEN": keys.token,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(config_file or os.devnull),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        program = Path(sys.executable).with_name("aws")
        return subprocess.run(
            [sys.executable, str(program), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=CLI_SECONDS,
            check=False,
        )

    # -- the stand-in's own state, past hoopweb

    def truth(self, service: str) -> Any:
        """A client straight to the stand-in AWS: what really happened there."""
        return seed.client(service, self.demo["HOOPWEB_UPSTREAM_AWS_URL"])

    def upstream_lines(self, *, since: int = 0) -> list[dict[str, Any]]:
        """The stand-in's own access log from byte `since`: one JSON object a request that reached it."""
        with self.access_log.open("rb") as log:
            log.seek(since)
            return [json.loads(line) for line in log.read().splitlines() if line.strip()]

    def log_mark(self) -> int:
        """Where the access log ends now."""
        return self.access_log.stat().st_size if self.access_log.exists() else 0


def read_env(path: Path) -> dict[str, str]:
    """Read the `export NAME='value'` lines of demo.env."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line.startswith("export ") and "=" in line:
            name, _, value = line.removeprefix("export ").partition("=")
            found[name.strip()] = value.strip().strip("'\"")
    return found
