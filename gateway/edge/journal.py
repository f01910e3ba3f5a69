"""What this edge has sent and how it ended, in a file that outlives the process until the control plane has it.

One file per boot under `journal/`, appended with single writes; shipping its outcomes is `control`'s work.

A record is on the file (in the kernel's cache) before the act it speaks of, so it survives any death of the
process. It is not on the disk unless `fsync` is set, and that is off by default: the control plane already
knows, durably, every call this edge was told to forward, so a machine that loses power loses only the *reason*
to call some of them not sent. A journal from before the machine's last start therefore makes no statement
unless it was synced, and the control plane then calls its open requests ambiguous. Sealing and signing of the
journal come with edge trust; until then its folder is 0700 and its files 0600.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import msgspec

from gateway.wire.contract import JournalStatement, Outcome

_FRAME = struct.Struct("<II")
# An outcome holds 64 KiB of head at most; a longer length can only be damage.
LARGEST_RECORD_BYTES = 4 * 1024 * 1024
# Below this a rewrite would cost more than the space it frees.
COMPACT_FROM_BYTES = 4 * 1024 * 1024


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


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a journal's records add up to."""

    opened: Opened | None = None
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


def frame(record: Record) -> bytes:
    payload = _encoder.encode(record)
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def read_frames(data: bytes) -> tuple[list[Record], int]:
    """Read whole records from the start; return them and how many bytes they fill.

    Reading stops at the first record that is cut or damaged: appends are single writes in order, so what
    follows it was never acted upon.
    """
    records: list[Record] = []
    place = 0
    while len(data) - place >= _FRAME.size:
        length, checksum = _FRAME.unpack_from(data, place)
        payload = data[place + _FRAME.size : place + _FRAME.size + length]
        if length > LARGEST_RECORD_BYTES or len(payload) < length or zlib.crc32(payload) != checksum:
            break
        try:
            records.append(_decoder.decode(payload))
        except msgspec.DecodeError:
            break
        place += _FRAME.size + length
    return records, place


def tally(records: Iterable[Record]) -> Tally:
    total = Tally()
    for record in records:
        total.take(record)
    return total


class Journal:
    """The journal of this boot, and what is left of earlier ones."""

    def __init__(self, *, folder: Path, boot: UUID, machine_start: str, max_bytes: int, fsync: bool) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._max_bytes = max_bytes
        self._fsync = fsync
        self._machine_start = machine_start
        self._own = Tally(opened=Opened(boot, machine_start, fsync))
        self._earlier = self._read_earlier()
        self._path = folder / f"{boot}.journal"
        self._descriptor = -1
        self._size = 0
        self._is_broken = False
        self._rewrite()

    # -- while calls run

    @property
    def trouble(self) -> str:
        """Why nothing may be admitted: `full`, `broken`, or the empty string."""
        if self._is_broken:
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
            if total.opened is not None and self._is_trusted(total.opened)
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

    def _is_trusted(self, opened: Opened) -> bool:
        return opened.is_synced or opened.machine_start == self._machine_start

    def _read_earlier(self) -> dict[Path, Tally]:
        # A half-written rewrite was never in force: the file it was to replace is still there.
        for leftover in self._folder.glob("*.new"):
            leftover.unlink()
        return {path: tally(read_frames(path.read_bytes())[0]) for path in sorted(self._folder.glob("*.journal"))}

    def _drop_if_done(self, path: Path, earlier: Tally) -> None:
        if not earlier.sending and not earlier.outcomes:
            path.unlink(missing_ok=True)
            del self._earlier[path]

    def _append(self, record: Record) -> None:
        if self._is_broken:
            raise JournalBroken("an earlier write failed")
        data = frame(record)
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
        data = b"".join(map(frame, self._own.records()))
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


def machine_start() -> str:
    """Return what names the machine's current start: another value means a power cycle lay in between."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
