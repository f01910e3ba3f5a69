"""`make bench PART=masking`: how fast text is masked, beside Presidio and detect-secrets on the same text in the same run.

Processor time throughout, in rounds: each measures our engine and the others one after the other, so that a machine
that is busy for a while is so for all of them. Printed are the median, the worst and the best round, and the median
of the rounds' ratios. Other engines need an interpreter with requirements-bench.txt installed; without one only our
own figures are printed.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from uuid import UUID

from faker import Faker

from gateway.masking.__main__ import ANY_BYTES
from gateway.masking.catalogue import CACHE_VARIABLE
from gateway.masking.content import default_scanner
from gateway.masking.masker import open_body
from gateway.masking.streaming import Masker
from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan

MB = 1_000_000
CHUNK = 64 * 1024
ROUNDS = 5
ENGINES = ("presidio", "detect-secrets")
SECRETS = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB)
STRUCTURE = MaskPlan(protocol=Protocol.JSON, body=BodyForm.STRUCTURE)
MESSAGES = ("request completed", "cache miss for item", "retrying upstream call", "user profile loaded")
OTHERS = ".tools/bench-venv/bin/python"
REFERENCES = Path(__file__).with_name("masking_references.py")


def log_lines(size: int, *, seed: int, secret_every: int = 0) -> str:
    """JSON log lines, about `size` bytes; with a secret of some kind every so many bytes."""
    random, lines, written, due = Random(seed), [], 0, secret_every  # measuring, not key making
    while written < size:
        line = _log_line(random)
        if secret_every and written >= due:
            line, due = _with_secret(line, random), due + secret_every
        lines.append(json.dumps(line) + "\n")
        written += len(lines[-1])
    return "".join(lines)


def _log_line(random: Random) -> dict[str, object]:
    return {
        "timestamp": f"2026-03-{random.randint(10, 28)}T10:{random.randint(10, 59)}:{random.randint(10, 59)}.{random.randint(100, 999)}Z",
        "level": random.choice(("INFO", "WARN", "DEBUG")),
        "service": random.choice(("billing", "orders", "users")),
        "traceId": f"{random.getrandbits(128):032x}",
        "requestId": str(UUID(int=random.getrandbits(128))),
        "msg": random.choice(MESSAGES),
        "path": f"/api/v1/items/{random.randint(1, 99999)}",
        "status": random.choice((200, 201, 404)),
        "duration_ms": round(random.random() * 100, 2),
    }


def _with_secret(line: dict[str, object], random: Random) -> dict[str, object]:
    value = "".join(random.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789", k=36))
    name, secret = random.choice(
        (("token", f"ghp_{value}"), ("db_password", value[:14]), ("url", f"postgres://app:{value[:12]}@db/x"))
    )
    return {**line, name: secret}


def dense_rows(size: int, *, seed: int) -> str:
    """CSV of people: seven private values a row, and no row twice: what was seen before would be quicker."""
    faker = Faker("en_US")
    faker.seed_instance(seed)
    rows, written = list[str](), 0
    while written < size:
        rows.append(
            f"{len(rows)},{faker.name()},{faker.email()},{faker.phone_number()},{faker.credit_card_number()},{faker.ssn()},"
            f"{faker.iban()},{faker.ipv4()},{faker.mac_address()}\n"
        )
        written += len(rows[-1])
    return "".join(rows)


def streamed(plan: MaskPlan) -> Callable[[bytes], object]:
    """The whole way of a payload: chunks in, masked chunks out."""

    def run(text: bytes) -> None:
        masker = Masker(plan)
        for place in range(0, len(text), CHUNK):
            masker.feed(text[place : place + CHUNK])
        masker.finish()

    return run


def rate(run: Callable[[bytes], object], text: bytes) -> float:
    """MB/s of one pass."""
    started = time.process_time()
    run(text)
    return len(text) / (time.process_time() - started) / MB


def small_answer_microseconds(count: int = 1_000) -> tuple[float, float, float]:
    """Median and 99th percentile of masking one JSON answer of about a kilobyte, headers included; and processor time."""
    body = json.dumps({"Items": [_log_line(Random(place)) for place in range(3)]}).encode()
    headers = (("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body))))
    taken, used = [], []
    for _ in range(count):
        started, began = time.perf_counter(), time.thread_time()
        masker = open_body(200, headers, STRUCTURE)
        masker.feed(body)  # type: ignore[union-attr]  # a plan that withholds nothing
        masker.finish()  # type: ignore[union-attr]
        used.append((time.thread_time() - began) * 1e6)
        taken.append((time.perf_counter() - started) * 1e6)
    steps = statistics.quantiles(taken, n=100)
    return steps[49], steps[98], statistics.median(used)


_START = (
    "import time; began = time.process_time(); started = time.perf_counter(); from gateway.masking.content import default_scanner;"
    "default_scanner().spans('warm'); print(time.perf_counter() - started, time.process_time() - began)"
)


def start_seconds() -> tuple[list[float], list[float]]:
    """Fresh processes' time from the import to the first scan, once another has filled the cache: wall and processor."""
    with tempfile.TemporaryDirectory() as folder:
        done = [
            subprocess.run(  # our own interpreter and line
                [sys.executable, "-c", _START],
                env={**os.environ, CACHE_VARIABLE: folder},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            for _ in range(1 + ROUNDS)
        ]
    return [float(wall) for wall, _ in done[1:]], [float(used) for _, used in done[1:]]


def growth_of_memory(size: int = 256 * MB) -> float:
    """MB by which the process's largest size grew while so much was streamed, once the first eighth had passed."""
    text = log_lines(8 * MB, seed=4, secret_every=20_000).encode()
    masker, streamed_bytes, before = Masker(SECRETS), 0, 0
    while streamed_bytes < size:
        if streamed_bytes >= size // 8 and not before:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for place in range(0, len(text), CHUNK):
            masker.feed(text[place : place + CHUNK])
        streamed_bytes += len(text)
    masker.finish()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def reference(python: str, engine: str, text: str) -> float:
    """MB/s of another engine on the beginning of the same text."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(  # our own script
            [python, str(REFERENCES), engine, file.name], capture_output=True, text=True, check=True
        )
    return float(done.stdout.split()[-1])


def told(values: Sequence[float], form: str = ".2f") -> str:
    """Median, and the least and the most in brackets."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def compare(name: str, text: str, plan: MaskPlan, interpreter: str | None, sample: int) -> str:
    """A line of the table: each round measures our engine and then the others."""
    run, data = streamed(plan), text.encode()
    run(data[: 8 * CHUNK])
    own, others = list[float](), {engine: list[float]() for engine in ENGINES if interpreter and sample}
    for _ in range(ROUNDS):
        own.append(rate(run, data))
        for engine, rates in others.items():
            rates.append(reference(str(interpreter), engine, text[:sample]))
    line = f"{name:36}{told(own, '.1f'):>26}"
    for engine, rates in others.items():
        ratios = [ours / other for ours, other in zip(own, rates, strict=True)]
        line += f"  {engine} {told(rates, '.3f')}, ratio {told(ratios, ',.0f')}"
    return line


def main(arguments: list[str]) -> int:
    """Print the tables; an argument names another interpreter that has the other engines."""
    write = sys.stdout.write
    interpreter = next((each for each in (*arguments, OTHERS) if Path(each).exists()), None)
    write(f"{ROUNDS} rounds: median (least to most); load of the machine {os.getloadavg()[0]:.1f} at the beginning\n")
    wall, used = start_seconds()
    write(f"start, warm cache: {told(wall)} s, of it processor {told(used)} s\n")
    texts = {
        "clean JSON logs": (log_lines(8 * MB, seed=1), SECRETS, 100_000),
        "a secret every 20 KB": (log_lines(8 * MB, seed=2, secret_every=20_000), SECRETS, 100_000),
        "dense private CSV": (dense_rows(2 * MB, seed=3), ANY_BYTES, 40_000),
        "clean JSON logs, all private types": (log_lines(4 * MB, seed=1), ANY_BYTES, 0),
    }
    default_scanner().load()
    write(f"{'MB/s':36}{'hoopweb':>26}\n")
    for name, (text, plan, sample) in texts.items():
        write(compare(name, text, plan, interpreter, sample) + "\n")
    answers = [small_answer_microseconds() for _ in range(ROUNDS)]
    middle, slow, cost = zip(*answers, strict=True)
    write(
        f"JSON answer of 1 KB: p50 {told(middle, '.0f')} us, p99 {told(slow, '.0f')} us, processor {told(cost, '.0f')} us\n"
    )
    write(f"memory after 32 MB of 256 MB streamed grew by {growth_of_memory():.1f} MB\n")
    write(f"load of the machine {os.getloadavg()[0]:.1f} at the end\n")
    default_scanner.cache_clear()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
