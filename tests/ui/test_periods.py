"""Pages for who sees how far: a member's period, the vendor's operators, and how fresh a human proof must be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from gateway.identity.models import ApiKey, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from hoopweb.reviews.models import EvidencePeriod, OperatorAccess
from hoopweb.reviews.periods import ask_access, operator_key
from tests.api.asking import Api
from tests.identity.test_members import events
from tests.people import member
from tests.ui.browsing import browser_of, page


@pytest.fixture
def olga(acme: Tenant) -> User:
    return member(acme, "olga", roles=[Role.OWNER])


@pytest.fixture
def ada(acme: Tenant) -> User:
    return member(acme, "ada", roles=[Role.AUDITOR])


@pytest.fixture
def owner(olga: User) -> Client:
    return browser_of(olga)


def asked(tenant: Tenant) -> OperatorAccess:
    with in_tenant(tenant):
        return ask_access(tenant=tenant, operator="pat", reason="ticket 7", hours=2, now=timezone.now())


def test_an_auditors_period_is_set_and_seen_on_his_page(acme: Tenant, owner: Client, ada: User) -> None:
    here = f"/members/{ada.pk}/period/"
    assert here in page(owner.get("/access/people/")).addresses
    assert owner.post(here, {"since": "2026-01-01T00:00", "until": "2026-07-01T12:30"}).status_code == 302
    with in_tenant(acme):
        period = EvidencePeriod.objects.for_tenant(acme).get()
    assert period.since == datetime(2026, 1, 1, tzinfo=UTC)
    assert period.until == datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
    shown = owner.get(here)
    assert "2026-07-01 12:30:00" in page(shown).text
    assert 'value="2026-07-01T12:30"' in shown.content.decode()
    owner.post(here, {})
    with in_tenant(acme):
        assert EvidencePeriod.objects.for_tenant(acme).get().since is None
    assert len(events(acme, "member.period_set")) == 2


@pytest.mark.parametrize(
    "form",
    [
        {"since": "yesterday"},
        {"since": "2026-13-01T00:00"},
        {"since": "2026-02-01T00:00", "until": "2026-01-01T00:00"},
        {"ends_at": "2020-01-01T00:00"},
    ],
)
def test_what_is_no_period_changes_nothing(acme: Tenant, owner: Client, ada: User, form: dict[str, str]) -> None:
    assert owner.post(f"/members/{ada.pk}/period/", form).status_code == 400
    assert events(acme, "member.period_set") == []


def test_nobody_sets_his_own_and_only_owners_set_any(acme: Tenant, owner: Client, olga: User, ada: User) -> None:
    assert owner.post(f"/members/{olga.pk}/period/", {}).status_code == 400
    reader = browser_of(ada)
    assert "Keep this" not in page(reader.get(f"/members/{olga.pk}/period/")).text
    assert reader.post(f"/members/{olga.pk}/period/", {}).status_code == 403


def test_an_operator_is_let_in_and_put_out_on_the_page_and_his_key_ends(acme: Tenant, owner: Client) -> None:
    one = asked(acme)
    assert "ticket 7" in page(owner.get("/operator-access/")).text
    assert owner.post(f"/operator-access/{one.pk}/", {"answer": "allow"}).status_code == 302
    with in_tenant(acme):
        key = operator_key(tenant=acme, operator="pat", now=timezone.now(), random=lambda count: b"k" * count)
    assert Api(key).get("events/").status_code == 200
    assert "inside" in page(owner.get("/operator-access/")).text
    assert owner.post(f"/operator-access/{one.pk}/", {"answer": "end"}).status_code == 302
    assert Api(key).get("events/").status_code == 401
    assert "over" in page(owner.get("/operator-access/")).text
    with in_tenant(acme):
        assert ApiKey.objects.for_tenant(acme).filter(revoked_at=None).count() == 0
    (ended,) = events(acme, "operator_access.ended")
    assert ended["data"] == {"by": "olga", "user": "operator/pat"}


def test_an_operator_is_refused_on_the_page_and_stays_out(acme: Tenant, owner: Client) -> None:
    one = asked(acme)
    owner.post(f"/operator-access/{one.pk}/", {"answer": "refuse"})
    assert "refused" in page(owner.get("/operator-access/")).text
    for answer in ("allow", "end"):
        assert owner.post(f"/operator-access/{one.pk}/", {"answer": answer}).status_code == 404
    assert owner.post(f"/operator-access/{one.pk}/", {"answer": "maybe"}).status_code == 400


def test_an_auditor_sees_operators_and_answers_none(acme: Tenant, ada: User) -> None:
    one, reader = asked(acme), browser_of(ada)
    assert "unanswered" in page(reader.get("/operator-access/")).text
    assert reader.post(f"/operator-access/{one.pk}/", {"answer": "allow"}).status_code == 403


def test_the_minutes_of_a_proof_are_set_on_their_page(acme: Tenant, owner: Client, ada: User) -> None:
    assert owner.post("/human-proof/", {"minutes": "5"}).status_code == 302
    with in_tenant(acme):
        acme.refresh_from_db()
    assert acme.fresh_proof_minutes == 5
    for wrong in ("0", "721", "x", "", "-1", "\u0665"):
        assert owner.post("/human-proof/", {"minutes": wrong}).status_code == 400
    assert browser_of(ada).post("/human-proof/", {"minutes": "700"}).status_code == 403


def test_a_period_that_is_over_shuts_the_page_too(acme: Tenant, owner: Client, ada: User) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    owner.post(f"/members/{ada.pk}/period/", {"ends_at": soon.strftime("%Y-%m-%dT%H:%M")})
    with in_tenant(acme):
        EvidencePeriod.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert browser_of(ada).get("/sessions/").status_code == 403
