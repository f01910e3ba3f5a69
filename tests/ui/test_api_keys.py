"""The page of API keys: made and shown once, never again; each person's own, all of them to who administers them."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from gateway.identity.models import ApiKey, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.people import api_key_of, member
from tests.ui.browsing import browser_of, page

FORM = {"name": "cli", "days": "30", "scopes": ["requests:read"]}


def key_in(html: str) -> str:
    found = re.search(r"hwk_[a-z2-7]{52}_[A-Za-z0-9_-]{43}", html)
    assert found is not None
    return found.group()


def test_a_person_makes_a_key_sees_it_once_and_ends_it(acme: Tenant, alice: User) -> None:
    client = browser_of(alice)
    made = client.post("/api-keys/", FORM)
    assert (made.status_code, made["Cache-Control"]) == (200, "no-store")
    key = key_in(made.content.decode())
    rest = Client(headers={"authorization": f"Bearer {key}"})
    assert rest.get("/api/v1/requests/").status_code == 200
    again = client.get("/api-keys/").content.decode()
    assert "cli" in again
    assert key not in again
    with in_tenant(acme):
        (row,) = ApiKey.objects.for_tenant(acme).all()
    client.post(f"/api-keys/{row.pk}/revoke/")
    assert rest.get("/api/v1/requests/").status_code == 401


def test_an_approver_finds_the_page_too(bob: User) -> None:
    answer = browser_of(bob).post("/api-keys/", {**FORM, "scopes": ["approvals:vote"]})
    assert key_in(answer.content.decode())


@pytest.mark.parametrize(
    "changes",
    [{"scopes": []}, {"scopes": ["policies:write"]}, {"days": "0"}, {"days": "x"}, {"days": "9999"}, {"name": ""}],
)
def test_what_cannot_be_given_comes_back_with_the_reason(acme: Tenant, alice: User, changes: dict[str, object]) -> None:
    answer = browser_of(alice).post("/api-keys/", {**FORM, **changes})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    with in_tenant(acme):
        assert not ApiKey.objects.for_tenant(acme).exists()


def test_a_developer_gives_no_key_of_nobody(alice: User) -> None:
    assert browser_of(alice).post("/api-keys/", {**FORM, "bound": "nobody"}).status_code == 403


def test_others_keys_are_shown_to_who_administers_them_alone(acme: Tenant, alice: User, bob: User) -> None:
    key, _ = api_key_of(acme, alice, Right.REQUESTS_READ)
    assert "a test's key" not in page(browser_of(bob).get("/api-keys/")).text
    assert browser_of(bob).post(f"/api-keys/{key.pk}/revoke/").status_code == 404
    admin = browser_of(member(acme, "sara", roles=[Role.SECURITY_ADMIN]))
    assert "a test's key" in page(admin.get("/api-keys/")).text
    assert admin.post(f"/api-keys/{key.pk}/revoke/").status_code == 302


def test_no_page_of_these_carries_inline_script_or_style(acme: Tenant, alice: User) -> None:
    client = browser_of(member(acme, "olga", roles=[Role.OWNER]))
    for answer in (client.get("/api-keys/"), client.get("/access/people/"), client.get("/access/agents/")):
        assert answer.status_code == 200
        assert page(answer).inline == []


def test_a_key_opens_no_page(acme: Tenant) -> None:
    key = api_key_of(acme, None, *Right)[1]
    assert Client(headers={"authorization": f"Bearer {key}"}).get("/api-keys/").status_code == 302
