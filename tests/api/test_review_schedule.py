"""Reviews by the calendar: begun each quarter, reminded of, overdue, as the tenant wants; and groups as lines of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.kinds import EventKind
from audit.models import Session
from gateway.connections.access import keep_connection_for, usable_connections
from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.identity.object_rights import groups_of
from gateway.policy import services as policy
from gateway.policy.access import keep_policy_for
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from hoopweb.reviews.models import AccessReview
from hoopweb.reviews.schedule import keep
from hoopweb.tasks import keep_access_reviews
from tests.api.asking import Api, api_of, is_problem
from tests.approvals.notify.telling import followed
from tests.approvals.notify.test_following import told
from tests.identity.test_members import events
from tests.people import caller_of, member
from tests.ui.browsing import browser_of, page

Q4 = datetime(2026, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def old(acme: Tenant) -> Tenant:
    """acme has been here for a year."""
    acme.created_at = datetime(2025, 11, 1, tzinfo=UTC)
    return acme


@pytest.fixture
def olga(acme: Tenant) -> User:
    return member(acme, "olga", roles=[Role.OWNER])


@pytest.fixture
def olgas(acme: Tenant, olga: User) -> Api:
    return api_of(acme, olga, *Right)


def kept(tenant: Tenant, at: datetime) -> int:
    with in_tenant(tenant):
        return keep(tenant, at)


def test_a_review_begins_by_itself_once_a_quarter(old: Tenant, olga: User) -> None:
    assert (kept(old, Q4 + timedelta(hours=1)), kept(old, Q4 + DAY)) == (1, 0)
    with in_tenant(old):
        review = AccessReview.objects.for_tenant(old).get()
        assert review.items.count() >= 1
    assert (review.quarter, review.opened_by) == ("2026-Q4", "schedule")
    assert review.due_at == Q4 + timedelta(hours=1) + 30 * DAY
    assert kept(old, datetime(2027, 1, 1, tzinfo=UTC)) >= 1


def test_people_are_reminded_before_it_is_due_and_then_each_week(old: Tenant, olga: User) -> None:
    kept(old, Q4)
    steps = {day: kept(old, Q4 + day * DAY) for day in (10, 16, 17, 23, 28, 29, 30, 31, 36, 37, 38)}
    assert [day for day, number in steps.items() if number] == [16, 23, 29, 30, 37]
    (first, *_) = events(old, "access_review.reminded")
    assert first["data"]["count"] >= 1
    assert len(events(old, "access_review.reminded")) == 3
    assert len(events(old, "access_review.overdue")) == 2


def test_what_is_complete_reminds_nobody(old: Tenant, olga: User) -> None:
    kept(old, Q4)
    with in_tenant(old):
        AccessReview.objects.for_tenant(old).update(closed_at=Q4 + DAY)
    assert [kept(old, Q4 + day * DAY) for day in (20, 40)] == [0, 0]


def test_reminders_are_notices_to_those_who_answer(old: Tenant, olga: User) -> None:
    told(old, EventKind.GLASS_BROKEN, user="olga")
    followed(old)
    kept(old, Q4)
    kept(old, Q4 + 20 * DAY)
    followed(old)
    listed = api_of(old, olga, *Right).get("notices/").json()["items"]
    assert sorted(one["title"] for one in listed if one["kind"] == "access_review") == [
        "The access review 2026-Q4 has begun",
        "The access review 2026-Q4 waits for answers",
    ]


def test_a_tenant_made_amid_a_quarter_settles_first(acme: Tenant) -> None:
    acme.created_at = datetime(2026, 11, 10, tzinfo=UTC)
    assert kept(acme, datetime(2026, 11, 11, tzinfo=UTC)) == 0
    assert kept(acme, datetime(2026, 11, 25, tzinfo=UTC)) == 1


def test_a_suspended_tenant_begins_none(old: Tenant) -> None:
    old.is_suspended = True
    assert kept(old, Q4) == 0


def test_the_tenant_says_how_its_reviews_are_held(old: Tenant, olgas: Api) -> None:
    usual = {"is_on": True, "days_to_answer": 30, "remind_days_before": [14, 7, 1]}
    assert olgas.get("access-review-schedule/").json() == usual
    wanted = {"is_on": False, "days_to_answer": 20, "remind_days_before": [3, 10, 3]}
    changed = olgas.patch("access-review-schedule/", wanted)
    assert changed.json() == {"is_on": False, "days_to_answer": 20, "remind_days_before": [10, 3]}
    assert kept(old, Q4) == 0
    (event,) = events(old, "tenant.changed")
    assert event["data"]["what"] == "access reviews"


@pytest.mark.parametrize(
    "body",
    [
        {"is_on": True, "days_to_answer": 20, "remind_days_before": [20]},
        {"is_on": True, "days_to_answer": 6, "remind_days_before": []},
        {"is_on": True, "days_to_answer": 61, "remind_days_before": []},
        {"is_on": True, "days_to_answer": 60, "remind_days_before": [1, 2, 3, 4, 5, 6]},
        {"is_on": True},
    ],
)
def test_a_schedule_that_is_none_is_refused(olgas: Api, acme: Tenant, body: dict[str, Any]) -> None:
    assert olgas.patch("access-review-schedule/", body).status_code == 400
    assert events(acme, "tenant.changed") == []


def test_the_page_says_and_changes_the_schedule(acme: Tenant, olga: User) -> None:
    client = browser_of(olga)
    assert "Begun each quarter by itself" in page(client.get("/access-reviews/")).text
    assert client.post("/access-reviews/schedule/", {"days": "20", "reminders": "5, 2"}).status_code == 302
    assert "Begun by hand, 20 days to answer" in page(client.get("/access-reviews/")).text
    assert client.post("/access-reviews/schedule/", {"days": "x"}).status_code == 400


def test_the_task_visits_each_tenant_inside_its_own(old: Tenant, globex: Tenant, olga: User) -> None:
    for tenant in (old, globex):
        with in_tenant(tenant):
            Tenant.objects.filter(pk=tenant.pk).update(created_at=datetime(2025, 1, 1, tzinfo=UTC))
    assert keep_access_reviews() == 2
    for tenant in (old, globex):
        with in_tenant(tenant):
            assert AccessReview.objects.count() == 1


# --- groups as lines


@pytest.fixture
def kept_for(acme: Tenant, alice: User, billing_account: Connection) -> Connection:
    """The connection is kept for two groups, the policy for one; alice worked on the connection."""
    now = datetime.now(UTC)
    with in_tenant(acme):
        keep_connection_for(
            tenant=acme, connection_id=billing_account.pk, groups=["engineering", "finance"], by_label="olga", now=now
        )
        revision = policy.publish(tenant=acme, packs=["starter"], text="", by_label="olga", now=now)
        keep_policy_for(tenant=acme, policy_id=revision.policy_id, groups=["security"], by_label="olga", now=now)
        Session.objects.create(
            tenant=acme,
            person_id=alice.pk,
            person_label="alice",
            connection_id=billing_account.pk,
            connection_label="billing",
            conversation="c",
            opened_at=now - DAY,
            last_at=now - DAY,
        )
    return billing_account


def group_line(olgas: Api, label: str) -> tuple[str, dict[str, Any]]:
    listed = olgas.get("access-reviews/").json()["items"]
    review = listed[0]["id"] if listed else olgas.post("access-reviews/", {}).json()["id"]
    items = olgas.get(f"access-reviews/{review}/").json()["items"]
    return review, next(one for one in items if one["kind"] == "group" and label in one["label"])


def answered(olgas: Api, label: str, answer: str) -> Any:
    review, item = group_line(olgas, label)
    return olgas.post(f"access-reviews/{review}/items/{item['id']}/", {"answer": answer, "reason": "nobody needs it"})


def test_a_group_is_a_line_with_what_it_may_who_is_in_it_and_its_last_use(olgas: Api, kept_for: Connection) -> None:
    _, line = group_line(olgas, "engineering on connection")
    assert line["access"] == "may have keys to the connection; in the group: alice"
    assert line["last_used_at"] is not None
    _, unused = group_line(olgas, "finance on connection")
    assert (unused["access"].endswith("nobody"), unused["last_used_at"]) == (True, None)
    _, publishing = group_line(olgas, "security on policy")
    assert publishing["access"].startswith("may publish the policy")


def test_a_removed_group_has_no_way_to_the_connection_any_more(
    acme: Tenant, alice: User, olgas: Api, kept_for: Connection
) -> None:
    with in_tenant(acme):
        assert usable_connections(caller_of(acme, alice)).count() == 1
    assert answered(olgas, "engineering on connection", "remove").status_code == 201
    with in_tenant(acme):
        assert usable_connections(caller_of(acme, alice)).count() == 0
        assert groups_of(kept_for) == ["finance"]


@pytest.mark.parametrize("label", ["security on policy", "finance on connection"])
def test_the_last_group_is_not_taken_since_that_would_open_what_it_keeps(
    acme: Tenant, olgas: Api, kept_for: Connection, label: str
) -> None:
    if "connection" in label:
        answered(olgas, "engineering on connection", "remove")
    assert is_problem(answered(olgas, label, "remove"), 409, "review.last_group")
    assert answered(olgas, label, "keep").status_code == 201


def test_a_group_of_a_policy_is_taken_by_owners_alone(acme: Tenant, olgas: Api, kept_for: Connection) -> None:
    review, item = group_line(olgas, "security on policy")
    oscar = api_of(acme, member(acme, "oscar", roles=[Role.SECURITY_ADMIN]), *Right)
    answer = oscar.post(f"access-reviews/{review}/items/{item['id']}/", {"answer": "remove", "reason": "not needed"})
    assert is_problem(answer, 403, "identity.right_missing")
