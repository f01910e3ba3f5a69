"""What hooks could not send yet: one file a record, whole or not at all, sent later in the order it was written.

Only where the organisation chose `spool`. Sending and marking late is `hooks`'s.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.client.errors import ClientError, Refused, StateBroken
from gateway.client.own_files import make_folder, read_own, write_own
from gateway.client.state import Place

# A day of a busy agent; a disk is not to be filled by a gateway that is away for good.
MOST_RECORDS = 5_000
MOST_BYTES = 64 * 1024 * 1024
_LARGEST_RECORD = 4 * 1024 * 1024


class SpoolFull(ClientError):
    """The gateway was away for so long that nothing more is kept here."""


class Spool:
    """The records of one enrolment that wait for its gateway."""

    def __init__(self, place: Place, *, most_records: int = MOST_RECORDS, most_bytes: int = MOST_BYTES) -> None:
        self.folder = f"{place.folder}/spool"
        self.refused = f"{self.folder}/refused"
        self._most_records, self._most_bytes = most_records, most_bytes

    def keep(self, path: str, body: Mapping[str, Any]) -> None:
        """On disk when this returns; raises SpoolFull, StateBroken or Exposed."""
        content = json.dumps({"path": path, "body": body}).encode()
        make_folder(self.folder)
        with self._alone():
            waiting = self._names()
            held = sum(os.lstat(f"{self.folder}/{name}").st_size for name in waiting)
            if len(waiting) >= self._most_records or held + len(content) > self._most_bytes:
                raise SpoolFull(
                    f"The gateway cannot be reached and {len(waiting)} records wait for it already: nothing more is "
                    "kept. Ask whoever runs the gateway."
                )
            number = int(waiting[-1].partition(".")[0]) + 1 if waiting else 1
            write_own(f"{self.folder}/{number:012d}.json", content)
            _to_disk(self.folder)

    def waiting(self) -> int:
        """How many records wait."""
        return len(self._names())

    def refusals(self) -> int:
        """How many records the gateway would not take."""
        with contextlib.suppress(FileNotFoundError):
            return len(os.listdir(self.refused))
        return 0

    def send(self, post: Callable[[str, dict[str, Any]], Any], *, is_over: Callable[[], bool]) -> None:
        """Send what waits, oldest first, until nothing is left, `is_over`, or `post` raises.

        One sender at a time, so that the order holds. What the gateway refuses for good is put aside, not lost.
        """
        if not self._names():
            return
        with self._one_sender() as is_sender:
            for name in self._names() if is_sender else ():
                if is_over():
                    return
                self._send_one(f"{self.folder}/{name}", name, post)

    def _send_one(self, file: str, name: str, post: Callable[[str, dict[str, Any]], Any]) -> None:
        try:
            kept = json.loads(read_own(file, largest=_LARGEST_RECORD))
            post(str(kept["path"]), {**kept["body"], "is_late": True})
        except Refused as refused:
            if is_passing(refused):
                raise
            self._put_aside(file, name)
        except (ValueError, KeyError, TypeError, StateBroken):
            self._put_aside(file, name)
        else:
            os.unlink(file)

    def _put_aside(self, file: str, name: str) -> None:
        make_folder(self.refused)
        # Numbers begin anew once all is sent; what was put aside before stays.
        os.replace(file, f"{self.refused}/{time.time_ns()}-{name}")

    def _names(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(self.folder) if name.endswith(".json"))
        return []

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with _locked(f"{self.folder}/writing.lock", fcntl.LOCK_EX):
            yield

    @contextlib.contextmanager
    def _one_sender(self) -> Iterator[bool]:
        try:
            with _locked(f"{self.folder}/sending.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield True
        except BlockingIOError:
            yield False


def is_passing(refused: Refused) -> bool:
    """Whether the same request may be taken a little later: the gateway is overloaded or coming up."""
    return refused.http_status >= 500 or refused.http_status in {408, 425, 429}


@contextlib.contextmanager
def _locked(path: str, how: int) -> Iterator[None]:
    """A lock that ends with its holder, however that ends."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def _to_disk(folder: str) -> None:
    """The name too: a file whose folder was not written is lost with the power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
