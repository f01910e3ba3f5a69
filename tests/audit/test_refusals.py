"""Refusals without a tenant are counted per source and minute, and nobody can fill the table with them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial

import pytest

from audit.models import Event, RefusalCount
from audit.refusals import LARGEST_COUNT, MOST_ROWS_PER_MINUTE, count
from audit.selectors import refusal_counts
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Refusal
from tests.people import NOW
from tests.races import at_once

pytestmark = pytest.mark.django_db
EDGE = uuid.UUID(int=1)


def refusal(source: str = "10.0.0.1", code: str = "wire.malformed", number: int = 1) -> Refusal:
    return Refusal(source=source, code=code, count=number)


def counted() -> dict[tuple[str, str], int]:
    return {(row.source, row.code): row.count for row in RefusalCount.objects.all()}


def test_refusals_of_one_source_and_minute_add_up() -> None:
    count(edge_id=EDGE, items=[refusal(), refusal(number=2)], now=NOW)
    count(edge_id=EDGE, items=[refusal(number=4)], now=NOW + timedelta(seconds=59))
    assert counted() == {("10.0.0.1", "wire.malformed"): 7}
    assert RefusalCount.objects.get().minute == NOW


def test_another_minute_edge_source_or_code_counts_apart() -> None:
    count(edge_id=EDGE, items=[refusal(), refusal(source="10.0.0.2"), refusal(code="wire.too_large")], now=NOW)
    count(edge_id=EDGE, items=[refusal()], now=NOW + timedelta(minutes=1))
    count(edge_id=uuid.UUID(int=2), items=[refusal()], now=NOW)
    assert RefusalCount.objects.count() == 5
    assert {row.count for row in RefusalCount.objects.all()} == {1}


def test_a_scan_from_many_addresses_fills_bounded_room() -> None:
    scan = [refusal(source=f"10.0.{number // 250}.{number % 250}") for number in range(MOST_ROWS_PER_MINUTE * 3)]
    count(edge_id=EDGE, items=scan, now=NOW)
    assert RefusalCount.objects.count() == MOST_ROWS_PER_MINUTE + 1
    assert counted()["other", "other"] == MOST_ROWS_PER_MINUTE * 2
    assert sum(counted().values()) == len(scan)


def test_the_room_is_shared_by_all_batches_of_the_minute() -> None:
    for batch in range(4):
        scan = [refusal(source=f"10.{batch}.0.{number}") for number in range(MOST_ROWS_PER_MINUTE // 2)]
        count(edge_id=EDGE, items=scan, now=NOW)
    assert RefusalCount.objects.count() == MOST_ROWS_PER_MINUTE + 1


def test_a_source_known_before_the_scan_is_still_counted_by_name() -> None:
    count(edge_id=EDGE, items=[refusal()], now=NOW)
    count(edge_id=EDGE, items=[refusal(source=f"source-{number}") for number in range(300)], now=NOW)
    count(edge_id=EDGE, items=[refusal()], now=NOW)
    assert counted()["10.0.0.1", "wire.malformed"] == 2


@pytest.mark.parametrize("number", [0, -5])
def test_a_count_that_counts_nothing_is_left_out(number: int) -> None:
    count(edge_id=EDGE, items=[refusal(number=number)], now=NOW)
    assert counted() == {}


def test_a_stolen_edge_cannot_overflow_a_count() -> None:
    for _ in range(2):
        count(edge_id=EDGE, items=[refusal(number=2**40), refusal(number=2**62)], now=NOW)
    assert counted() == {("10.0.0.1", "wire.malformed"): LARGEST_COUNT}


def test_names_from_an_edge_are_cut_and_made_plain() -> None:
    count(edge_id=EDGE, items=[refusal(source="a\0b\u202ec" + "x" * 100, code="é" * 100)], now=NOW)
    assert list(counted()) == [("a?b?c" + "x" * 59, "?" * 80)]


def test_no_tenants_ledger_hears_of_it(acme: Tenant) -> None:
    count(edge_id=EDGE, items=[refusal()], now=NOW)
    with in_tenant(acme):
        assert not Event.objects.exists()


def test_the_latest_minute_is_read_first() -> None:
    count(edge_id=EDGE, items=[refusal(number=5)], now=NOW - timedelta(hours=2))
    count(edge_id=EDGE, items=[refusal(), refusal(source="b", number=3)], now=NOW)
    assert [row.count for row in refusal_counts(since=NOW - timedelta(hours=1))] == [3, 1]


@pytest.mark.django_db(transaction=True)
def test_two_processes_counting_the_same_sources_lose_nothing() -> None:
    forth = [refusal(source=f"10.0.0.{number}") for number in range(100)]

    def report(items: list[Refusal]) -> None:
        for _ in range(4):
            count(edge_id=EDGE, items=items, now=NOW)

    assert at_once([partial(report, items) for items in (forth, forth[::-1]) for _ in range(3)]) == [None] * 6
    assert set(counted().values()) == {24}
