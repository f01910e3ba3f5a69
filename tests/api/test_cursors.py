"""Cursors and strict JSON: what a list gave comes back as it was; what it did not give is refused, whatever it is."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoopweb.api.errors import Malformed
from hoopweb.api.pagination import Keyset
from hoopweb.api.parsing import DEEPEST, read_json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Row:
    at: datetime
    id: UUID
    number: int


NEWEST = Keyset(name="things", fields={"at": datetime, "id": UUID})
NUMBERED = Keyset(name="numbers", fields={"number": int})


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(
    st.integers(min_value=0, max_value=10**16).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds)),
    st.uuids(),
    st.integers(min_value=0, max_value=2**63 - 1),
)
def test_a_cursor_leads_back_to_its_row(at: datetime, id_: UUID, number: int) -> None:
    row = Row(at=at, id=id_, number=number)
    assert NEWEST.read(NEWEST.write(row)) == [at, id_]
    assert NUMBERED.read(NUMBERED.write(row)) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "things:1:",
        "things:1",
        "things:1:00000000000000000000000000000001:2",
        "other:1:00000000000000000000000000000001",
        "things:-1:00000000000000000000000000000001",
        "things:٣:00000000000000000000000000000001",
        "things:1:{00000000-0000-0000-0000-000000000001}",
        "things:999999999999999999:00000000000000000000000000000001",
        "",
    ],
)
def test_a_cursor_this_list_did_not_give_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        NEWEST.read(cursor(text))


@pytest.mark.parametrize("number", [2**63, 10**19 - 1, 10**19])
def test_a_number_no_row_can_have_is_malformed_and_never_reaches_the_database(number: int) -> None:
    with pytest.raises(Malformed):
        NUMBERED.read(cursor(f"numbers:{number}"))


@given(st.text(max_size=300))
def test_any_text_is_a_cursor_or_malformed(text: str) -> None:
    try:
        (number,) = NUMBERED.read(text)
    except Malformed:
        return
    assert NUMBERED.read(NUMBERED.write(Row(at=EPOCH, id=UUID(int=0), number=number))) == [number]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=20,
    )
)
def test_json_that_is_strict_is_read_as_it_was_written(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_json_nests_as_deep_as_the_limit_and_no_deeper() -> None:
    read_json(nested(DEEPEST))
    with pytest.raises(ValueError, match="deeper"):
        read_json(nested(DEEPEST + 1))
    with pytest.raises(ValueError, match="deeper"):
        read_json(b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1))


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    text = "[{" * DEEPEST + '"\\' + "}]" * DEEPEST
    assert read_json(json.dumps([text, text]).encode()) == [text, text]


def test_many_lists_side_by_side_are_not_deep() -> None:
    assert len(read_json(b"[" + b"[]," * (DEEPEST * 3) + b"[]]")) == DEEPEST * 3 + 1


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', '{"a": 1, "a": 1}', "[1,]", "", "\ufeff1"])
def test_json_that_readers_would_read_differently_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_json(text.encode())
