"""Many connections that do nothing: they make room for callers, and what they hold is bounded."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from gateway.edge.listeners import aws
from tests.edge.peers import write_request
from tests.edge.world import CALLER, World, Worlds

CALL = write_request("POST", "/", CALLER, b"{}")
SLOW_HEAD = b"POST / HTTP/1.1\r\nHost: gw.example\r\nX-Slow: "


async def idlers(world: World, count: int, sends: bytes = b"") -> list[Any]:
    made = [await world.client() for _ in range(count)]
    for client in made:
        if sends:
            await client.send(sends)
    await asyncio.sleep(0.05)
    return made


@pytest.mark.parametrize("sends", [b"", SLOW_HEAD], ids=["silent", "slow head"])
async def test_who_waits_longest_without_a_call_makes_room_for_a_caller(world: Worlds, sends: bytes) -> None:
    async with world(max_connections=8) as w:
        crowd = await idlers(w, 20, sends)
        assert (await (await w.client()).ask(CALL)).status == 200
        assert await crowd[0].is_closed()
        # The latest of them are still welcome.
        assert (await crowd[-1].ask(b"x\r\nContent-Length: 0\r\n\r\n" if sends else CALL)).status == 200


async def test_a_client_between_two_calls_is_given_up_before_one_that_calls(world: Worlds) -> None:
    async with world(max_connections=3) as w:
        first, second = await w.client(), await w.client()
        assert (await first.ask(CALL)).status == 200
        assert (await second.ask(CALL)).status == 200
        held = asyncio.Event()

        async def decide_later(admission: Any) -> Any:
            await held.wait()
            return w.forward(admission)

        w.control.decide = decide_later
        await second.send(CALL)
        await w.until(lambda: len(w.control.admissions) == 3, "a call under way")
        others = await idlers(w, 3)
        assert await first.is_closed()
        held.set()
        assert (await second.answer()).status == 200
        assert not others[-1].reader.at_eof()


async def test_where_everybody_calls_the_next_is_told_to_slow_down(world: Worlds) -> None:
    async with world(max_connections=2) as w:
        held = asyncio.Event()

        async def decide_later(admission: Any) -> Any:
            await held.wait()
            return w.forward(admission)

        w.control.decide = decide_later
        callers = [await w.client() for _ in range(2)]
        for caller in callers:
            await caller.send(CALL)
        await w.until(lambda: len(w.control.admissions) == 2, "both calls")
        refused = await (await w.client()).answer()
        assert refused.status == 503
        held.set()
        for caller in callers:
            assert (await caller.answer()).status == 200


async def test_handshakes_that_are_never_made_hold_few_places(world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "MOST_ARRIVING", 4)
    async with world() as w:
        silent = [socket.create_connection(("127.0.0.1", w.edge.ports["tls"])) for _ in range(12)]
        await asyncio.sleep(0.2)
        for one in silent:
            one.setblocking(False)
        given_up = [one for one in silent if _is_closed(one)]
        assert len(given_up) == 8
        assert (await (await w.client(tls=True)).ask(CALL)).status == 200
        for one in silent:
            one.close()


def _is_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 100])
async def test_noise_instead_of_a_handshake_ends_that_connection_alone(world: Worlds, noise: bytes) -> None:
    async with world() as w:
        reader, writer = await asyncio.open_connection("127.0.0.1", w.edge.ports["tls"])
        writer.write(noise)
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
        assert (await (await w.client(tls=True)).ask(CALL)).status == 200


async def test_a_client_that_does_not_trust_us_ends_its_connection_alone(world: Worlds) -> None:
    async with world() as w:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", w.edge.ports["tls"], ssl=ssl.create_default_context())
        assert (await (await w.client(tls=True)).ask(CALL)).status == 200


async def test_a_machine_without_descriptors_left_goes_on_when_there_are_some(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world() as w:
        loop = asyncio.get_running_loop()
        failures = [OSError(24, "too many open files")] * 3
        accept = loop.sock_accept

        async def failing(listening: socket.socket) -> Any:
            if failures:
                raise failures.pop()
            return await accept(listening)

        monkeypatch.setattr(aws, "_accept", failing)
        # The accept under way takes this one and may give it up again for want of descriptors; the next fail a while.
        await w.client()
        assert (await (await w.client()).ask(CALL)).status == 200
        assert not failures
