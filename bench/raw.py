"""A client that costs next to nothing: one signed request, sent again and again over keep-alive connections.

Real clients are measured too (`bench.__main__`); this one shows what is not theirs.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from gateway.wire.sigv4 import sign

BODY = b'{"TableName": "customers", "Key": {"id": {"S": "c-1"}}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where one signed GetItem goes. `authority` is the CA file of a TLS address."""

    url: str
    keys: Mapping[str, str]
    authority: Path | None = None

    def headers(self) -> list[tuple[str, str]]:
        """The headers of the request, signed now: good for five minutes."""
        address = urlsplit(self.url)
        signed = sign(
            method="POST",
            target="/",
            headers=(
                ("host", address.netloc),
                ("content-type", "application/x-amz-json-1.0"),
                ("x-amz-target", "DynamoDB_20120810.GetItem"),
            ),
            payload_hash=hashlib.sha256(BODY).hexdigest(),
            access_key_id=self.keys["AWS_ACCESS_KEY_ID"],
            secret=self.keys["AWS_SECRET_ACCESS_KEY"],
            session_token=self.keys["AWS_SESSION_TOKEN"],
            region=self.keys["AWS_REGION"],
            service="dynamodb",
            now=datetime.now(UTC),
        )
        return list(signed)

    def request(self) -> bytes:
        """The bytes of the whole request."""
        lines = [f"{name}: {value}" for name, value in self.headers()] + [f"content-length: {len(BODY)}"]
        return ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode() + BODY


async def _one(target: Target, data: bytes, *, until: float, most: int) -> list[float]:
    """Send over one connection until the time or the count is over; seconds of each call."""
    address = urlsplit(target.url)
    trust = ssl.create_default_context(cafile=str(target.authority)) if target.authority else None
    reader, writer = await asyncio.open_connection(address.hostname, address.port, ssl=trust)
    taken: list[float] = []
    while len(taken) < most and time.monotonic() < until:
        started = time.perf_counter()
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"not answered: {head[:200]!r}")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        taken.append(time.perf_counter() - started)
    writer.close()
    return taken


async def _many(target: Target, connections: int, *, seconds: float, most: int) -> tuple[list[float], float]:
    data, started = target.request(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(target, data, until=started + seconds, most=most)) for _ in range(connections)]
    return [one for task in tasks for one in task.result()], time.monotonic() - started


def latencies(target: Target, *, count: int) -> list[float]:
    """Seconds of each of `count` calls at one connection."""
    return uvloop.run(_many(target, 1, seconds=120.0, most=count))[0]


def throughput(target: Target, *, connections: int, seconds: float) -> float:
    """Calls a second at so many connections."""
    taken, lasted = uvloop.run(_many(target, connections, seconds=seconds, most=1_000_000))
    return len(taken) / lasted
