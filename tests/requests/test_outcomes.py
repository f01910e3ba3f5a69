"""Outcomes: stored once, receipts for what is stored, corrections as events, and nothing an edge says does harm."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from audit.models import Recording, Session
from audit.recordings import recorded_halves
from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.requests import outcomes
from gateway.requests.outcomes import store_outcomes
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, Outcome
from tests.connections.strict_sts import StrictSts
from tests.races import at_once
from tests.requests.asking import Asking
from tests.requests.world import EdgeLife, Keys, enrolled, events_of, keys_of, kinds_of, row_of

MASKED = b'{"SecretString":"[masked:password:0f]"}'


@pytest.fixture
def admitted(ready: StrictSts, edge: EdgeLife, keys: Keys) -> Admission:
    item = keys.call("secretsmanager", "get_secret_value", SecretId="billing/db")
    edge.admit(item)
    return item


def outcome(admission: Admission, **changed: Any) -> Outcome:
    told: dict[str, Any] = {
        "id": admission.id,
        "kind": OutcomeKind.COMPLETED,
        "started_at": time.time() - 0.1,
        "ended_at": time.time(),
        "status": 200,
        "aws_request_id": "aws-7",
        "bytes_up": 20,
        "bytes_down": len(MASKED),
        "bytes_scanned": len(MASKED),
        "masked_by_type": {"password": 2},
        "request_commitment": "a" * 64,
        "response_commitment": "b" * 64,
        "content_type": "application/x-amz-json-1.1",
        "head": MASKED,
    }
    return Outcome(**(told | changed))


def store(edge: EdgeLife, *outcomes: Outcome, now: datetime | None = None) -> list[uuid.UUID]:
    return store_outcomes(edge_id=edge.identity.id, outcomes=outcomes, now=now or datetime.now(UTC))


def test_an_outcome_ends_its_request_with_one_event(admitted: Admission, edge: EdgeLife, acme: Tenant) -> None:
    assert store(edge, outcome(admitted)) == [admitted.id]
    row = row_of(acme, admitted)
    assert (row.state, row.status, row.aws_request_id, row.bytes_down) == ("completed", 200, "aws-7", len(MASKED))
    kind, facts = events_of(acme, admitted.id)[-1]
    assert kind == "request.completed"
    assert (facts["masked"], facts["response_commitment"]) == ({"password": 2}, "b" * 64)


def test_the_masking_record_is_kept_and_only_what_could_be_one(
    admitted: Admission, edge: EdgeLife, acme: Tenant
) -> None:
    told = ("a" * 32, "not a commitment", "B" * 32)
    store(
        edge,
        outcome(
            admitted, masked_by_rule={"named-secret": 2}, masked_values=told, mask_rules="1.5.0+abc", bytes_unread=7
        ),
    )
    assert row_of(acme, admitted).masked == {
        "by_type": {"password": 2},
        "by_rule": {"named-secret": 2},
        "rules": "1.5.0+abc",
        "values": ["a" * 32],
        "bytes_unread": 7,
    }
    facts = events_of(acme, admitted.id)[-1][1]
    assert (facts["mask_rules"], facts["bytes_unread"]) == ("1.5.0+abc", 7)


def test_told_twice_it_is_stored_once_and_acknowledged_twice(admitted: Admission, edge: EdgeLife, acme: Tenant) -> None:
    for _ in range(2):
        assert store(edge, outcome(admitted), outcome(admitted)) == [admitted.id]
    assert kinds_of(acme, admitted) == ["request.admitted", "request.completed"]
    with in_tenant(acme):
        session = Session.objects.for_tenant(acme).get()
    assert (session.secrets_masked, session.bytes_out) == (2, len(MASKED))


def test_the_masked_answer_is_kept_sealed_and_opens_for_the_timeline(
    admitted: Admission, edge: EdgeLife, acme: Tenant
) -> None:
    store(edge, outcome(admitted))
    with in_tenant(acme):
        sealed = bytes(Recording.objects.for_tenant(acme).get().sealed_body)
        half = recorded_halves(tenant_id=acme.pk, request_ids=[admitted.id])[admitted.id]["response"]
    assert MASKED not in sealed
    assert (half.body, half.is_whole) == (MASKED, True)


def test_an_unknown_young_outcome_waits_and_an_old_one_is_let_go(admitted: Admission, edge: EdgeLife) -> None:
    unknown = uuid.uuid4()
    young = outcome(admitted, id=unknown)
    assert store(edge, young) == []
    assert store(edge, young, now=datetime.now(UTC) + timedelta(seconds=61)) == [unknown]


def test_another_edges_request_is_unknown(admitted: Admission, acme: Tenant) -> None:
    other = enrolled(acme, name="edge-2")
    assert store(other, outcome(admitted)) == []
    assert row_of(acme, admitted).state == "admitted"


@pytest.mark.parametrize("kind", [OutcomeKind.FAILED, OutcomeKind.NOT_SENT, OutcomeKind.AMBIGUOUS])
def test_every_way_to_end_has_its_event(admitted: Admission, edge: EdgeLife, acme: Tenant, kind: OutcomeKind) -> None:
    store(edge, outcome(admitted, kind=kind, error="upstream.lost", status=None, head=b""))
    assert row_of(acme, admitted).state == kind.value
    assert kinds_of(acme, admitted)[-1] == f"request.{kind.value}"


def test_not_sent_is_corrected_by_what_arrives_later(admitted: Admission, edge: EdgeLife, acme: Tenant) -> None:
    store(edge, outcome(admitted, kind=OutcomeKind.NOT_SENT, error="admission.unanswered", head=b""))
    store(edge, outcome(admitted))
    assert row_of(acme, admitted).state == "completed"
    kind, facts = events_of(acme, admitted.id)[-1]
    assert (kind, facts["was"]) == ("request.corrected", "not_sent")


def test_what_is_complete_stays_so(admitted: Admission, edge: EdgeLife, acme: Tenant) -> None:
    store(edge, outcome(admitted))
    store(edge, outcome(admitted, kind=OutcomeKind.NOT_SENT))
    assert row_of(acme, admitted).state == "completed"
    assert len(kinds_of(acme, admitted)) == 2


def test_what_was_refused_cannot_be_told_to_have_run(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    item = keys.call("secretsmanager", "list_secrets", region="ap-south-1")
    edge.admit(item)
    assert store(edge, outcome(item)) == [item.id]
    assert row_of(acme, item).state == "refused"


def test_of_a_held_call_an_edge_can_only_say_that_nobody_waits(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    assert store(asking.edge, outcome(admission)) == [admission.id]
    row = row_of(acme, admission)
    assert (row.state, row.error, row.status) == ("not_sent", "admission.unanswered", None)
    assert asking.kept_bodies() == 0
    assert not asking.approval(approval).client_is_waiting


def test_a_run_of_ours_is_not_the_edges_to_end(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate(asking.aws.instance())
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    store(asking.edge, outcome(admission, kind=OutcomeKind.NOT_SENT, error="admission.unanswered"))
    assert row_of(acme, admission).state == "held"
    assert asking.perform(run_id) is OutcomeKind.COMPLETED
    assert row_of(acme, admission).state == "completed"


HOSTILE: list[dict[str, Any]] = [
    {"ended_at": float("nan"), "started_at": float("inf")},
    {"ended_at": 1e308, "started_at": -1e308},
    {
        "bytes_up": 2**63 - 1,
        "bytes_down": -5,
        "bytes_scanned": 2**60,
        "bytes_unscanned": -(2**63),
        "bytes_unread": 2**60,
    },
    {"status": 2**40},
    {"status": -1},
    {"aws_request_id": "a\x00b" * 200, "error": "\x00" * 500, "content_type": "\x00" * 500},
    {"masked_by_type": {"\x00" * 500: 2**62, "x": -1}, "masked_by_rule": {str(n): n for n in range(2000)}},
    {"request_commitment": "not hex\x00", "response_commitment": "c" * 5000},
    {"head": b"\x00" * 200_000},
]


@pytest.mark.parametrize("changed", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_an_edge_says_fits_the_record(
    admitted: Admission, ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, changed: dict[str, Any]
) -> None:
    neighbour = keys.call("secretsmanager", "list_secrets")
    edge.admit(neighbour)
    assert set(store(edge, outcome(admitted, **changed), outcome(neighbour))) == {admitted.id, neighbour.id}
    row = row_of(acme, admitted)
    assert row.state == "completed"
    assert row.ended_at is not None
    assert abs(row.ended_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert len(events_of(acme, admitted.id)) == 2


@pytest.mark.django_db(transaction=True)
def test_posts_about_the_same_sessions_do_not_wait_in_a_ring(
    ready: StrictSts, edge: EdgeLife, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    several = [keys_of(acme, alice, billing_account, conversation=f"conv-{number}") for number in range(4)]
    rounds = [[one.call("secretsmanager", "list_secrets") for one in several] for _ in range(4)]
    for items in rounds:
        edge.admit(*items)
    posts = [
        partial(store, edge, *(outcome(item) for item in (items if number % 2 else items[::-1])))
        for number, items in enumerate(rounds)
    ]
    assert not [one for one in at_once(posts) if isinstance(one, BaseException)]
    assert {row_of(acme, item).state for items in rounds for item in items} == {"completed"}
    with in_tenant(acme):
        assert set(Session.objects.for_tenant(acme).values_list("secrets_masked", flat=True)) == {8}


@pytest.mark.django_db(transaction=True)
def test_one_outcome_told_by_two_posts_at_once_is_stored_once(
    admitted: Admission, edge: EdgeLife, acme: Tenant
) -> None:
    found = at_once([partial(store, edge, outcome(admitted))] * 4)
    assert found == [[admitted.id]] * 4
    assert kinds_of(acme, admitted) == ["request.admitted", "request.completed"]


def test_a_long_time_is_no_transaction() -> None:
    assert timedelta(seconds=30) < outcomes.UNKNOWN_FOR <= timedelta(minutes=5)
