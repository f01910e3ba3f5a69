"""`make bench`: what the whole path adds to a call, measured side by side with the same call made directly.

Each figure is the median of several rounds; a round makes the same calls directly and through hoopweb in turn, so
that both meet the same noise. `--aws moto` measures against the stand-in, the default against a few canned answers.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from bench import wrk
from bench.comparison import mitmdump
from bench.cpu import per_call, seconds_of
from bench.raw import Target, latencies, throughput
from bench.stack import let_bodies_through, measured
from hoopweb.stack import seed
from hoopweb.stack.running import Stack
from hoopweb.story.world import read_env

Call = Callable[[Any], object]
Load = Callable[..., float]
CONNECTIONS = (1, 32)
THROUGHPUT_SECONDS = 3.0
WARM_UP = 20
BLOB = bytes(range(256)) * 80_000

# One of each kind the path treats differently: JSON, a masked answer, a payload, form and XML.
CALLS: Mapping[str, tuple[str, Call]] = {
    "dynamodb GetItem": ("dynamodb", lambda aws: aws.get_item(TableName=seed.TABLE, Key={"id": {"S": "c-1"}})),
    "secretsmanager GetSecretValue": ("secretsmanager", lambda aws: aws.get_secret_value(SecretId=seed.SECRET)),
    "s3 GetObject": ("s3", lambda aws: aws.get_object(Bucket=seed.REPORTS, Key="notes.txt")["Body"].read()),
    "ec2 DescribeInstances": ("ec2", lambda aws: aws.describe_instances()),
}
# What the canned answers know.
CANNED = ("dynamodb GetItem",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round's medians, in seconds, and the slowest of a hundred through hoopweb."""

    direct: float
    through: float
    slow: float


def timed(call: Callable[[], object], count: int) -> list[float]:
    """Seconds of each call."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return taken


def one_round(direct: Callable[[int], list[float]], through: Callable[[int], list[float]], count: int) -> Round:
    first, second = direct(count), through(count)
    slow = statistics.quantiles(second, n=100)[98]
    return Round(direct=statistics.median(first), through=statistics.median(second), slow=slow)


def line(name: str, rounds: list[Round]) -> str:
    direct, through = (statistics.median(getattr(one, which) for one in rounds) for which in ("direct", "through"))
    added = [one.through - one.direct for one in rounds]
    ratio = statistics.median(one.through / one.direct for one in rounds)
    slow = statistics.median(one.slow for one in rounds)
    return f"{name:34}{_ms(direct):>10}{_ms(through):>10}{_spread(added):>24}{ratio:>8.2f}{_ms(slow):>10}"


def _spread(seconds: list[float]) -> str:
    low, middle, high = (1000 * value for value in (min(seconds), statistics.median(seconds), max(seconds)))
    return f"{low:.2f}/{middle:.2f}/{high:.2f} ms"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


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


def targets(stack: Stack, environment: Mapping[str, str]) -> tuple[Target, Target]:
    authority = stack.plan.certificates.authority
    direct = Target(url=stack.plan.upstream_url, keys=environment)
    return direct, Target(url=stack.plan.edges[0].url, keys=environment, authority=authority)


def latency(stack: Stack, names: tuple[str, ...], *, rounds: int, count: int) -> None:
    environment = read_env(stack.plan.demo_env)
    print(
        f"\n{'p50 at one connection':34}{'direct':>10}{'through':>10}{'added min/med/max':>24}{'ratio':>8}{'p99':>10}"
    )
    for name in names:
        service, call = CALLS[name]
        direct, through = seed.client(service, stack.plan.upstream_url), client(service, environment)
        _measure(
            f"{name} (boto3)",
            lambda n, call=call, aws=direct: timed(lambda: call(aws), n),  # type: ignore[misc]
            lambda n, call=call, aws=through: timed(lambda: call(aws), n),  # type: ignore[misc]
            rounds=rounds,
            count=count,
        )
    near, far = targets(stack, environment)
    _measure(
        "dynamodb GetItem (raw client)",
        lambda n: latencies(near, count=n),
        lambda n: latencies(far, count=n),
        rounds=rounds,
        count=count,
    )


def _measure(
    name: str,
    direct: Callable[[int], list[float]],
    through: Callable[[int], list[float]],
    *,
    rounds: int,
    count: int,
) -> None:
    direct(WARM_UP), through(WARM_UP)
    print(line(name, [one_round(direct, through, count) for _ in range(rounds)]), flush=True)


def many_connections(stack: Stack, connections: int, *, rounds: int) -> None:
    """Calls a second directly, through hoopweb and through mitmdump, in turn; and what hoopweb's processes spend."""
    near, far = targets(stack, read_env(stack.plan.demo_env))
    clients: dict[str, Load] = {"our own client": throughput}
    if wrk.WRK is not None:
        clients["wrk"] = wrk.throughput
    with mitmdump(near.url, near.keys) as (other, other_process):
        for name, load in clients.items():
            rates: dict[str, list[float]] = {"direct": [], "hoopweb": [], "mitmdump": []}
            for target in (far, other):
                load(target, connections=connections, seconds=1.0)
            before, spent = seconds_of(stack), other_process.cpu_times()
            for _ in range(rounds):
                for way, target in (("direct", near), ("hoopweb", far), ("mitmdump", other)):
                    rates[way].append(load(target, connections=connections, seconds=THROUGHPUT_SECONDS))
            after, done = seconds_of(stack), other_process.cpu_times()
            calls, others = (sum(rates[way]) * THROUGHPUT_SECONDS for way in ("hoopweb", "mitmdump"))
            ratio = statistics.median(a / b for a, b in zip(rates["hoopweb"], rates["mitmdump"], strict=True))
            told = ", ".join(f"{_rates(found)} {way}" for way, found in rates.items())
            print(f"\ncalls a second at {connections} connections by {name} (min/med/max): {told}; ratio {ratio:.2f}")
            print(f"  CPU of a call through hoopweb: {per_call(before, after, int(calls), without='standin')}")
            other_cpu = (done.user + done.system - spent.user - spent.system) / others * 1000
            print(f"  CPU of a call through mitmdump: {other_cpu:.2f} ms", flush=True)


def _rates(rates: list[float]) -> str:
    return f"{min(rates):.0f}/{statistics.median(rates):.0f}/{max(rates):.0f}"


def large_objects(stack: Stack, *, rounds: int) -> None:
    let_bodies_through(stack)
    aws = (seed.client("s3", stack.plan.upstream_url), client("s3", read_env(stack.plan.demo_env)))
    megabytes = len(BLOB) / 1_000_000

    def put(s3: Any) -> None:
        s3.put_object(Bucket=seed.SCRATCH, Key="bench.bin", Body=io.BytesIO(BLOB))

    def get(s3: Any) -> None:
        s3.get_object(Bucket=seed.SCRATCH, Key="bench.bin")["Body"].read()

    for name, call in (("put", put), ("get", get)):
        for s3 in aws:
            call(s3)
        found = [tuple(timed(lambda s3=s3, call=call: call(s3), 1)[0] for s3 in aws) for _ in range(rounds)]  # type: ignore[misc]
        direct, through = (statistics.median(one[place] for one in found) for place in (0, 1))
        ratio = statistics.median(one[1] / one[0] for one in found)
        speeds = f"{megabytes / direct:.0f} MB/s direct, {megabytes / through:.0f} MB/s through"
        print(f"s3 {name} of {megabytes:.0f} MB: {speeds}, time ratio {ratio:.2f}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--aws", choices=("canned", "moto"), default="canned", help="what plays AWS")
    parser.add_argument("--rounds", type=int, default=7, help="rounds; each figure is their median (default 7)")
    parser.add_argument("--calls", type=int, default=100, help="calls each way in a round (default 100)")
    options = parser.parse_args(arguments)
    is_canned = options.aws == "canned"
    with measured(is_canned=is_canned) as stack:
        print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, AWS played by {options.aws}, {wrk.version()}")
        latency(stack, CANNED if is_canned else tuple(CALLS), rounds=options.rounds, count=options.calls)
        for connections in CONNECTIONS:
            many_connections(stack, connections, rounds=options.rounds)
        large_objects(stack, rounds=options.rounds)
        print(f"\nload at the end {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
