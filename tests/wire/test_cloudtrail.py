"""CloudTrail files are read as AWS writes them, in constant memory; a broken one says so and quotes nothing."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import cloudtrail
from gateway.wire.cloudtrail import NotCloudTrail, records

RECORDS: list[dict[str, Any]] = [
    {"eventID": f"e-{number}", "requestParameters": {"name": 'quo"ted é 😀 ],['}, "resources": [[{}], number]}
    for number in range(5)
]
PLAIN = json.dumps({"Records": RECORDS}).encode()


class Pipe(io.RawIOBase):
    """Gives few bytes at a time and cannot be wound back."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = data, size

    def read(self, size: int = -1) -> bytes:
        taken = min(self._size, size if size >= 0 else len(self._data))
        piece, self._data = self._data[:taken], self._data[taken:]
        return piece


def read(data: bytes) -> list[dict[str, Any]]:
    return [dict(one) for one in records(io.BytesIO(data))]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        gzip.compress(PLAIN),
        b"\xef\xbb\xbf" + PLAIN,
        json.dumps({"Records": RECORDS}, indent=2, ensure_ascii=False).encode(),
        gzip.compress(PLAIN[:70]) + gzip.compress(PLAIN[70:]),
        json.dumps({"Records": RECORDS, "nextToken": "x"}).encode() + b"\n",
        json.dumps({"Events": [{"EventId": "1", "CloudTrailEvent": json.dumps(one)} for one in RECORDS]}).encode(),
    ],
    ids=["plain", "gzip", "mark", "indented", "members", "more", "lookup-events"],
)
def test_every_record_is_read_in_order(data: bytes) -> None:
    assert read(data) == RECORDS


@pytest.mark.parametrize("data", [b'{"Records":[]}', b' { "Records" : [ ] } '])
def test_a_file_may_be_empty_of_records(data: bytes) -> None:
    assert read(data) == []


@given(size=st.integers(2, 40), is_packed=st.booleans())
def test_the_size_of_reads_does_not_matter(size: int, *, is_packed: bool) -> None:
    found = [dict(one) for one in records(Pipe(gzip.compress(PLAIN) if is_packed else PLAIN, size))]
    assert found == RECORDS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"no json",
        b'{"Records": {}}',
        b'{"Records": [1]}',
        b'{"Records": [{}',
        b'{"Records": [{}]',
        b'{"Records": [{},]}',
        b'{"Records": [,{}]}',
        b'{"Records": [{} {}]}',
        b'{"Records": [{"a": }]}',
        b'{"Records": [{}]} trailing',
        b'{"Records": [{"a": "\xff"}]}',
        b'{"Records": [' + b'{"a":' * 100_000,
        b'{"Events": [{}]}',
        b'{"Events": [{"CloudTrailEvent": "[]"}]}',
        b'{"Events": [{"CloudTrailEvent": 7}]}',
        gzip.compress(PLAIN)[:-20],
        b"\x1f\x8b" + b"x" * 40,
        PLAIN[:-40],
    ],
    ids=range(21),
)
def test_what_is_no_cloudtrail_file_is_refused(data: bytes) -> None:
    with pytest.raises(NotCloudTrail):
        read(data)


def test_records_before_the_fault_are_given_and_nothing_is_quoted() -> None:
    given_out: list[Any] = []
    broken = records(io.BytesIO(b'{"Records": [{"eventID": "1"}, {"password": hunter2}]}'))
    with pytest.raises(NotCloudTrail) as fault:
        given_out.extend(broken)
    assert given_out == [{"eventID": "1"}]
    assert "hunter2" not in str(fault.value)


def _endless(record: bytes) -> Iterator[bytes]:
    yield b'{"Records":['
    yield record
    while True:
        yield b"," + record


class Endless(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces)


def test_memory_does_not_grow_with_the_file() -> None:
    record = json.dumps({"eventID": "1", "blob": "x" * 100_000}).encode()
    found = records(Endless(_endless(record)))
    next(found)
    tracemalloc.start()
    for _ in range(200):
        next(found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * cloudtrail.LARGEST_RECORD


def test_a_record_without_end_is_given_up() -> None:
    pieces = iter([b'{"Records":[{"a":"', *[b"x" * 200_000] * 50])
    with pytest.raises(NotCloudTrail, match="larger than"):
        list(records(Endless(pieces)))


def test_a_bomb_is_not_unpacked_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudtrail, "LARGEST_FILE", 1_000_000)
    record = json.dumps({"eventID": "1", "blob": "x" * 100_000})
    bomb = gzip.compress(('{"Records":[' + ",".join([record] * 50) + "]}").encode())
    with pytest.raises(NotCloudTrail, match="unpacked"):
        read(bomb)
