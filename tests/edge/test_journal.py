"""The journal: what it knew survives wherever its file is cut, and it stops the edge rather than forget."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge import journal as journals
from gateway.edge.journal import (
    Acked,
    Ended,
    Journal,
    JournalBroken,
    Opened,
    Record,
    Sending,
    frame,
    read_frames,
    tally,
)
from gateway.terms import OutcomeKind
from gateway.wire.contract import JournalStatement, Outcome

IDS = [UUID(int=number) for number in range(1, 6)]


def outcome(id_: UUID, head: bytes = b"") -> Outcome:
    return Outcome(id=id_, kind=OutcomeKind.COMPLETED, ended_at=1.0, status=200, head=head)


def opened(
    folder: Path, *, boot: UUID | None = None, start: str = "power-1", fsync: bool = False, room: int = 10**7
) -> Journal:
    return Journal(folder=folder, boot=boot or uuid4(), machine_start=start, max_bytes=room, fsync=fsync)


records = st.one_of(
    st.builds(Opened, boot=st.sampled_from(IDS), machine_start=st.just("power-1"), is_synced=st.booleans()),
    st.builds(Sending, id=st.sampled_from(IDS)),
    st.builds(Ended, outcome=st.builds(outcome, st.sampled_from(IDS), st.binary(max_size=64))),
    st.builds(Acked, ids=st.lists(st.sampled_from(IDS), max_size=3).map(tuple)),
)


@given(written=st.lists(records, max_size=8), data=st.data())
def test_a_file_cut_anywhere_holds_exactly_the_records_written_whole(
    written: list[Record], data: st.DataObject
) -> None:
    frames = [frame(record) for record in written]
    whole = b"".join(frames)
    cut = data.draw(st.integers(min_value=0, max_value=len(whole)))
    read, place = read_frames(whole[:cut])
    complete = next(n for n in range(len(frames), -1, -1) if len(b"".join(frames[:n])) <= cut)
    assert read == written[:complete]
    assert place == len(b"".join(frames[:complete]))


@given(written=st.lists(records, min_size=1, max_size=6), data=st.data())
def test_a_flipped_bit_ends_the_reading_there_and_invents_nothing(written: list[Record], data: st.DataObject) -> None:
    whole = bytearray(b"".join(map(frame, written)))
    place = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(min_value=0, max_value=7))
    read, _ = read_frames(bytes(whole))
    assert read == written[: len(read)]
    assert len(read) < len(written)


@given(written=st.lists(records, max_size=12))
def test_the_fewest_records_add_up_to_the_same(written: list[Record]) -> None:
    total = tally(written)
    assert tally(total.records()) == total


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(("send", "end", "ack")), st.sampled_from(IDS)), max_size=12),
    torn=st.binary(max_size=6),
)
def test_after_any_death_the_next_life_knows_what_was_open(steps: list[tuple[str, UUID]], torn: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, boot = Path(name), uuid4()
        life = opened(folder, boot=boot)
        sending: set[UUID] = set()
        ended: set[UUID] = set()
        for step, id_ in steps:
            match step:
                case "send":
                    life.sending(id_)
                    sending.add(id_)
                case "end":
                    life.outcome(outcome(id_))
                    sending.discard(id_)
                    ended.add(id_)
                case "ack":
                    life.acked([id_])
                    ended.discard(id_)
        life.close()
        with (folder / f"{boot}.journal").open("ab") as file:
            file.write(torn)
        next_life = opened(folder)
        assert {item.id for item in next_life.unshipped(most=99)} == ended
        statement = JournalStatement(boot=boot, sending=tuple(sorted(sending | ended)))
        assert next_life.statements() == (statement,)
        next_life.close()


def test_an_earlier_lifes_file_goes_only_when_all_of_it_is_settled(tmp_path: Path) -> None:
    boot = uuid4()
    life = opened(tmp_path, boot=boot)
    life.sending(IDS[0])
    life.sending(IDS[1])
    life.outcome(outcome(IDS[1]))
    life.close()
    path = tmp_path / f"{boot}.journal"
    again = opened(tmp_path)
    again.stated()
    assert path.exists()
    again.acked([IDS[1]])
    assert not path.exists()
    assert again.statements() == ()


def test_a_life_before_a_power_cycle_makes_no_statement_unless_it_was_synced(tmp_path: Path) -> None:
    lost, synced = uuid4(), uuid4()
    opened(tmp_path, boot=lost, start="power-1").sending(IDS[0])
    opened(tmp_path, boot=synced, start="power-1", fsync=True).sending(IDS[1])
    after = opened(tmp_path, start="power-2")
    assert [statement.boot for statement in after.statements()] == [synced]


def test_what_is_confirmed_does_not_grow_the_file_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "COMPACT_FROM_BYTES", 64 * 1024)
    boot = uuid4()
    life = opened(tmp_path, boot=boot)
    life.sending(IDS[0])
    for _ in range(200):
        id_ = uuid4()
        life.sending(id_)
        life.outcome(outcome(id_, b"x" * 4096))
        life.acked([id_])
    assert (tmp_path / f"{boot}.journal").stat().st_size < 128 * 1024
    life.close()
    assert opened(tmp_path).statements()[0].sending == (IDS[0],)


def test_a_full_journal_says_so_and_still_takes_outcomes(tmp_path: Path) -> None:
    life = opened(tmp_path, room=2000)
    life.sending(IDS[0])
    assert life.trouble == ""
    life.outcome(outcome(IDS[0], b"x" * 4000))
    assert life.trouble == "full"
    assert [item.id for item in life.unshipped(most=9)] == [IDS[0]]


class FullDisk:
    """Stands for a disk without room: every write is refused until `has_room`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_room = False
        real = os.write

        def write(descriptor: int, data: bytes) -> int:
            if not self.has_room:
                raise OSError(28, "No space left on device")
            return real(descriptor, data)

        monkeypatch.setattr(os, "write", write)


def test_a_disk_error_forbids_forwarding_until_the_journal_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = uuid4()
    life = opened(tmp_path, boot=boot)
    life.sending(IDS[0])
    disk = FullDisk(monkeypatch)
    with pytest.raises(JournalBroken):
        life.sending(IDS[1])
    assert life.trouble == "broken"
    life.outcome(outcome(IDS[0]))
    life.mend()
    assert life.trouble == "broken"
    disk.has_room = True
    life.mend()
    assert life.trouble == ""
    life.sending(IDS[2])
    life.close()
    after = opened(tmp_path)
    assert {item.id for item in after.unshipped(most=9)} == {IDS[0]}
    assert after.statements()[0].sending == (IDS[0], IDS[2])


def test_a_half_written_record_is_taken_off_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = uuid4()
    life = opened(tmp_path, boot=boot)
    life.sending(IDS[0])
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
    with pytest.raises(JournalBroken):
        life.sending(IDS[1])
    monkeypatch.undo()
    data = (tmp_path / f"{boot}.journal").read_bytes()
    assert read_frames(data)[1] == len(data)
