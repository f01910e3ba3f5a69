"""The one way into the ledger: gap-free numbers per tenant, whoever writes at once and whatever fails."""

from __future__ import annotations

import json
from functools import partial

import pytest
from django.db import Error, connection

from audit.kinds import RULES, EventKind
from audit.ledger.canonical import event_bytes
from audit.ledger.tree import leaf_hash
from audit.models import Event, LedgerHead
from audit.services import NewEvent, UnknownFact, append, append_all
from audit.tasks import ensure_partitions
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.conftest import AsOwner
from tests.people import NOW
from tests.races import at_once

THREADS, ROUNDS = 4, 12


def read_event(tenant: Tenant, what: str = "prompt") -> NewEvent:
    return NewEvent(kind=EventKind.EVIDENCE_READ, at=NOW, subject=tenant.pk, data={"by": "bob", "what": what})


def sequences(tenant: Tenant) -> list[int]:
    with in_tenant(tenant):
        return list(Event.objects.for_tenant(tenant).order_by("sequence").values_list("sequence", flat=True))


@pytest.mark.django_db
class TestOneWriter:
    def test_numbers_start_at_nought_and_follow(self, acme: Tenant) -> None:
        with in_tenant(acme):
            assert append_all(tenant_id=acme.pk, events=[read_event(acme)] * 3)[-1].sequence == 2
            assert append(tenant_id=acme.pk, kind=EventKind.SIGNED_IN, at=NOW, subject=acme.pk).sequence == 3
        assert sequences(acme) == [0, 1, 2, 3]

    def test_each_tenant_counts_for_itself(self, acme: Tenant, globex: Tenant) -> None:
        for tenant in (acme, globex, acme):
            with in_tenant(tenant):
                append_all(tenant_id=tenant.pk, events=[read_event(tenant)])
        assert (sequences(acme), sequences(globex)) == ([0, 1], [0])

    def test_the_row_holds_the_bytes_that_were_hashed(self, acme: Tenant) -> None:
        with in_tenant(acme):
            (made,) = append_all(tenant_id=acme.pk, events=[read_event(acme)])
            row = Event.objects.get(sequence=made.sequence)
        assert bytes(row.leaf) == made.leaf == leaf_hash(bytes(row.body))
        told = json.loads(bytes(row.body))
        assert told["seq"] == row.sequence == 0
        assert told["tenant"] == str(row.tenant_id) == str(acme.pk)
        assert (told["kind"], told["subject"], told["data"]) == (
            row.kind,
            str(row.subject),
            {"by": "bob", "what": "prompt"},
        )

    @pytest.mark.parametrize("what", ["prompt", "größer 🙂", '"\\', "\b\f\n\r\t\x1f\x7f", "\\u0000", "\u2028\ue000"])
    def test_the_database_makes_the_bytes_anyone_makes_from_the_facts(self, acme: Tenant, what: str) -> None:
        event = read_event(acme, what)
        with in_tenant(acme):
            append_all(tenant_id=acme.pk, events=[event] * 11)
            row = Event.objects.get(sequence=10)
        made = event_bytes(
            tenant_id=acme.pk,
            sequence=10,
            kind=event.kind.value,
            at=event.at,
            subject=event.subject,
            session_id=None,
            data=event.data,
        )
        assert (bytes(row.body), bytes(row.leaf)) == (made.body, made.leaf)
        assert json.loads(made.body)["data"]["what"] == what

    def test_nothing_to_append_takes_no_lock_and_no_number(self, acme: Tenant) -> None:
        with in_tenant(acme):
            assert append_all(tenant_id=acme.pk, events=[]) == []
            assert not LedgerHead.objects.exists()

    def test_a_rolled_back_change_leaves_no_gap(self, acme: Tenant) -> None:
        def fail_half_way() -> None:
            with in_tenant(acme):
                append_all(tenant_id=acme.pk, events=[read_event(acme)] * 5)
                raise RuntimeError("half way")

        with pytest.raises(RuntimeError, match="half way"):
            fail_half_way()
        with in_tenant(acme):
            append_all(tenant_id=acme.pk, events=[read_event(acme)])
        assert sequences(acme) == [0]

    def test_without_the_tenant_entered_nothing_is_appended(self, acme: Tenant, globex: Tenant) -> None:
        with pytest.raises(Error, match="row-level security"), in_tenant(globex):
            append_all(tenant_id=acme.pk, events=[read_event(acme)])

    def test_a_fact_its_kind_does_not_list_is_refused_before_it_is_stored(self, acme: Tenant) -> None:
        with pytest.raises(UnknownFact, match="password"):
            append(tenant_id=acme.pk, kind=EventKind.SIGNED_IN, at=NOW, subject=acme.pk, data={"password": "hunter2"})


@pytest.mark.django_db(transaction=True)
class TestManyWriters:
    def test_numbers_stay_gap_free_with_writers_of_two_tenants_at_once(self, acme: Tenant, globex: Tenant) -> None:
        def write(tenant: Tenant, batch: int) -> None:
            for _ in range(ROUNDS):
                with in_tenant(tenant):
                    append_all(tenant_id=tenant.pk, events=[read_event(tenant)] * batch)

        acts = [partial(write, tenant, 1 + number % 3) for tenant in (acme, globex) for number in range(THREADS)]
        assert at_once(acts) == [None] * len(acts)
        for tenant in (acme, globex):
            written = ROUNDS * sum(1 + number % 3 for number in range(THREADS))
            assert sequences(tenant) == list(range(written))
            with in_tenant(tenant):
                assert LedgerHead.objects.get().next_sequence == written

    def test_writers_that_fail_among_others_leave_no_gap(self, acme: Tenant) -> None:
        def write(fails: bool) -> None:
            for _ in range(ROUNDS):
                try:
                    with in_tenant(acme):
                        append_all(tenant_id=acme.pk, events=[read_event(acme)] * 2)
                        if fails:
                            raise RuntimeError("half way")
                except RuntimeError:
                    assert fails

        assert at_once([partial(write, number % 2 == 1) for number in range(THREADS)]) == [None] * THREADS
        assert sequences(acme) == list(range(ROUNDS * 2 * THREADS // 2))

    def test_one_tenants_long_transaction_does_not_hold_up_another(self, acme: Tenant, globex: Tenant) -> None:
        with in_tenant(acme):
            append_all(tenant_id=acme.pk, events=[read_event(acme)])

            def next_door() -> None:
                with in_tenant(globex), connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '2s'")
                    append_all(tenant_id=globex.pk, events=[read_event(globex)])

            assert at_once([next_door]) == [None]
        assert sequences(globex) == [0]


class TestKinds:
    def test_every_kind_has_a_rule(self) -> None:
        assert set(RULES) == set(EventKind)

    @pytest.mark.parametrize("kind", EventKind)
    def test_what_may_be_redacted_is_a_fact_of_the_kind(self, kind: EventKind) -> None:
        assert RULES[kind].redactable <= RULES[kind].facts

    def test_codes_fit_their_column_and_say_what_they_are_about(self) -> None:
        for kind in EventKind:
            about, _, what = kind.value.partition(".")
            assert about
            assert what
            assert len(kind.value) <= 40


@pytest.mark.django_db
class TestPartitions:
    """Room for events is made before it is needed."""

    def test_a_ledger_near_the_end_of_its_room_gets_more(self, acme: Tenant, as_owner: AsOwner) -> None:
        with in_tenant(acme):
            LedgerHead.objects.create(tenant=acme, next_sequence=7_900_000)
        assert ensure_partitions() > 0
        assert ensure_partitions() == 0
        with in_tenant(acme):
            (made,) = append_all(tenant_id=acme.pk, events=[read_event(acme)])
            assert made.sequence == 7_900_000
            (later,) = _appended_at(acme, 8_100_000)
            assert later == 8_100_000

    def test_new_room_is_behind_the_same_walls(self, acme: Tenant) -> None:
        with in_tenant(acme):
            LedgerHead.objects.create(tenant=acme, next_sequence=7_900_000)
        ensure_partitions()
        for sql in ("SELECT * FROM audit_event_p7", "TRUNCATE audit_event_p7", "DELETE FROM audit_event_p7"):
            with pytest.raises(Error, match="denied"), in_tenant(acme):
                _run(sql)

    def test_an_event_past_all_room_is_refused_rather_than_lost(self, acme: Tenant) -> None:
        with in_tenant(acme):
            LedgerHead.objects.create(tenant=acme, next_sequence=900_000_000)
        with pytest.raises(Error, match="no partition"), in_tenant(acme):
            append_all(tenant_id=acme.pk, events=[read_event(acme)])


def _appended_at(tenant: Tenant, sequence: int) -> list[int]:
    LedgerHead.objects.filter(tenant=tenant).update(next_sequence=sequence)
    return [one.sequence for one in append_all(tenant_id=tenant.pk, events=[read_event(tenant)])]


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
