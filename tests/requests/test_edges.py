"""Edges: enrolled once, known by their own key, revoked at once; earlier lives fenced and what they left settled."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from gateway.requests import edges
from gateway.requests.edges import EdgeIdentity
from gateway.requests.models import Edge, EdgeBoot, EnrolmentToken
from gateway.requests.outcomes import store_outcomes
from gateway.requests.problems import BootFenced, EdgeRefused, EnrolmentRefused
from gateway.tenants.models import Tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import BootRequest, Enrolment, JournalStatement, Outcome, edge_string_to_sign
from tests.connections.strict_sts import StrictSts
from tests.races import at_once
from tests.requests.world import EdgeLife, Keys, enrolled, events_of, kinds_of, row_of

NOW = datetime.now(UTC)
PATH = "/api/edge/v1/feed"


def _token(text: str, *tenants: Tenant, lifetime: timedelta = timedelta(minutes=5)) -> None:
    EnrolmentToken.objects.create(
        digest=hashlib.sha256(text.encode()).digest(),
        tenants=[tenant.pk for tenant in tenants],
        expires_at=NOW + lifetime,
    )


def _enrol(token: str, public_key: bytes = b"k" * 32) -> Edge:
    return edges.enrol(enrolment=Enrolment(token=token, name="edge", public_key=public_key), now=NOW)


# -- enrolment


def test_a_token_enrols_one_edge_for_its_tenants(acme: Tenant, globex: Tenant) -> None:
    _token("t", acme)
    edge = _enrol("t")
    identity = edges.identity_of(edge.pk)
    assert identity is not None
    assert identity.tenants == {acme.pk}
    assert [kind for kind, _ in events_of(acme, edge.pk)] == ["edge.enrolled"]
    assert events_of(globex, edge.pk) == []
    with pytest.raises(EnrolmentRefused):
        _enrol("t")


def test_unknown_and_late_tokens_and_odd_keys_enrol_nobody(acme: Tenant) -> None:
    _token("late", acme, lifetime=timedelta(0))
    _token("good", acme)
    for token, key in (("none", b"k" * 32), ("late", b"k" * 32), ("good", b"short")):
        with pytest.raises(EnrolmentRefused):
            _enrol(token, key)
    # A refused key has not spent the token.
    assert _enrol("good").name == "edge"


@pytest.mark.django_db(transaction=True)
def test_of_two_edges_with_one_token_one_gets_in(acme: Tenant) -> None:
    _token("t", acme)
    found = at_once([partial(_enrol, "t")] * 4)
    assert sum(isinstance(one, Edge) for one in found) == 1
    assert sum(isinstance(one, EnrolmentRefused) for one in found) == 3


# -- whose call it is


def _signed(life: EdgeLife, **changed: Any) -> dict[str, Any]:
    body = changed.pop("signed_body", b"body")
    date = changed.get("date", str(int(NOW.timestamp())))
    text = edge_string_to_sign(
        method="POST",
        path=changed.pop("signed_path", PATH),
        date=changed.pop("signed_date", date),
        body_sha256=hashlib.sha256(body).hexdigest(),
    )
    key: Ed25519PrivateKey = changed.pop("key", life.key)
    told: dict[str, Any] = {
        "edge_id": str(life.identity.id),
        "date": date,
        "signature": base64.b64encode(key.sign(text)).decode(),
        "method": "POST",
        "path": PATH,
        "body": b"body",
        "now": NOW,
    }
    return told | changed


def _calls(told: dict[str, Any]) -> EdgeIdentity:
    return edges.authenticate(**told)


def test_its_own_key_says_who_it_is(edge: EdgeLife) -> None:
    assert _calls(_signed(edge)).id == edge.identity.id


@pytest.mark.parametrize(
    "changed",
    [
        {"key": Ed25519PrivateKey.generate()},
        {"signed_path": "/api/edge/v1/admissions"},
        {"signed_body": b"another"},
        {"signed_date": "1"},
        {"method": "PUT"},
        {"date": str(int(NOW.timestamp()) - 61)},
        {"date": str(int(NOW.timestamp()) + 61)},
        {"date": ""},
        {"date": "now"},
        {"date": "9" * 400},
        {"date": "9" * 5000},
        {"date": "nan"},
        {"signature": ""},
        {"signature": "!!!"},
        {"signature": base64.b64encode(b"short").decode()},
        {"signature": "é"},
        {"edge_id": ""},
        {"edge_id": "not-an-id"},
        {"edge_id": str(uuid.uuid4())},
    ],
    # By what is changed and not by the value: keys, ids and times differ between the workers of one run.
    ids=lambda changed: next(iter(changed)),
)
def test_anything_else_is_refused_without_saying_why(edge: EdgeLife, changed: dict[str, Any]) -> None:
    with pytest.raises(EdgeRefused) as refusal:
        _calls(_signed(edge, **changed))
    assert refusal.value.detail == ""


def test_a_revoked_edge_is_out_within_two_seconds(edge: EdgeLife) -> None:
    _calls(_signed(edge))
    Edge.objects.filter(pk=edge.identity.id).update(revoked_at=NOW)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            _calls(_signed(edge))
        except EdgeRefused:
            break
        time.sleep(0.05)
    else:
        pytest.fail("still let in")
    # Only the feed, which tells it so.
    assert _calls(_signed(edge, also_revoked=True)).is_revoked


# -- lives


def test_a_new_life_fences_the_earlier_ones(edge: EdgeLife) -> None:
    earlier = edge.boot
    edges.check_boot(edge=edge.identity, boot_id=earlier, now=NOW)
    edge.start()
    with pytest.raises(BootFenced):
        edges.check_boot(edge=edge.identity, boot_id=earlier, now=NOW)
    edges.check_boot(edge=edge.identity, boot_id=edge.boot, now=NOW)


def test_a_fenced_life_does_not_come_back(edge: EdgeLife) -> None:
    earlier = edge.boot
    edge.start()
    edges.register_boot(edge=edge.identity, boot=BootRequest(boot=earlier, version="1"), now=NOW)
    with pytest.raises(BootFenced):
        edges.check_boot(edge=edge.identity, boot_id=earlier, now=NOW)


def test_another_edges_life_is_not_ones_own(edge: EdgeLife, acme: Tenant) -> None:
    other = enrolled(acme, name="edge-2")
    with pytest.raises(BootFenced):
        edges.check_boot(edge=other.identity, boot_id=edge.boot, now=NOW)
    with pytest.raises(EdgeRefused):
        edges.register_boot(edge=other.identity, boot=BootRequest(boot=edge.boot, version="1"), now=NOW)


def test_a_statement_about_another_edges_life_counts_for_nothing(edge: EdgeLife, acme: Tenant) -> None:
    other = enrolled(acme, name="edge-2")
    other.start(statements=(JournalStatement(boot=edge.boot, sending=()),))
    assert EdgeBoot.objects.get(pk=edge.boot).sending is None
    assert EdgeBoot.objects.get(pk=edge.boot).fenced_at is None


@pytest.mark.django_db(transaction=True)
def test_lives_that_register_at_once_leave_one(edge: EdgeLife) -> None:
    boots = [BootRequest(boot=uuid.uuid4(), version="1") for _ in range(4)]
    at_once([partial(edges.register_boot, edge=edge.identity, boot=boot, now=NOW) for boot in boots])
    assert EdgeBoot.objects.filter(edge_id=edge.identity.id, fenced_at=None).count() == 1


def test_a_silent_life_is_fenced(edge: EdgeLife) -> None:
    now = datetime.now(UTC)
    edges.see_boot(edge=edge.identity, boot_id=edge.boot, now=now + timedelta(seconds=30))
    assert edges.fence_silent(now=now + timedelta(seconds=80)) == 0
    assert edges.fence_silent(now=now + timedelta(seconds=95)) == 1


# -- what a fenced life left

Settle = Callable[..., None]


@pytest.fixture
def left(ready: StrictSts, edge: EdgeLife, keys: Keys) -> list[Any]:
    """Two calls let through by a life that is over."""
    items = [keys.call("secretsmanager", "list_secrets") for _ in range(2)]
    edge.admit(*items)
    return items


def _settle(seconds: float = 10) -> int:
    return edges.settle_fenced(now=datetime.now(UTC) + timedelta(seconds=seconds))


def test_what_may_have_left_is_ambiguous_and_the_rest_was_not_sent(
    left: list[Any], edge: EdgeLife, acme: Tenant
) -> None:
    edge.start(statements=(JournalStatement(boot=edge.boot, sending=(left[0].id,)),))
    assert _settle(1) == 0
    assert row_of(acme, left[0]).state == "admitted"
    assert _settle() == 1
    assert [row_of(acme, one).state for one in left] == ["ambiguous", "not_sent"]
    assert kinds_of(acme, left[0]) == ["request.admitted", "request.ambiguous"]
    assert events_of(acme, left[0].id)[1][1]["error"] == "edge.fenced"


def test_the_ledger_says_which_life_ended_and_which_calls_are_in_doubt(
    left: list[Any], edge: EdgeLife, acme: Tenant, globex: Tenant
) -> None:
    ended = edge.boot
    edge.start(statements=(JournalStatement(boot=ended, sending=(left[0].id,)),))
    _settle()
    [(kind, facts)] = events_of(acme, ended)
    assert kind == "edge.fenced"
    assert facts == {
        "edge": str(edge.identity.id),
        "boot": str(ended),
        "count": 1,
        "requests": [str(left[0].id)],
    }
    # It stands before the calls it explains, and only with the tenants this edge serves.
    kinds = [kind for kind, _ in events_of(acme)]
    assert kinds.index("edge.fenced") < kinds.index("request.ambiguous")
    assert events_of(globex, ended) == []


def test_a_life_that_left_nothing_is_told_once_too(edge: EdgeLife, acme: Tenant) -> None:
    ended = edge.boot
    edge.start()
    _settle()
    _settle(20)
    assert [(kind, facts["count"]) for kind, facts in events_of(acme, ended)] == [("edge.fenced", 0)]


def test_without_a_journal_nobody_can_tell(left: list[Any], edge: EdgeLife, acme: Tenant) -> None:
    edge.start()
    _settle()
    assert [row_of(acme, one).state for one in left] == ["ambiguous", "ambiguous"]


def test_settling_again_changes_nothing(left: list[Any], edge: EdgeLife, acme: Tenant) -> None:
    edge.start()
    _settle()
    before = events_of(acme)
    _settle(20)
    assert events_of(acme) == before


def test_an_admission_that_commits_after_the_fence_is_settled_too(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    earlier = edge.boot
    edge.start(statements=(JournalStatement(boot=earlier, sending=()),))
    _settle()
    # It was checked before the fence, and its transaction took its time.
    late = keys.call("secretsmanager", "list_secrets")
    boot = EdgeBoot.objects.filter(pk=earlier)
    fenced_at = boot.get().fenced_at
    boot.update(fenced_at=None)
    EdgeLife(identity=edge.identity, key=edge.key, boot=earlier).admit(late)
    boot.update(fenced_at=fenced_at)
    _settle(30)
    assert row_of(acme, late).state == "not_sent"


def test_an_outcome_that_arrives_after_all_corrects(left: list[Any], edge: EdgeLife, acme: Tenant) -> None:
    edge.start()
    _settle()
    outcome = Outcome(id=left[0].id, kind=OutcomeKind.COMPLETED, ended_at=time.time(), status=200)
    assert store_outcomes(edge_id=edge.identity.id, outcomes=[outcome], now=datetime.now(UTC)) == [left[0].id]
    assert row_of(acme, left[0]).state == "completed"
    kind, facts = events_of(acme, left[0].id)[-1]
    assert (kind, facts["was"], facts["status"]) == ("request.corrected", "ambiguous", 200)


def test_the_other_edges_calls_are_left_alone(left: list[Any], edge: EdgeLife, acme: Tenant) -> None:
    enrolled(acme, name="edge-2").start()
    _settle()
    assert row_of(acme, left[0]).state == "admitted"


def test_the_app_role_cannot_unrevoke_by_rows_of_another_table(edge: EdgeLife) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('hoopweb_app', 'requests_edge', 'DELETE')")
        assert cursor.fetchone() == (False,)
