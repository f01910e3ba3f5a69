"""The stand-in AWS as a process of its own, and what its access log says reached it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from hoopweb.stack.ports import free_port
from tests.requests.world import REGION

START_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Standin:
    url: str
    access_log: Path

    def client(self, service: str) -> Any:
        """Straight to the stand-in, past hoopweb, in the account the connections name."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="AKIADIRECT",
            aws_secret_access_key="direct",
            config=Config(inject_host_prefix=False),
        )

    def instance(self) -> str:
        """Start one, and return its id."""
        made = self.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
        return str(made["Instances"][0]["InstanceId"])

    def seen(self, request_id: object) -> list[dict[str, Any]]:
        """What reached AWS with this request's witness in its User-Agent."""
        lines = self.access_log.read_text().splitlines()
        return [line for line in map(json.loads, lines) if f"hoopweb/{request_id}#" in line["user_agent"]]


def running_standin(folder: Path) -> Iterator[Standin]:
    standin = Standin(url=f"http://127.0.0.1:{free_port()}", access_log=folder / "access")
    port = standin.url.rpartition(":")[2]
    command = [sys.executable, "-m", "hoopweb.stack.standin", "--port", port, "--access-log", str(standin.access_log)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait_until_ready(standin.url, process)
            yield standin
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/hoopweb-standin/ready", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail("the stand-in did not become ready")
