"""A new key for a running edge: calls go on, the next start knows it, and a refused offer changes nothing."""

from __future__ import annotations

import asyncio

from gateway.edge.identity import Identity
from tests.edge.peers import write_request
from tests.edge.world import CALLER, World, Worlds

CALL = write_request("POST", "/", CALLER, b'{"TableName":"t"}')


def key_on_disk(w: World) -> bytes:
    return Identity.open(w.folder / "state").public_key


async def test_every_call_during_the_change_is_answered(world: Worlds) -> None:
    async with world() as w:
        before = key_on_disk(w)
        client = await w.client()
        w.control.is_key_due = True
        statuses = []
        while w.control.keys[str(w.control.edge_id)] == before:
            statuses.append((await client.ask(CALL)).status)
            await asyncio.sleep(0.01)
        statuses += [(await client.ask(CALL)).status for _ in range(3)]
        assert set(statuses) == {200}
        assert w.control.keys[str(w.control.edge_id)] == key_on_disk(w) != before


async def test_the_next_start_signs_with_the_new_key(world: Worlds) -> None:
    async with world() as w:
        before = key_on_disk(w)
        w.control.is_key_due = True
        await w.until(lambda: not w.control.is_key_due, "the new key to be used")
        await w.stop_edge()
        boots = len(w.control.boots)
        await w.start_edge()
        await w.until(lambda: len(w.control.boots) > boots, "the next start")
        assert key_on_disk(w) != before


async def test_told_many_times_it_changes_once(world: Worlds) -> None:
    async with world() as w:
        w.control.is_key_due = True
        await w.until(lambda: not w.control.is_key_due, "the new key to be used")
        fresh = key_on_disk(w)
        w.control.is_key_due = True
        told = len(w.control.feeds)
        await w.until(lambda: len(w.control.feeds) > told + 5, "more feeds")
        assert key_on_disk(w) == fresh


async def test_the_key_is_nobody_elses_to_read(world: Worlds) -> None:
    async with world() as w:
        w.control.is_key_due = True
        await w.until(lambda: not w.control.is_key_due, "the new key to be used")
        assert (w.folder / "state" / "edge.key").stat().st_mode & 0o777 == 0o600
