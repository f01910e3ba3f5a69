"""Access reviews: who holds what and when it was last used, kept or removed with a reason, told as events and CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.kinds import EventKind
from gateway.connections.models import Connection
from gateway.identity.door_models import WorkloadRule
from gateway.identity.models import ApiKey, Device, Membership, ServiceAccount, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from hoopweb.reviews import services
from hoopweb.reviews.models import AccessReview
from tests.api.asking import Api, api_of, is_problem
from tests.identity.test_members import events
from tests.people import api_key_of, caller_of, member
from tests.ui.browsing import browser_of, page


@pytest.fixture
def olga(acme: Tenant) -> User:
    return member(acme, "olga", roles=[Role.OWNER])


@pytest.fixture
def oscar(acme: Tenant) -> User:
    return member(acme, "oscar", roles=[Role.SECURITY_ADMIN])


@pytest.fixture
def held(acme: Tenant, alice: User, billing_account: Connection) -> dict[str, Any]:
    """One of each kind that holds a right, besides people."""
    key, text = api_key_of(acme, alice, Right.AGENTS_READ)
    with in_tenant(acme):
        account = ServiceAccount.objects.create(tenant=acme, name="ci")
        device = Device.objects.create(tenant=acme, user=alice, name="laptop", public_key=b"")
        rule = WorkloadRule.objects.create(
            tenant=acme,
            service_account=account,
            issuer="https://ci.example",
            jwks_uri="j",
            audience="a",
            subject="repo:acme/app",
            created_at=timezone.now(),
        )
    assert Api(text).get("me/").status_code == 200
    return {"api-key": key, "service-account": account, "device": device, "workload-rule": rule}


@pytest.fixture
def olgas(acme: Tenant, olga: User, held: dict[str, Any]) -> Api:
    return api_of(acme, olga, *Right)


@pytest.fixture
def review(olgas: Api) -> dict[str, Any]:
    answer = olgas.post("access-reviews/", {})
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def line(review: dict[str, Any], kind: str, label: str = "") -> dict[str, Any]:
    return next(one for one in review["items"] if one["kind"] == kind and label in one["label"])


def answered(
    api: Api, review: dict[str, Any], item: dict[str, Any], answer: str, reason: str = "not needed now"
) -> Any:
    return api.post(f"access-reviews/{review['id']}/items/{item['id']}/", {"answer": answer, "reason": reason})


def test_a_review_lists_every_kind_of_holder_with_rights_and_last_use(review: dict[str, Any], acme: Tenant) -> None:
    assert {one["kind"] for one in review["items"]} == {
        "member",
        "api-key",
        "service-account",
        "device",
        "workload-rule",
    }
    alices = line(review, "member", "alice")
    assert alices["access"] == "roles developer; group engineering"
    # She used a key a moment ago; nobody knows of olga's browser, but of her key.
    assert alices["last_used_at"] is not None
    assert line(review, "api-key", "of alice")["access"] == "scopes agents:read"
    assert line(review, "api-key", "of alice")["last_used_at"] is not None
    assert line(review, "device")["last_used_at"] is None
    assert "service account ci" in line(review, "workload-rule")["access"].replace(
        "is service account", "service account"
    )
    (opened,) = events(acme, EventKind.REVIEW_OPENED)
    assert opened["data"]["count"] == len(review["items"])


def test_a_quarter_has_one_review(olgas: Api, review: dict[str, Any]) -> None:
    assert is_problem(olgas.post("access-reviews/", {}), 409, "review.open_already")
    assert [one["id"] for one in olgas.get("access-reviews/").json()["items"]] == [review["id"]]


@pytest.mark.parametrize("kind", ["api-key", "service-account", "device", "workload-rule"])
def test_a_removal_takes_effect_at_once(
    olgas: Api, review: dict[str, Any], held: dict[str, Any], acme: Tenant, kind: str
) -> None:
    item = line(review, kind, "of alice" if kind == "api-key" else "")
    told = answered(olgas, review, item, "remove")
    assert (told.status_code, told.json()["answer"]) == (201, "remove")
    with in_tenant(acme):
        row = type(held[kind]).objects.get(pk=held[kind].pk)
    assert row.is_suspended if kind == "service-account" else row.revoked_at is not None
    (event,) = events(acme, EventKind.REVIEW_ANSWERED)
    assert (event["data"]["result"], event["data"]["reason"]) == ("remove", "not needed now")
    assert event["data"]["by"] == "olga"


def test_a_removed_person_is_out(olgas: Api, review: dict[str, Any], acme: Tenant, alice: User) -> None:
    assert answered(olgas, review, line(review, "member", "alice"), "remove").status_code == 201
    with in_tenant(acme):
        assert not Membership.objects.for_tenant(acme).get(user=alice).is_active
    assert browser_of(alice).get("/sessions/").status_code in {302, 401, 403}


def test_what_is_kept_stays_and_the_last_answer_closes_the_review(
    olgas: Api, review: dict[str, Any], acme: Tenant
) -> None:
    for item in review["items"]:
        assert answered(olgas, review, item, "keep").status_code == 201
    with in_tenant(acme):
        assert ApiKey.objects.for_tenant(acme).filter(revoked_at=None).count() == 2
    assert olgas.get(f"access-reviews/{review['id']}/").json()["closed_at"] is not None
    assert len(events(acme, EventKind.REVIEW_CLOSED)) == 1


def test_a_line_is_answered_once(olgas: Api, review: dict[str, Any]) -> None:
    answered(olgas, review, line(review, "device"), "keep")
    assert is_problem(answered(olgas, review, line(review, "device"), "remove"), 409, "review.answered")


@pytest.mark.parametrize("reason", ["ok", "   x   ", "tab\there", "x" * 501])
def test_an_answer_without_a_reason_is_none(olgas: Api, review: dict[str, Any], reason: str) -> None:
    assert answered(olgas, review, line(review, "device"), "remove", reason).status_code == 400


def test_nobody_answers_for_himself_while_another_could(olgas: Api, oscar: User, review: dict[str, Any]) -> None:
    assert is_problem(answered(olgas, review, line(review, "member", "olga"), "keep"), 409, "review.own_access")


def test_an_auditor_reads_and_answers_nothing(acme: Tenant, review: dict[str, Any]) -> None:
    ada = api_of(acme, member(acme, "ada", roles=[Role.AUDITOR]), Right.MEMBERS_READ)
    assert ada.get(f"access-reviews/{review['id']}/").status_code == 200
    assert is_problem(answered(ada, review, review["items"][0], "keep"), 403, "identity.right_missing")


def test_the_csv_holds_every_line_is_safe_in_a_spreadsheet_and_leaves_an_event(
    olgas: Api, review: dict[str, Any], acme: Tenant
) -> None:
    answered(olgas, review, line(review, "device"), "keep", '=HYPERLINK("x"), really')
    told = olgas.get(f"access-reviews/{review['id']}/export/")
    assert told["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(told.getvalue().decode())))
    assert len(rows) == len(review["items"])
    (kept,) = [row for row in rows if row["answer"] == "keep"]
    assert kept["reason"] == '\'=HYPERLINK("x"), really'
    (read,) = events(acme, EventKind.EVIDENCE_READ)
    assert read["data"]["what"] == "access review, exported"


def test_another_tenants_review_is_not_there(review: dict[str, Any], globex: Tenant) -> None:
    stranger = api_of(globex, member(globex, "gina", roles=[Role.OWNER]), *Right)
    for path in (f"access-reviews/{review['id']}/", f"access-reviews/{review['id']}/export/"):
        assert is_problem(stranger.get(path), 404, "review.not_found")
    assert is_problem(answered(stranger, review, review["items"][0], "remove"), 404, "review.not_found")


@pytest.mark.parametrize(
    ("month", "day", "quarter"), [(1, 1, "2026-Q1"), (3, 31, "2026-Q1"), (4, 1, "2026-Q2"), (12, 31, "2026-Q4")]
)
def test_quarters_are_the_calendars(month: int, day: int, quarter: str) -> None:
    assert services.quarter_of(datetime(2026, month, day, tzinfo=UTC)) == quarter


def test_what_is_overdue_is_told(acme: Tenant, olga: User, review: dict[str, Any]) -> None:
    now = timezone.now()
    with in_tenant(acme):
        assert not services.is_overdue(acme, now)
        AccessReview.objects.for_tenant(acme).update(due_at=now - timedelta(seconds=1))
        assert services.is_overdue(acme, now)
    client = browser_of(olga)
    assert "An access review is overdue" in page(client.get("/access-reviews/")).text
    assert "overdue" in page(client.get(f"/access-reviews/{review['id']}/")).text


def test_a_quarter_nobody_began_to_review_is_overdue_after_a_month(acme: Tenant) -> None:
    acme.created_at = datetime(2026, 1, 1, tzinfo=UTC)
    with in_tenant(acme):
        assert not services.is_overdue(acme, datetime(2026, 10, 20, tzinfo=UTC))
        assert services.is_overdue(acme, datetime(2026, 11, 20, tzinfo=UTC))


def test_the_page_begins_a_review_and_answers_its_lines(acme: Tenant, olga: User, held: dict[str, Any]) -> None:
    client = browser_of(olga)
    begun = client.post("/access-reviews/")
    assert begun.status_code == 302
    with in_tenant(acme):
        review = AccessReview.objects.for_tenant(acme).get()
        item = review.items.get(kind="device")
    assert "laptop of alice" in page(client.get(begun["Location"])).text
    answer = client.post(f"/access-reviews/{review.pk}/items/{item.pk}/", {"answer": "remove", "reason": "left"})
    assert answer["Location"] == f"/access-reviews/{review.pk}/#line-{item.pk}"
    assert "removed" in page(client.get(begun["Location"])).text
    with in_tenant(acme):
        assert Device.objects.get(pk=item.subject).revoked_at is not None


def test_a_page_that_is_only_read_has_no_buttons(acme: Tenant, review: dict[str, Any]) -> None:
    ada = browser_of(member(acme, "ada", roles=[Role.AUDITOR]))
    assert "Remove" not in page(ada.get(f"/access-reviews/{review['id']}/")).text
    assert ada.post("/access-reviews/").status_code == 403


def test_a_caller_who_may_not_review_opens_none(acme: Tenant, alice: User) -> None:
    from gateway.identity.problems import RightMissing

    with in_tenant(acme), pytest.raises(RightMissing):
        services.open_review(by=caller_of(acme, alice), now=timezone.now())
