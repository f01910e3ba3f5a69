"""Sessions: one a conversation and connection, opened once whoever comes first, with counters that add up."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection

from audit.kinds import EventKind
from audit.models import Session
from audit.selectors import sessions
from audit.services import append_all
from audit.sessions import Added, bump_counters, opened_event, session_for
from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.people import NOW
from tests.races import at_once

pytestmark = pytest.mark.django_db
KEY = uuid.UUID(int=5)


class Caller:
    """Alice's calls on the billing account."""

    def __init__(self, tenant: Tenant, alice: User, connection: Connection) -> None:
        self.tenant = tenant
        self.told: dict[str, Any] = {
            "person_id": alice.pk,
            "person_label": "alice",
            "agent_id": None,
            "agent_label": "",
            "connection_id": connection.pk,
            "connection_label": "billing",
            "conversation": "conversation-1",
            "key_id": KEY,
            "now": NOW,
        }

    def call(self, **changed: Any) -> tuple[Session, bool]:
        with in_tenant(self.tenant):
            return session_for(tenant_id=self.tenant.pk, **(self.told | changed))


@pytest.fixture
def caller(acme: Tenant, alice: User, billing_account: Connection) -> Caller:
    return Caller(acme, alice, billing_account)


def test_the_first_call_opens_the_session_and_the_next_finds_it(caller: Caller) -> None:
    first, was_opened = caller.call()
    again, was_opened_again = caller.call(now=NOW + timedelta(minutes=1))
    assert (was_opened, was_opened_again) == (True, False)
    assert again.pk == first.pk
    assert again.opened_at == NOW


@pytest.mark.parametrize(
    "other", [{"conversation": "conversation-2"}, {"connection_id": uuid.UUID(int=9)}, {"person_id": uuid.UUID(int=9)}]
)
def test_another_conversation_connection_or_person_is_another_session(caller: Caller, other: dict[str, Any]) -> None:
    assert caller.call()[0].pk != caller.call(**other)[0].pk


def test_calls_of_a_workload_without_a_person_share_one_session(caller: Caller) -> None:
    assert caller.call(person_id=None)[0].pk == caller.call(person_id=None)[0].pk


def test_without_a_conversation_each_key_is_its_own(caller: Caller) -> None:
    first, _ = caller.call(conversation="")
    other, _ = caller.call(conversation="", key_id=uuid.UUID(int=6))
    assert first.conversation == f"key:{KEY}"
    assert first.pk != other.pk


def test_the_opening_is_an_event_with_labels_as_of_then(caller: Caller, acme: Tenant) -> None:
    session, _ = caller.call()
    event = opened_event(session, key_id=KEY)
    assert (event.kind, event.subject, event.session_id) == (EventKind.SESSION_OPENED, session.pk, session.pk)
    assert event.data == {
        "person": "alice",
        "agent": "",
        "key": str(KEY),
        "connection": "billing",
        "conversation": "conversation-1",
    }
    with in_tenant(acme):
        assert append_all(tenant_id=acme.pk, events=[event])[0].sequence == 0


def test_counters_add_up(caller: Caller, acme: Tenant) -> None:
    session, _ = caller.call()
    later = NOW + timedelta(minutes=2)
    with in_tenant(acme):
        bump_counters(tenant_id=acme.pk, added=[Added(id=session.pk, now=later, calls=3, refused=1, held=1, deletes=1)])
        bump_counters(
            tenant_id=acme.pk, added=[Added(id=session.pk, now=NOW, calls=1, secrets_masked=4, bytes_out=10**12)]
        )
        session.refresh_from_db()
    assert (session.calls, session.refused, session.held, session.deletes) == (4, 1, 1, 1)
    assert (session.secrets_masked, session.bytes_out) == (4, 10**12)
    assert session.last_at == later, "an older batch that commits late does not turn the clock back"


def test_within_a_second_a_busy_session_is_updated_in_place_and_its_last_call_stays(
    caller: Caller, acme: Tenant
) -> None:
    session, _ = caller.call()
    soon = NOW + timedelta(milliseconds=999)
    with in_tenant(acme), connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('audit_session'::regclass)")
        (before,) = cursor.fetchone()
        for _ in range(5):
            bump_counters(tenant_id=acme.pk, added=[Added(id=session.pk, now=soon, calls=1)])
        cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('audit_session'::regclass)")
        (after,) = cursor.fetchone()
        session.refresh_from_db()
    assert after - before == 5, "no index learns of a call"
    assert (session.calls, session.last_at) == (5, NOW)


def test_taint_is_kept_once_each_in_one_order(caller: Caller, acme: Tenant) -> None:
    session, _ = caller.call()
    for taint in (("untrusted",), (), ("secret", "untrusted")):
        with in_tenant(acme):
            bump_counters(tenant_id=acme.pk, added=[Added(id=session.pk, now=NOW, calls=1, taint=taint)])
    with in_tenant(acme):
        session.refresh_from_db()
    assert (session.calls, session.taint) == (3, ["secret", "untrusted"])


def test_another_tenants_session_is_not_counted_up(caller: Caller, acme: Tenant, globex: Tenant) -> None:
    session, _ = caller.call()
    with in_tenant(globex):
        bump_counters(tenant_id=acme.pk, added=[Added(id=session.pk, now=NOW, calls=1)])
    with in_tenant(acme):
        session.refresh_from_db()
    assert session.calls == 0


def test_the_list_begins_with_the_latest_call(caller: Caller, acme: Tenant) -> None:
    first, _ = caller.call()
    second, _ = caller.call(conversation="conversation-2", now=NOW + timedelta(minutes=1))
    with in_tenant(acme):
        assert [one.pk for one in sessions(tenant=acme)] == [second.pk, first.pk]
        bump_counters(tenant_id=acme.pk, added=[Added(id=first.pk, now=NOW + timedelta(minutes=5), calls=1)])
        assert [one.pk for one in sessions(tenant=acme)] == [first.pk, second.pk]
        assert not sessions(tenant=acme, person_id=uuid.UUID(int=9)).exists()


@pytest.mark.django_db(transaction=True)
def test_first_calls_at_once_open_one_session(caller: Caller) -> None:
    found = at_once([caller.call] * 6)
    opened = [one for one in found if isinstance(one, tuple)]
    assert len(opened) == 6
    assert len({session.pk for session, _ in opened}) == 1
    assert sum(was_opened for _, was_opened in opened) == 1


@pytest.mark.django_db(transaction=True)
def test_calls_at_once_are_all_counted(caller: Caller, acme: Tenant) -> None:
    session, _ = caller.call()

    def bump(number: int) -> None:
        for _ in range(10):
            with in_tenant(acme):
                bump_counters(
                    tenant_id=acme.pk, added=[Added(id=session.pk, now=NOW + timedelta(seconds=number), calls=1)]
                )

    assert at_once([partial(bump, number) for number in range(4)]) == [None] * 4
    with in_tenant(acme):
        session.refresh_from_db()
    assert session.calls == 40
