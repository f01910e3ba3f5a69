"""What comes from outside fits PostgreSQL and the ledger, and stays readable."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from audit.kinds import EventKind
from audit.ledger.canonical import event_bytes
from gateway.requests import storable
from gateway.requests.examine import question_record
from gateway.terms import (
    AccessClass,
    Action,
    Candidate,
    LinkLevel,
    Operation,
    Principal,
    PrincipalKind,
    Protocol,
    Question,
    Resource,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_ID = UUID(int=7)
_ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | _ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_ANY_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(_ANY_TEXT)
def test_any_text_can_be_written_and_hashed(text: str) -> None:
    made = storable.text(text)
    assert "\x00" not in made
    made.encode()
    event_bytes(
        tenant_id=_ID,
        sequence=1,
        kind=EventKind.REQUEST_REFUSED.value,
        at=NOW,
        subject=_ID,
        session_id=None,
        data={"reason": made},
    )


@given(st.text(max_size=40).filter(lambda text: "\x00" not in text))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert storable.text(text) == text


def test_what_is_spelled_out_can_be_read() -> None:
    assert storable.text("a\x00b\ud83d") == "a\\u0000b\\ud83d"
    assert storable.text("abcdef", 3) == "abc"


@given(_ANY_JSON)
def test_any_json_value_becomes_strict_json(value: Any) -> None:
    made = json.dumps(storable.json_value(value), allow_nan=False)
    assert "\\u0000" not in made.replace("\\\\u0000", "")
    made.encode()


@given(_ANY_JSON)
def test_what_is_storable_is_left_as_it_is_and_the_rest_becomes_so(value: Any) -> None:
    made = storable.json_value(value)
    assert not storable.is_storable(value) or made == value
    msgspec.json.encode(made)


@pytest.mark.parametrize("value", ["\x00", "\ud800", math.nan, math.inf, {"\x00": 1}, [{"a": ["\x00"]}]])
def test_what_no_reader_takes_is_not_storable(value: Any) -> None:
    assert not storable.is_storable(value)
    assert storable.is_storable(storable.json_value(value)) or "\\u0000" in str(storable.json_value(value))


def _question(candidates: tuple[Candidate, ...]) -> Question:
    person = Principal(kind=PrincipalKind.PERSON, id=_ID, label="alice\x00", groups=("a\ud800",))
    return Question(
        tenant_id=_ID,
        principal=person,
        connection_id=_ID,
        connection_label="billing",
        account="123456789012",
        region="eu-central-1",
        candidates=candidates,
        link=LinkLevel.PERSON,
        is_machine_turn=False,
        source_address="203.0.113.7",
        hour_utc=12,
    )


@pytest.mark.django_db
def test_a_hostile_question_goes_into_the_database_and_comes_back() -> None:
    operation = Operation(service="s\x00", name="N\udfff", protocol=Protocol.JSON, signing_name="s")
    candidate = Candidate(
        operation=operation,
        access=AccessClass.WRITE,
        actions=(Action(name="s:N\x00", access=AccessClass.WRITE),),
        resources=(Resource(arn="arn:aws:s\x00:::\ud800", service="s"),),
        parameters={"\x00": ["\ud800", math.nan, math.inf, 2**200, {"deep\x00": None}]},
        unknown_members=("\x00",),
    )
    record = question_record(_question((candidate,)), (candidate,))
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb", [json.dumps(record)])
        read = cursor.fetchone()[0]
    back = json.loads(read) if isinstance(read, str) else read
    assert back == record
    [told] = record["candidates"]
    assert told["parameters"] == {"\\u0000": ["\\ud800", "nan", "inf", 2**200, {"deep\\u0000": None}]}
    assert told["operation"]["name"] == "N\\udfff"
    assert record["principal"]["label"] == "alice\\u0000"


@pytest.mark.parametrize("seconds", [None, math.nan, math.inf, -math.inf, 1e308, 0.0, NOW.timestamp() + 90_000])
def test_a_time_that_is_none_is_now(seconds: float | None) -> None:
    assert storable.moment(seconds, now=NOW) == NOW


def test_a_time_near_now_is_kept() -> None:
    then = NOW - timedelta(hours=3)
    assert storable.moment(then.timestamp(), now=NOW) == then


@given(st.integers())
def test_a_count_is_between_nothing_and_the_largest(value: int) -> None:
    assert 0 <= storable.number(value) <= storable.LARGEST_INTEGER
