"""An edge that starts on a journal somebody touched says so at its boot, and goes on with one of its own."""

from __future__ import annotations

from gateway.wire.contract import JournalTrouble
from tests.edge.peers import write_request
from tests.edge.world import CALLER, World, Worlds

CALL = write_request("POST", "/", CALLER, b'{"TableName":"t"}')


async def one_life(w: World) -> None:
    """A life with an outcome nobody has taken yet, as it is left on the disk."""
    w.control.store_outcomes = False
    assert (await (await w.client()).ask(CALL)).status == 200
    told = len(w.control.feeds)
    await w.until(lambda: len(w.control.feeds) > told + 2, "the feed to tell how far the journal is")
    await w.stop_edge()


async def test_a_cut_journal_is_told_at_the_next_boot_and_calls_go_on(world: Worlds) -> None:
    async with world() as w:
        await one_life(w)
        [path] = (w.folder / "state" / "journal").glob("*.journal")
        path.write_bytes(path.read_bytes()[:-40])
        w.control.store_outcomes = True
        await w.start_edge()
        await w.until(lambda: len(w.control.boots) == 2, "the next boot")
        request = w.control.boots[1]
        assert [(str(one.boot), one.reason) for one in request.damage] == [(path.stem, JournalTrouble.SHORT)]
        assert request.statements == ()
        assert (await (await w.client()).ask(CALL)).status == 200


async def test_an_untouched_one_is_a_witness(world: Worlds) -> None:
    async with world() as w:
        await one_life(w)
        w.control.store_outcomes = True
        await w.start_edge()
        await w.until(lambda: len(w.control.boots) == 2, "the next boot")
        assert w.control.boots[1].damage == ()
        assert len(w.control.boots[1].statements) == 1
        await w.until(lambda: bool(w.control.outcomes), "the outcome of the life before")
