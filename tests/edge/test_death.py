"""kill -9 of a real edge process amid calls: its next life tells the control plane what may have left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from gateway.terms import OutcomeKind
from tests.edge.peers import Message, read_body, write_answer, write_request
from tests.edge.world import CALLER, Client, World, Worlds

CALL = write_request("POST", "/", CALLER, b"{}")


def environment(w: World, *, port: int, health: int) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "HOOPWEB_RULE_CACHE") if name in os.environ},
        "HOOPWEB_EDGE_LISTEN_PLAIN": f"127.0.0.1:{port}",
        "HOOPWEB_EDGE_HEALTH": f"127.0.0.1:{health}",
        "HOOPWEB_CONTROL_URL": w.control.url,
        "HOOPWEB_EDGE_STATE": str(w.folder / "process"),
        "HOOPWEB_EDGE_ENROL_TOKEN": "one-time",
        "HOOPWEB_EDGE_CONTROL_SECONDS": "2",
    }


class Process:
    """`python -m gateway.edge` with its environment."""

    def __init__(self, w: World) -> None:
        self._w = w
        self._process: asyncio.subprocess.Process
        self.port = 0
        self.output = b""

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.edge",
            env=environment(self._w, port=0, health=0),
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        while True:
            line = await self._process.stdout.readline()
            self.output += line
            said = json.loads(line)
            if said["event"] == "listening":
                self.port = said["plain"]
            if said["event"] == "boot_registered":
                return

    async def end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        assert self._process.stdout is not None
        self.output += await self._process.stdout.read()
        return await self._process.wait()

    async def client(self) -> Client:
        return await self._w.client(port=self.port)


async def test_a_killed_edges_next_life_names_the_calls_that_may_have_left(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        _ = [chunk async for chunk in read_body(reader, request)]
        if request.headers.get("x-signed") == "wait":
            await asyncio.sleep(60)
        writer.write(write_answer(200, {}, b"ok"))

    async with world() as w:
        w.aws.answering = answering
        edge = Process(w)
        await edge.start()
        boot = w.control.boots[-1].boot
        w.control.store_outcomes = False
        assert (await (await edge.client()).ask(CALL)).body == b"ok"
        w.control.decide = lambda a: w.forward(a, headers=(("Host", "aws"), ("X-Signed", "wait")))
        await (await edge.client()).send(CALL)
        await w.until(lambda: len(w.aws.log) == 2, "both calls at AWS")
        done, waiting = (admission.id for admission in w.control.admissions)
        await asyncio.sleep(0.05)
        assert await edge.end(signal.SIGKILL) == -signal.SIGKILL

        w.control.store_outcomes = True
        again = Process(w)
        await again.start()
        [statement] = w.control.boots[-1].statements
        assert statement.boot == boot
        assert set(statement.sending) == {done, waiting}
        # The one whose end the journal knew is told; the other is the control plane's to call ambiguous.
        await w.until(lambda: done in w.control.outcomes, "the outcome of the earlier life")
        assert w.control.outcomes[done].kind is OutcomeKind.COMPLETED
        assert waiting not in w.control.outcomes
        assert await again.end(signal.SIGTERM) == 0
        # Nothing was sent a second time.
        assert len(w.aws.log) == 2


async def test_a_stopped_edge_lets_the_call_under_way_end_and_reports_it(world: Worlds) -> None:
    async def answering(request: Message, reader: Any, writer: Any) -> None:
        _ = [chunk async for chunk in read_body(reader, request)]
        await asyncio.sleep(0.5)
        writer.write(write_answer(200, {}, b"ok"))

    async with world() as w:
        w.aws.answering = answering
        edge = Process(w)
        await edge.start()
        client = await edge.client()
        await client.send(CALL)
        await w.until(lambda: len(w.aws.log) == 1, "the call")
        ending = asyncio.ensure_future(edge.end(signal.SIGTERM))
        assert (await client.answer()).body == b"ok"
        assert await ending == 0
        assert (await w.outcome()).kind is OutcomeKind.COMPLETED


async def test_what_the_edge_prints_holds_no_signature_and_no_token(world: Worlds) -> None:
    async with world() as w:
        edge = Process(w)
        await edge.start()
        client = await edge.client()
        secret = {**CALLER, "X-Amz-Security-Token": "TOKEN-OF-THE-CALLER"}
        await client.ask(write_request("POST", "/?X-Amz-Signature=SIGNATURE-IN-QUERY", secret, b"BODY-BYTES"))
        await w.aws.server.stop()
        await client.ask(write_request("POST", "/?X-Amz-Signature=SIGNATURE-IN-QUERY", secret, b"BODY-BYTES"))
        assert await edge.end(signal.SIGTERM) == 0
        for word in (b"TOKEN-OF-THE-CALLER", b"SIGNATURE-IN-QUERY", b"BODY-BYTES", b"one-time", b"GWIAX"):
            assert word not in edge.output


async def test_two_edges_cannot_share_one_state_folder(world: Worlds) -> None:
    async with world() as w:
        edge = Process(w)
        await edge.start()
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.edge", env=environment(w, port=0, health=0), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await second.communicate()
        assert second.returncode == 2
        assert json.loads(output)["error"] == "StateInUse"
        assert await edge.end(signal.SIGTERM) == 0


async def test_a_wrong_environment_names_its_variable(world: Worlds) -> None:
    async with world() as w:
        env = {**environment(w, port=0, health=0), "HOOPWEB_EDGE_LISTEN_PLAIN": "0.0.0.0:8080"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.edge", env=env, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode == 2
        assert "HOOPWEB_EDGE_LISTEN_PLAIN" in json.loads(output)["detail"]


async def test_a_revoked_edge_process_exits_non_zero(world: Worlds) -> None:
    async with world() as w:
        edge = Process(w)
        await edge.start()
        w.control.is_revoked = True
        async with asyncio.timeout(5):
            assert await edge._process.wait() == 3
