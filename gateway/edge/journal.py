"""What this edge has sent and how it ended, in a file that outlives the process until the control plane has it.

One file per boot under `journal/`, appended with single writes, each record sealed (`sealed_file`) under a key that
the control plane hands to this process and no disk has. Shipping its outcomes is `control`'s work.

A record is on the file (in the kernel's cache) before the act it speaks of, so it survives any death of the
process. It is not on the disk unless `fsync` is set, and that is off by default: the control plane already
knows, durably, every call this edge was told to forward, so a machine that loses power loses only the *reason*
to call some of them not sent. A journal from before the machine's last start therefore makes no statement
unless it was synced, and the control plane then calls its open requests ambiguous. So it does for a journal that was
changed, cut below what it had told of, or is not sealed: of those only what opens is believed, the file is set aside
and the control plane is told (`damage`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import msgspec

from gateway.edge.sealed_file import FileState, Sealer, read
from gateway.wire.contract import JournalDamage, JournalKey, JournalStatement, JournalTrouble, Outcome

# Below this a rewrite would cost more than the space it frees.
COMPACT_FROM_BYTES = 4 * 1024 * 1024
# Files beyond these are older than any request that is still open: they wait for the next start.
MOST_EARLIER = 63


class JournalBroken(Exception):
    """The journal cannot be written: nothing may be forwarded."""


class Opened(msgspec.Struct, frozen=True, tag="opened", array_like=True):
    boot: UUID
    machine_start: str
    is_synced: bool


class Sending(msgspec.Struct, frozen=True, tag="sending", array_like=True):
    id: UUID


class Ended(msgspec.Struct, frozen=True, tag="ended", array_like=True):
    outcome: Outcome


class Acked(msgspec.Struct, frozen=True, tag="acked", array_like=True):
    ids: tuple[UUID, ...]


Record = Opened | Sending | Ended | Acked
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
_DAMAGED = {FileState.ALTERED: JournalTrouble.ALTERED, FileState.NOT_SEALED: JournalTrouble.NOT_SEALED}


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a journal's records add up to. `damage` says why its end cannot be believed."""

    opened: Opened | None = None
    damage: JournalTrouble | None = None
    sending: set[UUID] = field(default_factory=set)
    outcomes: dict[UUID, Outcome] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        match record:
            case Opened():
                self.opened = record
            case Sending():
                self.sending.add(record.id)
            case Ended():
                self.sending.discard(record.outcome.id)
                self.outcomes[record.outcome.id] = record.outcome
            case Acked():
                for id_ in record.ids:
                    self.outcomes.pop(id_, None)

    def records(self) -> Iterator[Record]:
        """Return the fewest records that add up to the same."""
        if self.opened is not None:
            yield self.opened
        yield from (Ended(outcome) for outcome in self.outcomes.values())
        yield from (Sending(id_) for id_ in sorted(self.sending))


def tally(records: Iterable[Record]) -> Tally:
    total = Tally()
    for record in records:
        total.take(record)
    return total


class Journal:
    """The journal of this boot, and what is left of earlier ones. `open` it with its keys before anything else."""

    def __init__(self, *, folder: Path, boot: UUID, machine_start: str, max_bytes: int, fsync: bool) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._machine_start = machine_start
        self._boot = boot
        self._own = Tally(opened=Opened(boot, machine_start, fsync))
        self._earlier: dict[Path, Tally] = {}
        self._path = folder / f"{boot}.journal"
        self._descriptor = -1
        self._size = 0
        self._is_broken = False
        self._key = b""
        self._sealer: Sealer

    @property
    def boots(self) -> tuple[UUID, ...]:
        """The boots whose keys `open` wants: this one's, then those of files that earlier ones left."""
        return (self._boot, *self._found())

    def open(self, keys: Sequence[JournalKey]) -> None:
        """Read what earlier boots left and begin this boot's own file. Raises KeyError for a boot without a key."""
        known = {one.boot: one for one in keys}
        self._key = known[self._boot].key
        # A half-written rewrite was never in force: the file it was to replace is still there.
        for leftover in self._folder.glob("*.new"):
            leftover.unlink()
        self._earlier = {path: self._read(path, known[boot]) for boot, path in self._found().items()}
        self._sealer = Sealer(key=self._key, boot=self._boot, first=0)
        self._rewrite()

    # -- while calls run

    @property
    def records(self) -> int:
        """How many records this boot's journal has had, those that a rewrite left out included."""
        return self._sealer.next_number

    @property
    def trouble(self) -> str:
        """Why nothing may be admitted: `full`, `broken`, or the empty string."""
        if self._is_broken or not self._key:
            return "broken"
        return "full" if self._size >= self._max_bytes else ""

    def sending(self, id_: UUID) -> None:
        """Write down that the first byte of a call is about to leave; raises JournalBroken, and then it may not."""
        self._append(Sending(id_))
        self._own.take(Sending(id_))

    def outcome(self, outcome: Outcome) -> None:
        """Write down how a call ended. It is kept in memory and shipped even when the file takes no more."""
        self._own.take(Ended(outcome))
        try:
            self._append(Ended(outcome))
        except JournalBroken:
            # Said by `trouble`, which stops admissions; the outcome itself still goes out from memory.
            return

    def acked(self, ids: Iterable[UUID]) -> None:
        """Forget outcomes that the control plane has stored, here and in earlier boots' files."""
        stored = tuple(ids)
        own = tuple(id_ for id_ in stored if id_ in self._own.outcomes)
        self._own.take(Acked(own))
        if own and not self._is_broken:
            self._append_ack(own)
        for path, earlier in list(self._earlier.items()):
            earlier.take(Acked(stored))
            self._drop_if_done(path, earlier)
        self._compact()

    def unshipped(self, *, most: int) -> list[Outcome]:
        """Return the oldest outcomes the control plane has not confirmed, those of earlier boots first."""
        found: list[Outcome] = []
        for total in (*self._earlier.values(), self._own):
            for outcome in total.outcomes.values():
                if len(found) == most:
                    return found
                found.append(outcome)
        return found

    def mend(self) -> None:
        """After a write error, try to start over on a fresh file with all that is still open."""
        if self._is_broken:
            self._rewrite()

    # -- at start and end

    def statements(self) -> tuple[JournalStatement, ...]:
        """Say of each earlier boot which calls may have left without an outcome the control plane knows of.

        Outcomes still to be shipped are named too: until they arrive, `ambiguous` is the honest reading.
        """
        return tuple(
            JournalStatement(boot=total.opened.boot, sending=tuple(sorted(total.sending | set(total.outcomes))))
            for total in self._earlier.values()
            if total.opened is not None and not total.damage
        )

    def damage(self) -> tuple[JournalDamage, ...]:
        """Say of which earlier boots the journal is no witness, and why."""
        return tuple(
            JournalDamage(boot=UUID(path.stem), reason=total.damage)
            for path, total in self._earlier.items()
            if total.damage
        )

    def stated(self) -> None:
        """The control plane has the statements: earlier boots' open calls are its business now."""
        for path, earlier in list(self._earlier.items()):
            earlier.sending.clear()
            self._drop_if_done(path, earlier)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    # -- own

    def _found(self) -> dict[UUID, Path]:
        """Files of earlier boots; what is not named for one is not ours."""
        found: dict[UUID, Path] = {}
        for path in sorted(self._folder.glob("*.journal"), key=lambda one: one.stat().st_mtime, reverse=True):
            try:
                boot = UUID(path.stem)
            except ValueError:
                continue
            if boot != self._boot and str(boot) == path.stem and len(found) < MOST_EARLIER:
                found[boot] = path
        return dict(reversed(found.items()))

    def _read(self, path: Path, known: JournalKey) -> Tally:
        reading = read(path.read_bytes(), key=known.key, boot=known.boot)
        total, damage = Tally(), _DAMAGED.get(reading.state)
        try:
            total = tally(map(_decoder.decode, reading.payloads))
        except msgspec.DecodeError:
            # Sealed with our key, and not a record of this version: an edge of another version wrote it.
            damage = JournalTrouble.UNREADABLE
        if damage is None and reading.next_number < known.heard:
            damage = JournalTrouble.SHORT
        opened = total.opened
        if opened is not None and not opened.is_synced and opened.machine_start != self._machine_start:
            damage = JournalTrouble.POWER_LOST
        total.damage = damage
        return total

    def _drop_if_done(self, path: Path, earlier: Tally) -> None:
        if earlier.sending or earlier.outcomes:
            return
        if earlier.damage not in (None, JournalTrouble.POWER_LOST):
            # For whoever looks into it; never read again.
            path.rename(path.with_suffix(".damaged"))
        else:
            path.unlink(missing_ok=True)
        del self._earlier[path]

    def _append(self, record: Record) -> None:
        if self._is_broken:
            raise JournalBroken("an earlier write failed")
        data, chain = self._sealer.seal(_encoder.encode(record))
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                raise OSError("short write")
            if self._fsync:
                os.fdatasync(self._descriptor)
        except OSError as error:
            self._is_broken = True
            self._cut_back()
            raise JournalBroken(type(error).__name__) from error
        self._size += written
        self._sealer.written(chain)

    def _append_ack(self, ids: tuple[UUID, ...]) -> None:
        try:
            self._append(Acked(ids))
        except JournalBroken:
            # Nothing is lost: at worst the outcomes are shipped once more after a restart.
            return

    def _cut_back(self) -> None:
        """Take a half-written record off the end, so that later records are not behind damage."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            # The rewrite that `mend` tries replaces the file as a whole.
            return

    def _compact(self) -> None:
        open_bytes = sum(len(outcome.head) + 512 for outcome in self._own.outcomes.values())
        if self._size > COMPACT_FROM_BYTES and open_bytes * 4 < self._size:
            self._rewrite()

    def _rewrite(self) -> None:
        """Write all open records to a new file and let it take the old one's place in one step."""
        sealer = Sealer(key=self._key, boot=self._boot, first=self._sealer.next_number)
        data = bytearray(sealer.header)
        for record in self._own.records():
            sealed, chain = sealer.seal(_encoder.encode(record))
            sealer.written(chain)
            data += sealed
        fresh = self._path.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if os.write(descriptor, data) < len(data):
                    raise OSError("short write")
                os.fdatasync(descriptor)
                fresh.replace(self._path)
            except OSError:
                os.close(descriptor)
                raise
        except OSError:
            self._is_broken = True
            return
        self.close()
        self._descriptor, self._size, self._is_broken = descriptor, len(data), False
        self._sealer = sealer


def machine_start() -> str:
    """Return what names the machine's current start: another value means a power cycle lay in between."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
