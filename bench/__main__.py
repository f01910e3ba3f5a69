"""`make bench`: what the whole path adds to a call at one connection, measured on a stack of its own.

The same boto3 call goes to the stand-in AWS directly and through hoopweb, in turn, so that both meet the same noise.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from hoopweb.stack import seed
from hoopweb.stack.plan import FREE_PORTS
from hoopweb.stack.running import Stack, running, say
from hoopweb.stack.services import remove
from hoopweb.story.world import read_env

Call = Callable[[Any], object]

# One of each kind the path treats differently: JSON, a masked answer, a payload, form and XML.
CALLS: Mapping[str, tuple[str, Call]] = {
    "dynamodb GetItem": ("dynamodb", lambda aws: aws.get_item(TableName=seed.TABLE, Key={"id": {"S": "c-1"}})),
    "secretsmanager GetSecretValue": ("secretsmanager", lambda aws: aws.get_secret_value(SecretId=seed.SECRET)),
    "s3 GetObject": ("s3", lambda aws: aws.get_object(Bucket=seed.REPORTS, Key="notes.txt")["Body"].read()),
    "ec2 DescribeInstances": ("ec2", lambda aws: aws.describe_instances()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Seconds of each call, directly and through hoopweb."""

    direct: list[float]
    through: list[float]

    def line(self, name: str) -> str:
        direct, through = statistics.median(self.direct), statistics.median(self.through)
        slowest = statistics.quantiles(self.through, n=100)[98]
        return f"{name:32}{_ms(direct):>10}{_ms(through):>10}{_ms(through - direct):>10}{_ms(slowest):>12}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def measure(call: Call, direct: Any, through: Any, *, count: int) -> Figures:
    """Time `count` calls each way, in turn; the first few are left out (connections, caches, compiled paths)."""
    for _ in range(10):
        call(direct), call(through)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(count):
        for client, taken in zip((direct, through), times, strict=True):
            started = time.perf_counter()
            call(client)
            taken.append(time.perf_counter() - started)
    return Figures(direct=times[0], through=times[1])


def client(service: str, environment: Mapping[str, str]) -> Any:
    """Return a client that goes through hoopweb, as `demo.env` tells an agent to."""
    session = boto3.Session(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment["AWS_SESSION_TOKEN"],
        region_name=environment["AWS_REGION"],
    )
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    bundle = environment["AWS_CA_BUNDLE"]
    return session.client(service, endpoint_url=environment["AWS_ENDPOINT_URL"], verify=bundle, config=config)


def report(stack: Stack, *, count: int) -> None:
    environment = read_env(stack.plan.demo_env)
    print(f"\n{count} calls each way at one connection, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'p50 of':32}{'direct':>10}{'through':>10}{'added':>10}{'p99 through':>12}")
    for name, (service, call) in CALLS.items():
        direct, through = seed.client(service, stack.plan.upstream_url), client(service, environment)
        print(measure(call, direct, through, count=count).line(name), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=300, help="calls each way (default 300)")
    options = parser.parse_args(arguments)
    state = Path(tempfile.mkdtemp(prefix="hoopweb-bench-"))
    own = {"PATH": os.environ["PATH"], "HOME": str(state), **FREE_PORTS, "HOOPWEB_STATE": str(state)}
    with running(own, say=say) as stack:
        stack.wait_until_up()
        report(stack, count=options.calls)
    remove(stack.plan.services)
    return 0


if __name__ == "__main__":
    sys.exit(main())
