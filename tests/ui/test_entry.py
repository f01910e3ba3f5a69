"""The door: sign in, sign out, choose a tenant; what it says to whom, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from audit.kinds import EventKind
from audit.models import Event
from gateway.identity.models import Membership, User
from gateway.identity.sign_in import MOST_FAILURES
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.identity.counters import forget_guesses
from tests.ui.browsing import browser_of, page

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def fast_and_fresh(settings: Any) -> Iterator[None]:
    """A quick hash, since the real one takes longer than the tests, and no failures remembered from other tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    forget_guesses()
    yield
    forget_guesses()


@pytest.fixture
def auditor(bob: User) -> User:
    bob.set_password(PASSWORD)
    bob.save()
    return bob


def enter(client: Client, username: str, password: str, **more: str) -> Any:
    return client.post("/sign-in/", {"username": username, "password": password, **more})


def test_a_member_signs_in_and_both_the_door_and_the_ledger_know(acme: Tenant, auditor: User) -> None:
    client = Client()
    answer = enter(client, "bob", PASSWORD, next="/approvals/")
    assert (answer.status_code, answer["Location"]) == (302, "/approvals/")
    assert client.get("/approvals/").status_code == 200
    with in_tenant(acme):
        assert Event.objects.for_tenant(acme).get(kind=EventKind.SIGNED_IN).subject == auditor.pk


def test_the_refusal_is_the_same_for_a_wrong_password_and_an_unknown_name(acme: Tenant, auditor: User) -> None:
    wrong, unknown = enter(Client(), "bob", "nope"), enter(Client(), "nobody", "nope")
    assert wrong.status_code == unknown.status_code == 401
    assert page(wrong).text == page(unknown).text
    assert "nope" not in wrong.content.decode()
    with in_tenant(acme):
        assert Event.objects.for_tenant(acme).filter(kind=EventKind.SIGN_IN_REFUSED).count() == 1


def test_too_many_attempts_are_throttled_even_with_the_right_password(auditor: User) -> None:
    for _ in range(MOST_FAILURES):
        enter(Client(), "bob", "nope")
    answer = enter(Client(), "bob", PASSWORD)
    assert answer.status_code == 429
    assert "Too many attempts" in page(answer).text


def test_signing_in_changes_the_sessions_key(auditor: User) -> None:
    client = Client()
    client.get("/sign-in/")
    session = client.session
    session["planted"] = "x"
    session.save()
    before = session.session_key
    enter(client, "bob", PASSWORD)
    assert client.session.session_key != before


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "evil", ""]
)
def test_the_door_leads_nowhere_but_to_our_own_pages(auditor: User, target: str) -> None:
    assert enter(Client(), "bob", PASSWORD, next=target)["Location"] == "/"


def test_signing_in_needs_the_forms_token(auditor: User) -> None:
    answer = enter(Client(enforce_csrf_checks=True), "bob", PASSWORD)
    assert answer.status_code == 403
    assert "load the page again" in page(answer).text


def test_signing_out_is_a_post_and_final(auditor: User) -> None:
    client = browser_of(auditor)
    assert client.get("/sign-out/").status_code == 405
    client.post("/sign-out/")
    assert client.get("/approvals/")["Location"].startswith("/sign-in/")


def test_a_person_of_two_tenants_switches_between_them(acme: Tenant, globex: Tenant, bob: User) -> None:
    assert b"<select" not in browser_of(bob).get("/approvals/").content
    with in_tenant(globex):
        Membership.objects.create(tenant=globex, user=bob, roles=["auditor"])
    client = browser_of(bob)
    assert b"Globex" in client.get("/approvals/").content
    client.post("/tenant/", {"tenant": str(globex.pk)})
    assert client.session["tenant_id"] == str(globex.pk)
    # An approver at acme, an auditor here: the ledger opens.
    assert client.get("/events/").status_code == 200


def test_a_tenant_the_browser_proved_nothing_to_asks_for_its_own_sign_in(
    acme: Tenant, globex: Tenant, auditor: User
) -> None:
    client = browser_of(auditor)
    with in_tenant(globex):
        Membership.objects.create(tenant=globex, user=auditor, roles=["auditor"])
    asked = client.post("/tenant/", {"tenant": str(globex.pk)})
    assert asked["Location"] == "/sso/globex/"
    assert client.session["tenant_id"] == str(acme.pk)
    assert "/sign-in/?again=1" in client.get("/sso/globex/").content.decode()
    assert client.get("/sign-in/").status_code == 302
    assert client.get("/sign-in/?again=1").status_code == 200
    enter(client, "bob", PASSWORD)
    client.post("/tenant/", {"tenant": str(globex.pk)})
    assert client.get("/events/").status_code == 200


@pytest.mark.parametrize("wanted", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_nobody_switches_to_a_tenant_he_is_no_member_of(acme: Tenant, globex: Tenant, bob: User, wanted: str) -> None:
    client = browser_of(bob)
    client.get("/approvals/")
    client.post("/tenant/", {"tenant": wanted})
    client.post("/tenant/", {"tenant": str(globex.pk)})
    assert client.session["tenant_id"] == str(acme.pk)


def test_a_person_who_is_nobodys_member_any_more_is_told_so(acme: Tenant, bob: User) -> None:
    client = browser_of(bob)
    client.get("/approvals/")
    with in_tenant(acme):
        Membership.objects.for_tenant(acme).filter(user=bob).update(is_active=False)
    answer = client.get("/approvals/")
    assert answer.status_code == 401
    assert "Sign out" in page(answer).text


def test_a_suspended_tenant_does_not_lock_a_person_out_of_the_others(
    acme: Tenant, globex: Tenant, auditor: User
) -> None:
    with in_tenant(globex):
        Membership.objects.create(tenant=globex, user=auditor, roles=["auditor"])
    with in_tenant(acme):
        acme.is_suspended = True
        acme.save()
    client = Client()
    enter(client, "bob", PASSWORD)
    assert "Globex" in page(client.get("/sessions/")).text


def test_pages_are_kept_by_no_cache(auditor: User) -> None:
    assert browser_of(auditor).get("/approvals/")["Cache-Control"] == "no-store"
    assert "no-store" in Client().get("/sign-in/")["Cache-Control"]
