"""The bytes of an event: RFC 8785, so that anyone makes the same from the same facts."""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit.ledger.canonical import canonical, event_bytes, timestamp

TENANT, SUBJECT, SESSION = UUID(int=1), UUID(int=2), UUID(int=3)
AT = datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=UTC)


def body(**changed: Any) -> bytes:
    told: dict[str, Any] = {
        "tenant_id": TENANT,
        "sequence": 7,
        "kind": "evidence.read",
        "at": AT,
        "subject": SUBJECT,
        "session_id": SESSION,
        "data": {"by": "bob", "what": "prompt"},
    }
    return event_bytes(**(told | changed)).body


def test_an_event_is_these_bytes_for_ever() -> None:
    assert body() == (
        b'{"at":"2026-11-20T12:00:00.000005Z","data":{"by":"bob","what":"prompt"},"kind":"evidence.read","seq":7,'
        b'"session":"00000000-0000-0000-0000-000000000003","subject":"00000000-0000-0000-0000-000000000002",'
        b'"tenant":"00000000-0000-0000-0000-000000000001","v":1}'
    )


def test_the_leaf_is_over_the_bytes_with_the_leaf_prefix() -> None:
    made = event_bytes(
        tenant_id=TENANT, sequence=0, kind="evidence.read", at=AT, subject=SUBJECT, session_id=None, data={}
    )
    assert made.leaf == hashlib.sha256(b"\x00" + made.body).digest()


def test_no_session_is_written_as_null() -> None:
    assert json.loads(body(session_id=None))["session"] is None


def test_one_moment_has_one_spelling_whatever_the_zone() -> None:
    berlin = AT.astimezone(timezone(timedelta(hours=1)))
    assert timestamp(berlin) == timestamp(AT) == "2026-11-20T12:00:00.000005Z"
    assert body(at=berlin) == body()


def test_the_order_in_which_facts_were_given_leaves_no_trace() -> None:
    assert body(data={"what": "prompt", "by": "bob"}) == body()


@pytest.mark.parametrize(
    ("member", "other"),
    [
        ("tenant_id", UUID(int=9)),
        ("sequence", 8),
        ("kind", "prompt.recorded"),
        ("at", AT + timedelta(microseconds=1)),
        ("subject", UUID(int=9)),
        ("session_id", None),
        ("data", {"by": "bob", "what": "session"}),
    ],
)
def test_every_member_is_in_the_bytes(member: str, other: object) -> None:
    assert body(**{member: other}) != body()


# RFC 8785 appendix B: IEEE 754 bits and their only spelling.
@pytest.mark.parametrize(
    ("bits", "spelling"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
    ],
)
def test_a_number_is_spelt_as_the_standard_says(bits: str, spelling: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert rfc8785.dumps(number) == spelling.encode()
    assert b'"quorum":' + spelling.encode() in body(kind="approval.opened", data={"quorum": number})


# RFC 8785 section 3.2.3: members sort by UTF-16 code units.
def test_members_sort_as_the_standard_says() -> None:
    given_ = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert list(json.loads(rfc8785.dumps(given_)).values()) == [2, 4, 6, 7, 1, 5, 3]


# RFC 8785 section 3.2.2.2: what is escaped, and how.
def test_text_is_escaped_as_the_standard_says() -> None:
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/"
    assert rfc8785.dumps(text) == b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**53 + 1])
def test_a_number_json_cannot_carry_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match=r"(?i)nan|inf|domain|exceed|range"):
        body(data={"quorum": number})


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match=r"(?i)utf-8|surrogate"):
        body(data={"reason": "\ud800"})


scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20)
facts = st.dictionaries(
    st.text(max_size=10),
    st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
    max_size=5,
)


@given(facts)
def test_facts_come_back_as_they_went_in(data: dict[str, Any]) -> None:
    assert json.loads(body(data=data))["data"] == data


@given(st.text(max_size=10) | st.floats(allow_nan=False, allow_infinity=False) | facts)
def test_both_writers_make_the_same_text(value: Any) -> None:
    assert canonical(value).encode() == rfc8785.dumps(value)
