"""CloudTrail's files read record by record in constant memory: log files, `lookup-events` answers, packed by gzip or not.

What is looked for in a record is its reader's matter.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

# CloudTrail cuts a record at 256 KB; `lookup-events` spells it as text inside text.
LARGEST_RECORD = 1024 * 1024
# A log file is some 50 MB unpacked at most: what is much larger was made to be.
LARGEST_FILE = 2 * 1024 * 1024 * 1024
_PIECE = 256 * 1024
_LARGEST_REST = 64 * 1024
_HEAD = re.compile(r'\ufeff?\s*\{\s*"(Records|Events)"\s*:\s*\[')
_BETWEEN = re.compile(r"\s*(,?)\s*")
_DECODER = json.JSONDecoder()


class Source(Protocol):
    """A file or a pipe."""

    def read(self, size: int = -1, /) -> bytes | None: ...


class NotCloudTrail(ValueError):
    """A file that is no CloudTrail log, or is one no longer; the text says where, and quotes nothing of it."""


def records(file: Source) -> Iterator[Mapping[str, Any]]:
    """Every record of one file, in its order; raises NotCloudTrail, after the records before the fault were given."""
    text = _Text(file)
    head = text.match(_HEAD)
    if head is None:
        raise NotCloudTrail('it does not begin with {"Records": [ or {"Events": [')
    is_first = True
    while not text.ends_list(is_first=is_first):
        is_first = False
        value = text.value()
        if not isinstance(value, dict):
            raise NotCloudTrail("a record is no JSON object")
        yield _record(value) if head[1] == "Events" else value
    text.close()


def _record(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record inside an event as `lookup-events` answers it."""
    try:
        record = json.loads(event["CloudTrailEvent"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise NotCloudTrail("an event holds no CloudTrailEvent") from None
    if not isinstance(record, dict):
        raise NotCloudTrail("a record is no JSON object")
    return record


class _Text:
    """The file's text from where it was read to; never more than one record and a piece is kept."""

    def __init__(self, file: Source) -> None:
        self._pieces = _unpacked(file)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._kept = ""
        self._size = 0
        self._is_over = False

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What stands next, taken; None where it is something else."""
        found = None
        while found is None and not self._is_over and len(self._kept) <= _LARGEST_REST:
            self._read()
            found = pattern.match(self._kept)
        self._kept = self._kept[found.end() :] if found else self._kept
        return found

    def ends_list(self, *, is_first: bool) -> bool:
        """Whether the list is over; takes the comma between two records, or the closing bracket."""
        while True:
            between = _BETWEEN.match(self._kept)
            rest = self._kept[between.end() :] if between else self._kept
            if rest or self._is_over or len(self._kept) > _LARGEST_REST:
                break
            self._read()
        has_comma = bool(between and between[1])
        if rest.startswith("]") and not has_comma:
            self._kept = rest[1:]
            return True
        if not rest or has_comma is is_first:
            raise NotCloudTrail("the list of records is cut off or broken")
        self._kept = rest
        return False

    def value(self) -> object:
        """The next whole JSON value."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._kept)
            except RecursionError:
                raise NotCloudTrail("a record is nested too deep") from None
            except ValueError:
                if self._is_over:
                    raise NotCloudTrail("a record is cut off or broken") from None
                if len(self._kept) > LARGEST_RECORD:
                    raise NotCloudTrail(f"a record is broken, or larger than {LARGEST_RECORD} characters") from None
                self._read()
            else:
                self._kept = self._kept[end:]
                return value

    def close(self) -> None:
        """What follows the list must make the whole a JSON object."""
        while not self._is_over and len(self._kept) <= _LARGEST_REST:
            self._read()
        try:
            json.loads('{"Records":[]' + self._kept)
        except (ValueError, RecursionError):
            raise NotCloudTrail("what follows the records is broken") from None

    def _read(self) -> None:
        try:
            piece = next(self._pieces, b"")
            self._is_over = not piece
            self._kept += self._decoder.decode(piece, final=self._is_over)
        except UnicodeDecodeError:
            raise NotCloudTrail("it is no UTF-8") from None
        except (OSError, EOFError, zlib.error):
            raise NotCloudTrail("it cannot be read or unpacked to its end") from None
        self._size += len(piece)
        if self._size > LARGEST_FILE:
            raise NotCloudTrail(f"it is larger than {LARGEST_FILE} bytes unpacked")


def _unpacked(file: Source) -> Iterator[bytes]:
    start = file.read(2) or b""
    if start != b"\x1f\x8b":
        yield start
        while piece := file.read(_PIECE):
            yield piece
        return
    with gzip.GzipFile(fileobj=_Again(start, file), mode="rb") as unpacked:  # type: ignore[call-overload]  # it reads: all that is asked
        while piece := unpacked.read(_PIECE):
            yield piece


class _Again:
    """A file of which the first bytes were read already: a pipe cannot be wound back."""

    def __init__(self, start: bytes, file: Source) -> None:
        self._start, self._file = start, file

    def read(self, size: int = -1) -> bytes:
        start, self._start = self._start, b""
        return start + (self._file.read(size - len(start) if size >= 0 else size) or b"")
