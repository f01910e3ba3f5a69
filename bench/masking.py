"""`make bench PART=masking`: how fast text is masked, beside Presidio and detect-secrets on the same text in the same run.

Processor time of one thread throughout, so that a busy machine shows less; ratios are worth more than MB/s. Other
engines need an interpreter with requirements-bench.txt installed; without one only our own figures are printed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
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


def rate(run: Callable[[bytes], object], text: bytes, *, rounds: int = 3) -> float:
    """MB/s, the median of some rounds after a warm one."""
    run(text[: 4 * CHUNK])
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        run(text)
        taken.append(time.process_time() - started)
    return len(text) / statistics.median(taken) / MB


def small_answer_microseconds(count: int = 3_000) -> tuple[float, float]:
    """Median and 99th percentile of masking one JSON answer of about a kilobyte, headers included."""
    body = json.dumps({"Items": [_log_line(Random(place)) for place in range(3)]}).encode()
    headers = (("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body))))
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        masker = open_body(200, headers, STRUCTURE)
        masker.feed(body)  # type: ignore[union-attr]  # a plan that withholds nothing
        masker.finish()  # type: ignore[union-attr]
        taken.append((time.perf_counter() - started) * 1e6)
    steps = statistics.quantiles(taken, n=100)
    return steps[49], steps[98]


_START = (
    "import time; started = time.perf_counter(); from gateway.masking.content import default_scanner;"
    "default_scanner().spans('warm'); print(time.perf_counter() - started)"
)


def start_seconds() -> float:
    """A fresh process's time from the import to its first scan, once another has filled the cache."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            done = subprocess.run(  # our own interpreter and line
                [sys.executable, "-c", _START],
                env={**os.environ, CACHE_VARIABLE: folder},
                capture_output=True,
                text=True,
                check=True,
            )
    return float(done.stdout)


def reference(python: str, engine: str, text: str) -> float:
    """MB/s of another engine on the beginning of the same text."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(  # our own script
            [python, str(REFERENCES), engine, file.name], capture_output=True, text=True, check=True
        )
    return float(done.stdout.split()[-1])


def main(arguments: list[str]) -> int:
    """Print the table; an argument names another interpreter that has the other engines."""
    write = sys.stdout.write
    interpreters = arguments or [each for each in (OTHERS,) if Path(each).exists()]
    write(f"start, warm cache: {start_seconds():.2f} s\n")
    texts = {
        "clean JSON logs": (log_lines(16 * MB, seed=1), SECRETS, 200_000),
        "a secret every 20 KB": (log_lines(8 * MB, seed=2, secret_every=20_000), SECRETS, 100_000),
        "dense private CSV": (dense_rows(2 * MB, seed=3), ANY_BYTES, 40_000),
        "clean JSON logs, all private types": (log_lines(4 * MB, seed=1), ANY_BYTES, 0),
    }
    default_scanner().load()
    write(f"{'text':36}{'MB/s':>8}{'Presidio':>10}{'ratio':>9}{'detect-secrets':>16}{'ratio':>9}\n")
    for name, (text, plan, sample) in texts.items():
        own = rate(streamed(plan), text.encode())
        write(f"{name:36}{own:8.2f}")
        if interpreters and sample:
            for engine, width in (("presidio", 10), ("detect-secrets", 16)):
                other = reference(interpreters[0], engine, text[:sample])
                write(f"{other:{width}.4f}{own / other:8,.0f}x")
        write("\n")
    median, slow = small_answer_microseconds()
    write(f"JSON answer of 1 KB: p50 {median:.0f} us, p99 {slow:.0f} us\n")
    default_scanner.cache_clear()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
