"""Browsers inside a tenant: listed with their proof, ended by their person or an administrator, dead at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from gateway.identity.door_models import SignIn
from gateway.identity.middleware import SIGN_INS_IN_SESSION
from gateway.identity.models import Membership, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import api_of
from tests.identity.test_members import events
from tests.ui.browsing import browser_of


def sign_in_of(client: Client, tenant: Tenant) -> str:
    return str(client.session[SIGN_INS_IN_SESSION][str(tenant.pk)])


def inside(client: Client) -> bool:
    return client.get("/approvals/").status_code == 200


def test_an_administrator_sees_who_is_signed_in_and_how(acme: Tenant, bob: User) -> None:
    client = browser_of(bob)
    client.get("/approvals/")
    (listed,) = api_of(acme, None, Right.MEMBERS_READ).get("sign-ins/").json()["items"]
    assert (listed["username"], listed["proof"], listed["ended_at"]) == ("bob", "password+totp", None)
    assert "hint" not in str(listed)


def test_ending_a_sign_in_ends_that_browser_at_once_and_no_other(acme: Tenant, bob: User) -> None:
    one, other = browser_of(bob), browser_of(bob)
    admin = api_of(acme, None, Right.KEYS_REVOKE)
    for _ in range(2):
        assert admin.delete(f"sign-ins/{sign_in_of(one, acme)}/").status_code == 204
    assert not inside(one)
    assert one.get("/approvals/")["Location"].startswith("/sign-in/")
    assert one.get("/api/v1/me/").json()["code"] == "identity.session_ended"
    assert inside(other)
    assert len(events(acme, "person.signed_out")) == 1


def test_signing_out_ends_the_sign_in_for_a_copied_cookie_too(acme: Tenant, bob: User) -> None:
    client, thief = browser_of(bob), Client()
    held = sign_in_of(client, acme)
    thief.cookies["hoopweb_session"] = client.cookies["hoopweb_session"].value
    client.post("/sign-out/")
    assert not inside(thief)
    with in_tenant(acme):
        assert SignIn.objects.for_tenant(acme).get(pk=held).ended_by == "bob"


@pytest.mark.parametrize("key", ["hwk_", "nonsense", "hwk_" + "a" * 95])
def test_a_key_that_cannot_be_read_is_refused_whatever_cookie_comes_with_it(bob: User, key: str) -> None:
    client = browser_of(bob)
    assert client.get("/api/v1/me/").status_code == 200
    refused = client.get("/api/v1/me/", headers={"Authorization": f"Bearer {key}"})
    assert (refused.status_code, refused.json()["code"]) == (401, "identity.key_refused")


def test_a_sign_in_dies_of_age(acme: Tenant, bob: User) -> None:
    client = browser_of(bob)
    with in_tenant(acme):
        SignIn.objects.for_tenant(acme).update(expires_at=timezone.now())
    assert not inside(client)


def test_another_persons_sign_in_in_ones_own_session_opens_nothing(acme: Tenant, alice: User, bob: User) -> None:
    alices, bobs = browser_of(alice), browser_of(bob)
    session = alices.session
    session[SIGN_INS_IN_SESSION] = {str(acme.pk): sign_in_of(bobs, acme)}
    session.save()
    assert not inside(alices)


def test_what_one_tenant_ended_leaves_the_other_open(acme: Tenant, globex: Tenant, bob: User) -> None:
    with in_tenant(globex):
        Membership.objects.create(tenant=globex, user=bob, roles=["approver"])
    client = browser_of(bob)
    with in_tenant(acme):
        SignIn.objects.for_tenant(acme).update(ended_at=timezone.now())
    client.post("/tenant/", {"tenant": str(globex.pk)})
    session = client.session
    session["tenant_id"] = str(globex.pk)
    session.save()
    assert inside(client)


@pytest.mark.parametrize(("ago", "is_noted"), [(10, False), (90, True)])
def test_being_seen_is_noted_once_a_minute(acme: Tenant, bob: User, ago: int, is_noted: bool) -> None:
    client, before = browser_of(bob), timezone.now() - timedelta(seconds=ago)
    with in_tenant(acme):
        SignIn.objects.for_tenant(acme).update(last_seen_at=before)
    inside(client)
    with in_tenant(acme):
        assert (SignIn.objects.for_tenant(acme).get().last_seen_at > before) is is_noted
