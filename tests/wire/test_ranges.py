"""Byte ranges: read strictly, widened on both sides, and found within a whole."""

from __future__ import annotations

import pytest

from gateway.wire.ranges import WIDENED_BYTES, ByteRange, ContentRange, read_content_range, read_range


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=8388608-", 8388608, None),
        ("bytes=-500", None, 500),
        (" Bytes = 7 - 7 ", 7, 7),
    ],
)
def test_one_range_is_read(header: str, first: int | None, last: int | None) -> None:
    assert read_range(header) == ByteRange(first=first, last=last)


@pytest.mark.parametrize(
    "header",
    ["", "bytes=", "bytes=-", "bytes=-0", "bytes=9-1", "bytes=0-1,5-6", "items=0-1", "bytes=a-b", "bytes=1-2-3", "0-1"],
)
def test_anything_else_is_no_range(header: str) -> None:
    assert read_range(header) is None


@pytest.mark.parametrize(
    ("first", "last", "total", "expected"),
    [
        (0, 99, 50, (0, 49)),
        (10, 19, 50, (10, 19)),
        (10, None, 50, (10, 49)),
        (None, 20, 50, (30, 49)),
        (None, 99, 50, (0, 49)),
        (50, None, 50, None),
        (0, 0, 0, None),
        (None, 5, 0, None),
    ],
)
def test_a_range_within_a_whole(first: int | None, last: int | None, total: int, expected: object) -> None:
    assert ByteRange(first=first, last=last).within(total) == expected


def test_a_range_is_widened_on_both_sides() -> None:
    far = 10 * WIDENED_BYTES
    assert ByteRange(first=far, last=far + 9).widened() == f"bytes={far - WIDENED_BYTES}-{far + 9 + WIDENED_BYTES}"
    assert ByteRange(first=5, last=9).widened() == f"bytes=0-{9 + WIDENED_BYTES}"
    assert ByteRange(first=far, last=None).widened() == f"bytes={far - WIDENED_BYTES}-"
    assert ByteRange(first=None, last=3).widened() == f"bytes=-{3 + WIDENED_BYTES}"


def test_what_an_answer_holds_is_read_and_written() -> None:
    assert read_content_range("bytes 0-9/100") == ContentRange(first=0, last=9, total=100)
    assert str(ContentRange(first=0, last=9, total=100)) == "bytes 0-9/100"


@pytest.mark.parametrize("header", ["", "bytes */100", "bytes 0-9/*", "bytes 9-0/100", "bytes 0-100/100", "0-9/100"])
def test_an_answer_that_does_not_say_what_it_holds(header: str) -> None:
    assert read_content_range(header) is None
