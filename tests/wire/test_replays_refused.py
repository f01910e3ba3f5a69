"""A signed change that comes again is refused as a copy, and nobody's honest second call is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from gateway.wire import problems
from gateway.wire.replay import REMEMBERED, SAME_SECOND, ReplayWindow, Sighting, is_replay, sighting_of
from gateway.wire.sigv4 import SKEW, claim_of
from tests.wire.test_signatures_verified import presigned, signed, with_header

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
LATER = NOW + SAME_SECOND + timedelta(seconds=1)


def seen(signature: bytes = b"s", occurrence: str = "call-1\nattempt=1", *, is_named: bool = False) -> Sighting:
    return Sighting(signature=signature, occurrence=occurrence, is_named=is_named)


def refused(window: ReplayWindow, sighting: Sighting, now: datetime = NOW) -> bool:
    try:
        window.check(sighting, admission_id=uuid4(), now=now)
    except problems.RequestReplayed:
        return True
    return False


def test_the_same_try_never_comes_twice() -> None:
    window = ReplayWindow()
    assert not refused(window, seen())
    assert refused(window, seen())
    assert refused(window, seen(), LATER)
    assert refused(window, seen(), NOW + REMEMBERED)


def test_two_clients_that_sign_alike_within_a_second_both_pass() -> None:
    window = ReplayWindow()
    assert not refused(window, seen(occurrence="call-1\nattempt=1"))
    assert not refused(window, seen(occurrence="call-2\nattempt=1"))
    assert not refused(window, seen(occurrence="call-3\nattempt=1"), NOW + SAME_SECOND)


def test_an_sdks_own_retry_within_the_second_passes() -> None:
    window = ReplayWindow()
    assert not refused(window, seen(occurrence="call-1\nattempt=1; max=3"))
    assert not refused(window, seen(occurrence="call-1\nattempt=2; max=3"))


def test_a_copy_under_another_name_is_refused_once_the_second_is_over() -> None:
    """The invocation id is not signed by boto3, so a copy may carry any; its signature gives it away."""
    window = ReplayWindow()
    assert not refused(window, seen(occurrence="call-1\nattempt=1"))
    assert refused(window, seen(occurrence="made-up\nattempt=1"), LATER)


def test_each_name_is_good_once_even_within_the_second() -> None:
    window = ReplayWindow()
    for name, expected in (("a", False), ("b", False), ("a", True), ("b", True), ("c", False)):
        assert refused(window, seen(occurrence=name)) is expected


def test_where_the_invocation_is_signed_no_second_arrival_is_honest() -> None:
    window = ReplayWindow()
    assert not refused(window, seen(is_named=True))
    assert refused(window, seen(is_named=True, occurrence="other"))


def test_clients_that_name_no_invocation_have_the_second_too() -> None:
    window = ReplayWindow()
    assert not refused(window, seen(occurrence=""))
    assert not refused(window, seen(occurrence=""))
    assert refused(window, seen(occurrence=""), LATER)


def test_an_admission_that_is_asked_about_again_is_no_replay() -> None:
    window, admission = ReplayWindow(), uuid4()
    for now in (NOW, LATER, NOW + SKEW):
        window.check(seen(), admission_id=admission, now=now)
    assert refused(window, seen(), LATER)


def test_a_signature_is_remembered_as_long_as_it_would_be_believed() -> None:
    window = ReplayWindow()
    assert not refused(window, seen())
    assert refused(window, seen(), NOW + 2 * SKEW)
    assert len(window) == 2
    assert not refused(window, seen(b"other"), NOW + 2 * SKEW + timedelta(seconds=1))
    assert len(window) == 2


def test_memory_is_bounded() -> None:
    window = ReplayWindow(most=100)
    for number in range(1_000):
        assert not refused(window, seen(b"%d" % number))
    assert len(window) <= 101
    assert refused(window, seen(b"999"))


@pytest.mark.parametrize(
    ("first", "again", "seconds", "expected"),
    [
        ("a", "a", 0, True),
        ("a", "b", 0, False),
        ("a", "b", 6, True),
        ("", "", 0, False),
        ("", "", 6, True),
        ("", "a", 0, False),
    ],
)
def test_the_rule_by_itself(first: Any, again: Any, seconds: Any, expected: Any) -> None:
    apart = timedelta(seconds=seconds)
    assert is_replay(seen(occurrence=first), seen(occurrence=again), apart=apart) is expected


# --- what is remembered of a request


def test_a_request_is_known_by_its_signature_and_try() -> None:
    request = with_header(signed(), "amz-sdk-invocation-id", "i-1")
    first = sighting_of(request, claim_of(request))
    again = with_header(request, "amz-sdk-request", "attempt=2; max=3")
    second = sighting_of(again, claim_of(again))
    assert first is not None
    assert second is not None
    assert first.signature == second.signature
    assert first.occurrence != second.occurrence
    assert not first.is_named


def test_a_signed_invocation_is_known_to_be_signed() -> None:
    request = signed(headers={"amz-sdk-invocation-id": "i-1"})
    found = sighting_of(request, claim_of(request))
    assert found is not None
    assert found.is_named


def test_nothing_is_made_of_a_name_that_is_not_there() -> None:
    found = sighting_of(signed(), claim_of(signed()))
    assert found is not None
    assert found.occurrence == ""


def test_equal_signatures_of_two_keys_are_two() -> None:
    request = signed()
    claim = claim_of(request)
    one, other = sighting_of(request, claim), sighting_of(request, replace(claim, access_key_id="OTHER"))
    assert one is not None
    assert other is not None
    assert one.signature != other.signature


def test_presigned_urls_are_made_to_be_used_again() -> None:
    request = presigned(method="PUT")
    assert sighting_of(request, claim_of(request)) is None
