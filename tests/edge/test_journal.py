"""The journal: what it knew survives wherever its file is cut, and it stops the edge rather than forget."""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge import journal as journals
from gateway.edge.journal import Acked, Ended, Journal, JournalBroken, Opened, Record, Sending, tally
from gateway.edge.sealed_file import FileState, read
from gateway.terms import OutcomeKind
from gateway.wire.contract import JournalDamage, JournalKey, JournalStatement, JournalTrouble, Outcome

IDS = [UUID(int=number) for number in range(1, 6)]


def outcome(id_: UUID, head: bytes = b"") -> Outcome:
    return Outcome(id=id_, kind=OutcomeKind.COMPLETED, ended_at=1.0, status=200, head=head)


def key_of(boot: UUID, heard: int = 0) -> JournalKey:
    """As the control plane hands them out: one key a boot."""
    return JournalKey(boot=boot, key=hashlib.sha256(boot.bytes).digest(), heard=heard)


def opened(
    folder: Path,
    *,
    boot: UUID | None = None,
    start: str = "power-1",
    fsync: bool = False,
    room: int = 10**7,
    heard: int = 0,
) -> Journal:
    life = Journal(folder=folder, boot=boot or uuid4(), machine_start=start, max_bytes=room, fsync=fsync)
    life.open([key_of(one, heard) for one in life.boots])
    return life


records = st.one_of(
    st.builds(Opened, boot=st.sampled_from(IDS), machine_start=st.just("power-1"), is_synced=st.booleans()),
    st.builds(Sending, id=st.sampled_from(IDS)),
    st.builds(Ended, outcome=st.builds(outcome, st.sampled_from(IDS), st.binary(max_size=64))),
    st.builds(Acked, ids=st.lists(st.sampled_from(IDS), max_size=3).map(tuple)),
)


@given(written=st.lists(records, max_size=12))
def test_the_fewest_records_add_up_to_the_same(written: list[Record]) -> None:
    total = tally(written)
    assert tally(total.records()) == total


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(("send", "end", "ack")), st.sampled_from(IDS)), max_size=12),
    torn=st.integers(min_value=0, max_value=80).map(lambda most: struct.pack("<I", 90) + b"x" * most),
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
    assert [(one.boot, one.reason) for one in after.damage()] == [(lost, "power_lost")]


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
    life.close()
    reading = read((tmp_path / f"{boot}.journal").read_bytes(), key=key_of(boot).key, boot=boot)
    assert reading.state is FileState.WHOLE
    assert len(reading.payloads) == 2


# -- sealed


def lines(folder: Path, boot: UUID, count: int = 4) -> tuple[Path, list[bytes]]:
    """A dead life's file with so many calls under way: its path, and its header and records apart."""
    life = opened(folder, boot=boot)
    for id_ in IDS[:count]:
        life.sending(id_)
    life.close()
    path = folder / f"{boot}.journal"
    data, place = path.read_bytes(), 28
    parts = [data[:place]]
    while place < len(data):
        end = place + 4 + 12 + struct.unpack_from("<I", data, place)[0]
        parts.append(data[place:end])
        place = end
    return path, parts


def test_nothing_of_a_call_can_be_read_off_the_file(tmp_path: Path) -> None:
    boot = uuid4()
    life = opened(tmp_path, boot=boot)
    life.outcome(outcome(IDS[0], b"the start of an answer"))
    life.close()
    data = (tmp_path / f"{boot}.journal").read_bytes()
    for clear in (b"the start", IDS[0].bytes, str(IDS[0]).encode(), b"completed", b"power-1"):
        assert clear not in data


@pytest.mark.parametrize(
    ("what", "changed", "reason"),
    [
        ("taken from the middle", lambda parts: [*parts[:3], *parts[4:]], "altered"),
        ("in another order", lambda parts: [*parts[:2], parts[3], parts[2], *parts[4:]], "altered"),
        ("repeated", lambda parts: [*parts[:3], parts[2], *parts[3:]], "altered"),
        ("cut at a record", lambda parts: parts[:-1], "short"),
        ("cut within a record", lambda parts: [*parts[:-1], parts[-1][:9]], "short"),
        ("emptied", lambda _parts: [], "not_sealed"),
        ("header alone", lambda parts: parts[:1], "short"),
        ("half a header", lambda parts: [parts[0][:20]], "altered"),
        ("of an earlier version", lambda _parts: [b"\x10\x00\x00\x00" + b"x" * 20], "not_sealed"),
        ("with an impossible length", lambda parts: [*parts, b"\xff\xff\xff\xff"], "altered"),
    ],
)
def test_a_journal_somebody_touched_is_no_witness(
    tmp_path: Path, what: str, changed: Callable[[list[bytes]], list[bytes]], reason: str
) -> None:
    boot = uuid4()
    path, parts = lines(tmp_path, boot)
    path.write_bytes(b"".join(changed(parts)))
    after = opened(tmp_path, heard=5)
    assert after.statements() == (), what
    assert after.damage() == (JournalDamage(boot=boot, reason=JournalTrouble(reason)),), what
    after.stated()
    assert not path.exists()
    assert path.with_suffix(".damaged").exists()


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
@settings(max_examples=60, deadline=None)
def test_one_flipped_bit_anywhere_is_seen(place: int, bit: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        boot = uuid4()
        path, parts = lines(Path(name), boot)
        data = bytearray(b"".join(parts))
        data[place % len(data)] ^= 1 << bit
        path.write_bytes(data)
        after = opened(Path(name), heard=5)
        assert [one.boot for one in after.damage()] == [boot]
        assert after.statements() == ()
        after.close()


def test_one_boots_records_open_in_no_other_boots_file(tmp_path: Path) -> None:
    mine, theirs = uuid4(), uuid4()
    path, _ = lines(tmp_path, mine)
    path.rename(tmp_path / f"{theirs}.journal")
    assert opened(tmp_path).damage() == (JournalDamage(boot=theirs, reason=JournalTrouble.ALTERED),)


def test_an_older_copy_put_back_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "COMPACT_FROM_BYTES", 16 * 1024)
    boot = uuid4()
    life = opened(tmp_path, boot=boot)
    life.sending(IDS[0])
    path = tmp_path / f"{boot}.journal"
    copy = path.read_bytes()
    for _ in range(20):
        id_ = uuid4()
        life.outcome(outcome(id_, b"x" * 4096))
        life.acked([id_])
    told, size = life.records, path.stat().st_size
    assert size < 16 * 1024
    life.close()
    path.write_bytes(copy)
    assert opened(tmp_path, heard=told).damage() == (JournalDamage(boot=boot, reason=JournalTrouble.SHORT),)


def test_what_opens_of_a_damaged_file_is_still_shipped(tmp_path: Path) -> None:
    boot = uuid4()
    life = opened(tmp_path, boot=boot)
    life.outcome(outcome(IDS[0]))
    life.sending(IDS[1])
    life.close()
    path = tmp_path / f"{boot}.journal"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    after = opened(tmp_path)
    after.stated()
    assert [one.id for one in after.unshipped(most=9)] == [IDS[0]]
    assert path.exists()
    after.acked([IDS[0]])
    assert not path.exists()


def test_a_machine_that_lost_power_is_told_apart_from_a_hand(tmp_path: Path) -> None:
    boot = uuid4()
    path, parts = lines(tmp_path, boot)
    path.write_bytes(b"".join(parts[:-1]) + bytes(300))
    after = opened(tmp_path, start="power-2", heard=5)
    assert after.damage() == (JournalDamage(boot=boot, reason=JournalTrouble.POWER_LOST),)
    after.stated()
    assert not path.with_suffix(".damaged").exists()


def test_without_its_key_the_journal_admits_nothing(tmp_path: Path) -> None:
    life = Journal(folder=tmp_path, boot=uuid4(), machine_start="power-1", max_bytes=10**6, fsync=False)
    assert life.trouble == "broken"


def test_a_record_costs_little(tmp_path: Path) -> None:
    """Sealing is in every call's way: far under the 0.5 ms a call may cost."""
    life = opened(tmp_path)
    began = time.process_time()
    for _ in range(2000):
        life.sending(uuid4())
    assert (time.process_time() - began) / 2000 < 0.0002
