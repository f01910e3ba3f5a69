"""Proving again who sits there: by what opened the browser, back to what one was doing, and told in evidence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyotp
import pytest
from django.test import Client
from django.utils import timezone

from approvals.models import ApprovalRequest
from gateway.identity import mfa
from gateway.identity.door_models import IdentityProvider, ProofKind, SignIn
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.identity.counters import forget_guesses
from tests.identity.test_members import events
from tests.people import NOW, member
from tests.story import SECRET, Story
from tests.ui.browsing import browser_of, page

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _no_guesses(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    forget_guesses()


def stale(user: User, proof: ProofKind, *, minutes: int = 60, **facts: Any) -> Client:
    """A browser opened by this proof, an hour ago."""
    client = browser_of(user, signed_in_at=timezone.now() - timedelta(minutes=minutes))
    SignIn.objects.filter(user=user).update(proof=proof, **facts)
    return client


@pytest.fixture
def bob_with_password(acme: Tenant, bob: User) -> User:
    bob.set_password(PASSWORD)
    bob.save()
    return bob


def path(story: Story) -> str:
    return f"/approvals/{story.approval.pk}/"


def state(story: Story) -> str:
    with in_tenant(story.tenant):
        return str(ApprovalRequest.objects.for_tenant(story.tenant).get().state)


def proved_at(user: User) -> datetime:
    return SignIn.objects.get(user=user).proved_at


def test_a_stale_vote_proves_again_and_goes_on_with_the_reason_kept(story: Story, bob_with_password: User) -> None:
    with in_tenant(story.tenant):
        client = stale(bob_with_password, ProofKind.PASSWORD)
    sent = client.post(path(story), {"answer": "approve", "reason": "as planned"})
    assert page(client.get(sent["Location"])).text.count("Is it still you?") >= 1
    back = client.post("/prove/", {"password": PASSWORD, "next": path(story)})
    assert (back.status_code, back["Location"]) == (302, path(story))
    form = client.get(back["Location"])
    assert ">as planned</textarea>" in form.content.decode()
    # Coming back votes nothing: the person answers again.
    assert state(story) == "pending"
    client.post(path(story), {"answer": "approve", "reason": "as planned"})
    assert state(story) == "granted"
    (voted,) = events(story.tenant, "approval.voted")
    assert (voted["data"]["proof"], voted["data"]["proof_age_seconds"] < 60) == ("password", True)
    (proved,) = events(story.tenant, "person.proved_again")
    assert proved["data"] == {"user": "bob", "what": "password"}


def test_the_kept_reason_is_of_that_request_alone_and_of_one_look(story: Story, bob_with_password: User) -> None:
    with in_tenant(story.tenant):
        client = stale(bob_with_password, ProofKind.PASSWORD)
    client.post(path(story), {"answer": "approve", "reason": "as planned"})
    assert "as planned" in client.get(path(story)).content.decode()
    assert "as planned" not in client.get(path(story)).content.decode()


def test_a_wrong_password_renews_nothing_and_is_counted(story: Story, bob_with_password: User) -> None:
    with in_tenant(story.tenant):
        client = stale(bob_with_password, ProofKind.PASSWORD)
        before = proved_at(bob_with_password)
    for _ in range(8):
        assert client.post("/prove/", {"password": "wrong", "next": "/"}).status_code == 401
    assert client.post("/prove/", {"password": PASSWORD, "next": "/"}).status_code == 429
    with in_tenant(story.tenant):
        assert proved_at(bob_with_password) == before
    assert len(events(story.tenant, "person.sign_in_refused")) == 8


@pytest.mark.parametrize("proof", [ProofKind.TOTP, ProofKind.BREAK_GLASS])
def test_who_came_with_a_code_gives_a_new_one_once(story: Story, bob: User, proof: ProofKind) -> None:
    now = timezone.now()
    with in_tenant(story.tenant):
        seed = mfa.seed_to_enrol(tenant=story.tenant, user=bob, now=now, random=bytes)
        client = stale(bob, proof)
    assert "One-time code" in page(client.get("/prove/")).text
    code = pyotp.TOTP(seed).at(now)
    assert client.post("/prove/", {"code": code, "next": path(story)})["Location"] == path(story)
    with in_tenant(story.tenant):
        assert proved_at(bob) >= now
        SignIn.objects.filter(user=bob).update(proved_at=now - timedelta(hours=1))
    # A code opens once, and the password is no way around it.
    assert client.post("/prove/", {"code": code, "password": PASSWORD}).status_code == 401


@pytest.mark.parametrize(("proof", "kind"), [(ProofKind.OIDC, "oidc"), (ProofKind.SAML, "saml")])
def test_who_came_by_a_provider_is_sent_there_to_be_asked_again(
    story: Story, bob_with_password: User, proof: ProofKind, kind: str
) -> None:
    with in_tenant(story.tenant):
        provider = IdentityProvider.objects.create(
            tenant=story.tenant, kind=kind, name="okta", issuer="x", sealed_secret=b"", created_at=NOW
        )
        client = stale(bob_with_password, proof, provider=provider)
    told = page(client.get("/prove/", {"next": path(story)}))
    assert f"/sso/acme/okta/{kind}/start/?fresh=1&next=%2Fapprovals%2F{story.approval.pk}%2F" in told.addresses
    assert client.post("/prove/", {"password": PASSWORD}).status_code == 401
    with in_tenant(story.tenant):
        IdentityProvider.objects.update(is_enabled=False)
    assert "switched off" in page(client.get("/prove/")).text


def test_reading_a_full_prompt_asks_again_and_comes_back(story: Story, acme: Tenant) -> None:
    ada = member(acme, "ada", roles=[Role.AUDITOR])
    with in_tenant(acme):
        client = stale(ada, ProofKind.TOTP)
    sent = client.post(f"/prompts/{story.prompt.pk}/exact/")
    assert sent["Location"] == f"/prove/?next=%2Fprompts%2F{story.prompt.pk}%2F"
    assert events(acme, "evidence.read") == []
    with in_tenant(acme):
        SignIn.objects.filter(user=ada).update(proved_at=timezone.now() - timedelta(minutes=5))
    assert SECRET in page(client.post(f"/prompts/{story.prompt.pk}/exact/")).text
    (read,) = events(acme, "evidence.read")
    assert read["data"]["proof"] == "password+totp"
    assert 300 <= read["data"]["proof_age_seconds"] < 360


def test_the_tenant_says_how_fresh_is_fresh(story: Story, bob: User) -> None:
    with in_tenant(story.tenant):
        Tenant.objects.filter(pk=story.tenant.pk).update(fresh_proof_minutes=120)
        client = stale(bob, ProofKind.TOTP)
    client.post(path(story), {"answer": "approve"})
    assert state(story) == "granted"


@pytest.mark.parametrize("onward", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere_afterwards(story: Story, bob_with_password: User, onward: str) -> None:
    with in_tenant(story.tenant):
        client = stale(bob_with_password, ProofKind.PASSWORD)
    assert "evil" not in client.get("/prove/", {"next": onward}).content.decode()
    assert client.post("/prove/", {"password": PASSWORD, "next": onward})["Location"] == "/"


@pytest.mark.django_db
def test_nobody_proves_himself_before_signing_in() -> None:
    assert Client().get("/prove/")["Location"].startswith("/sign-in/")
    assert Client().post("/prove/", {"password": "x"})["Location"].startswith("/sign-in/")


def test_the_page_needs_the_forms_token(bob_with_password: User) -> None:
    client = browser_of(bob_with_password, enforce_csrf=True)
    assert client.post("/prove/", {"password": PASSWORD}).status_code == 403
