"""The long run: ten thousand idle sockets, a thousand held calls and five gigabytes, against an edge of its own process."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.terms import Protocol
from gateway.wire.contract import BodyForm, MaskPlan
from hoopweb.stack.ports import free_port
from tests.edge.certificates import Certificates
from tests.edge.peers import Message, read_answer, read_body, write_request
from tests.edge.world import CALLER, S3_CALLER, World, Worlds

pytestmark = pytest.mark.long

MIB = 1024 * 1024
IDLERS = 10_000
HELD = 1_000
GIGABYTES = 5
MASKED_GIGABYTES = 2
CALL = write_request("POST", "/", CALLER, b"{}")
LARGEST_EDGE = 150 * MIB
MASKED = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, s3_errors=True)
MARK = b"[REDACTED:"


class EdgeProcess:
    """`python -m gateway.edge` beside the world's control plane and AWS: its memory is its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port

    @property
    def memory(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request: bytes) -> Message:
        reader, writer = await self.connect()
        writer.write(request)
        async with asyncio.timeout(10):
            answer = await read_answer(reader)
        writer.close()
        return answer


@asynccontextmanager
async def edge_of(world: World, folder: Path, certificates: Certificates) -> AsyncIterator[EdgeProcess]:
    ports = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HOOPWEB_EDGE_LISTEN": f"127.0.0.1:{ports[0]}",
        "HOOPWEB_EDGE_LISTEN_PLAIN": f"127.0.0.1:{ports[1]}",
        "HOOPWEB_EDGE_TLS_CERT": str(certificates.cert),
        "HOOPWEB_EDGE_TLS_KEY": str(certificates.key),
        "HOOPWEB_CONTROL_URL": world.control.url,
        "HOOPWEB_EDGE_STATE": str(folder / "own"),
        "HOOPWEB_EDGE_ENROL_TOKEN": "one-time",
    }
    boots = len(world.control.boots)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.edge", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await world.until(lambda: len(world.control.boots) > boots, "the edge's boot", seconds=40)
        await asyncio.sleep(1)
        yield EdgeProcess(process, ports[1])
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


@pytest.fixture(autouse=True)
def _descriptors() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < IDLERS + 1000:
        pytest.skip(f"this machine lets a process have {most} descriptors; the test needs {IDLERS + 1000}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def test_ten_thousand_idlers_cost_little_and_lock_nobody_out(
    world: Worlds, tmp_path: Path, certificates: Certificates
) -> None:
    async with world() as w, edge_of(w, tmp_path, certificates) as edge:
        assert (await edge.ask(CALL)).status == 200
        before = edge.memory
        writers = []
        for _ in range(IDLERS // 100):
            pairs = await asyncio.gather(*(edge.connect() for _ in range(100)))
            writers += [writer for _, writer in pairs]
        assert (await edge.ask(CALL)).status == 200
        assert edge.memory - before < 100 * MIB
        for writer in writers:
            writer.transport.abort()
        assert (await edge.ask(CALL)).status == 200


async def test_a_thousand_held_calls_cost_less_than_a_hundred_megabytes(
    world: Worlds, tmp_path: Path, certificates: Certificates
) -> None:
    async with world() as w, edge_of(w, tmp_path, certificates) as edge:
        assert (await edge.ask(CALL)).status == 200
        before = edge.memory
        w.control.decide = lambda a: w.hold(a, seconds=60, interim=15)
        pairs = [await edge.connect() for _ in range(HELD)]
        for _, writer in pairs:
            writer.write(CALL)
        await w.until(lambda: len(w.control.admissions) > HELD, "all of them held", seconds=30)
        await asyncio.sleep(1)
        assert edge.memory - before < 100 * MIB
        w.control.resolutions = [w.refuse(admission) for admission in w.control.admissions[1:]]
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*(read_answer(reader) for reader, _ in pairs))
        assert {answer.status for answer in answers} == {403}


async def test_five_gigabytes_go_up_in_the_memory_of_one_call(
    world: Worlds, tmp_path: Path, certificates: Certificates
) -> None:
    seen, block = hashlib.sha256(), bytes(MIB)
    size = GIGABYTES * 1024

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        async for chunk in read_body(reader, request):
            seen.update(chunk)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    expected = hashlib.sha256()
    for _ in range(size):
        expected.update(block)
    async with world() as w, edge_of(w, tmp_path, certificates) as edge:
        w.aws.answering = answering
        w.control.decide = lambda a: w.forward(a, payload_sha256=expected.hexdigest())
        before = edge.memory
        reader, writer = await edge.connect()
        writer.write(write_request("PUT", "/bucket/key", {**S3_CALLER, "Content-Length": str(size * MIB)}))
        most = before
        for _ in range(size):
            writer.write(block)
            await writer.drain()
            most = max(most, edge.memory)
        assert (await read_answer(reader)).status == 200
        writer.close()
        assert seen.digest() == expected.digest()
        assert most - before < 16 * MIB
        assert most < LARGEST_EDGE


async def test_two_gigabytes_of_text_come_down_masked_in_the_memory_of_one_call(
    world: Worlds, tmp_path: Path, certificates: Certificates
) -> None:
    line = b"GET /invoices/2026 HTTP/1.1 200 token=ghp_R4nD0mL00k1ngT0k3nF0rTh3D3m00000abcd\n"
    clean = b"GET /invoices/2026 HTTP/1.1 200 in 17 ms, nothing to hide here at all\n"
    block = (line + clean * 2_000)[:MIB]
    size = MASKED_GIGABYTES * 1024

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % (size * len(block)))
        for _ in range(size):
            writer.write(block)
            await writer.drain()

    async with world() as w, edge_of(w, tmp_path, certificates) as edge:
        w.aws.answering = answering
        w.control.decide = lambda a: w.forward(a, mask=MASKED)
        reader, writer = await edge.connect()
        writer.write(write_request("GET", "/bucket/key", S3_CALLER))
        await reader.readuntil(b"\r\n\r\n")
        # The scanner's own tables are there once the first of it was seen.
        found = (await reader.readexactly(4 * MIB)).count(MARK)
        before = most = edge.memory
        read = b""
        while not read.endswith(b"\r\n0\r\n\r\n"):
            # A little of the read before stays: nothing hides between two of them.
            read = read[-64:] + await reader.read(MIB)
            assert b"ghp_R4nD0m" not in read
            found += read.count(MARK) - read[:64].count(MARK)
            most = max(most, edge.memory)
        writer.close()
        assert found >= size * 99 // 100
        assert most - before < 16 * MIB
        assert most < LARGEST_EDGE
