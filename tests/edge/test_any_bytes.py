"""Bytes cut or changed anywhere: a whole request reads the same, a broken one never hangs or harms the next."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.edge.peers import write_request
from tests.edge.world import CALLER, Client, Worlds

BODY = b'{"TableName":"t"}'
PLAIN = write_request("POST", "/a?b=c", CALLER, BODY)
CHUNKED = (
    write_request("POST", "/a?b=c", {**CALLER, "Transfer-Encoding": "chunked"})
    + b"5\r\n"
    + BODY[:5]
    + b"\r\n%x;ext=1\r\n" % (len(BODY) - 5)
    + BODY[5:]
    + b"\r\n0\r\nX-Trailer: dropped\r\n\r\n"
)


@pytest.mark.parametrize("request_bytes", [PLAIN, CHUNKED], ids=["with a length", "in chunks"])
async def test_a_request_reads_the_same_wherever_its_packets_are_cut(world: Worlds, request_bytes: bytes) -> None:
    async with world() as w:
        w.control.decide = w.refuse
        client = await w.client()
        for cut in range(1, len(request_bytes)):
            await client.send(request_bytes[:cut])
            await asyncio.sleep(0)
            await client.send(request_bytes[cut:])
            assert (await client.answer()).status == 403
        seen = {(a.method, a.target, a.headers, a.body) for a in w.control.admissions}
        assert len(seen) == 1
        assert seen.pop()[3] == BODY
        assert w.control.refused == {}


async def test_a_request_sent_byte_by_byte_is_read(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        for place in range(len(CHUNKED)):
            await client.send(CHUNKED[place : place + 1])
            await asyncio.sleep(0)
        assert (await client.answer()).status == 200
        assert w.aws.log[0].body == BODY


def mutated(source: random.Random, data: bytes) -> bytes:
    """Change, drop, double or insert a few bytes, some of them ones that matter to HTTP."""
    changed = bytearray(data)
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(changed))
        odd = source.choice((b"\r", b"\n", b"\x00", b":", b" ", b"\xff", b"\r\n\r\n", b"0", b"Content-Length: 9\r\n"))
        match source.randrange(4):
            case 0:
                changed[place : place + 1] = odd
            case 1:
                del changed[place : place + source.randint(1, 9)]
            case 2:
                changed[place:place] = changed[place : place + 9]
            case _:
                changed[place:place] = odd
    return bytes(changed)


async def _ends(client: Client) -> bool:
    """Whether the edge answers or closes in good time, once the client has said that no more will come."""
    client.writer.write_eof()
    async with asyncio.timeout(5):
        try:
            said = await client.reader.read()
        except ConnectionError:
            return True
    return not said or said.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("seed", range(4))
async def test_changed_bytes_are_answered_or_closed_and_harm_nobody_else(world: Worlds, seed: int) -> None:
    source = random.Random(seed)
    async with world() as w:
        w.control.decide = w.refuse
        for _ in range(60):
            client = await w.client()
            await client.send(mutated(source, source.choice((PLAIN, CHUNKED))))
            assert await _ends(client)
        honest = await w.client()
        assert (await honest.ask(PLAIN)).status == 403
        assert w.edge._budget.used == 0
        assert w.aws.log == []


async def test_many_clients_at_once_get_each_their_own_answer(world: Worlds) -> None:
    async with world() as w:

        async def one(number: int) -> None:
            client = await w.client()
            for turn in range(5):
                w_body = b'{"n":"%d.%d"}' % (number, turn)
                answer = await client.ask(write_request("POST", f"/{number}/{turn}", CALLER, w_body))
                assert answer.status == 200

        await asyncio.gather(*(one(number) for number in range(30)))
        sent = {(message.target, message.body) for message in w.aws.log}
        assert sent == {(f"/{n}/{t}", b'{"n":"%d.%d"}' % (n, t)) for n in range(30) for t in range(5)}
        await w.until(lambda: len(w.control.outcomes) == 150, "every outcome")
        assert {a.id for a in w.control.admissions} == set(w.control.outcomes)
