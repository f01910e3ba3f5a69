"""A one-time code of one's own on top of the organisation's sign-in: who may enrol it, and what it proves."""

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
from gateway.identity.proof import UNTOLD
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.identity.counters import forget_guesses
from tests.identity.test_members import events
from tests.people import NOW, member
from tests.story import Story
from tests.ui.browsing import browser_of, page


@pytest.fixture(autouse=True)
def _no_guesses() -> None:
    forget_guesses()


def come(story: Story, user: User, *, proved_at: datetime, opened_at: datetime | None = None) -> Client:
    """A browser that came by the organisation's OpenID provider."""
    client = browser_of(user)
    with in_tenant(story.tenant):
        provider, _ = IdentityProvider.objects.get_or_create(
            tenant=story.tenant,
            name="okta",
            defaults={"kind": "oidc", "issuer": "x", "sealed_secret": b"", "created_at": NOW},
        )
        SignIn.objects.filter(user=user).update(
            proof=ProofKind.OIDC, provider=provider, proved_at=proved_at, opened_at=opened_at or timezone.now()
        )
    return client


def seed_of(story: Story, user: User) -> str:
    """What the page shows, without reading it off the page."""
    with in_tenant(story.tenant):
        return mfa.seed_to_enrol(tenant=story.tenant, user=user, now=timezone.now(), random=bytes)


def enrolled(story: Story, user: User) -> str:
    seed, then = seed_of(story, user), timezone.now() - timedelta(minutes=10)
    with in_tenant(story.tenant):
        assert mfa.accepts(tenant=story.tenant, user=user, code=pyotp.TOTP(seed).at(then), now=then)
    return seed


def vote(client: Client, story: Story) -> Any:
    return client.post(f"/approvals/{story.approval.pk}/", {"answer": "approve", "reason": "as planned"})


def test_a_provider_that_tells_no_time_gets_a_clear_sentence_and_the_way(story: Story, bob: User) -> None:
    client = come(story, bob, proved_at=UNTOLD)
    sent = vote(client, story)
    told = page(client.get(sent["Location"]))
    assert "does not say when it last asked you" in told.text
    assert any(address.startswith("/second-factor/?next=") for address in told.addresses)
    assert not any("/oidc/start/" in address for address in told.addresses)


def test_who_came_by_such_a_provider_enrols_a_code_and_votes_by_it(story: Story, bob: User) -> None:
    client = come(story, bob, proved_at=UNTOLD)
    assert "Scan this" in page(client.get("/second-factor/")).text
    seed = seed_of(story, bob)
    assert f'<code class="seed">{seed}</code>' in client.get("/second-factor/").content.decode()
    now = timezone.now()
    before = pyotp.TOTP(seed).at(now - timedelta(seconds=30))
    assert client.post("/second-factor/", {"code": before, "next": "/prove/"})["Location"] == "/prove/"
    assert client.post("/prove/", {"code": pyotp.TOTP(seed).at(now), "next": "/"}).status_code == 302
    vote(client, story)
    with in_tenant(story.tenant):
        assert ApprovalRequest.objects.for_tenant(story.tenant).get().state == "granted"
    (voted,) = events(story.tenant, "approval.voted")
    assert (voted["data"]["proof"], voted["data"]["proof_age_seconds"] < 60) == ("oidc+totp", True)
    (proved,) = events(story.tenant, "person.proved_again")
    assert proved["data"] == {"user": "bob", "what": "oidc+totp"}
    assert len(events(story.tenant, "person.second_factor_enrolled")) == 1


def test_who_may_be_asked_again_there_may_also_give_a_code_he_has(story: Story, bob: User) -> None:
    seed = enrolled(story, bob)
    client = come(story, bob, proved_at=timezone.now() - timedelta(hours=2))
    told = page(client.get("/prove/"))
    assert any("/oidc/start/?fresh=1" in address for address in told.addresses)
    assert "One-time code" in told.text
    assert client.post("/prove/", {"code": "000000"}).status_code == 401
    assert client.post("/prove/", {"code": pyotp.TOTP(seed).now(), "next": "/"}).status_code == 302
    vote(client, story)
    (voted,) = events(story.tenant, "approval.voted")
    assert voted["data"]["proof"] == "oidc+totp"


def test_a_code_nobody_confirmed_proves_nothing(story: Story, bob: User) -> None:
    seed = seed_of(story, bob)
    client = come(story, bob, proved_at=UNTOLD)
    assert client.post("/prove/", {"code": pyotp.TOTP(seed).now()}).status_code == 401
    with in_tenant(story.tenant):
        assert not mfa.is_enrolled(story.tenant, bob)


@pytest.mark.parametrize(
    ("proved", "opened"),
    [(None, timedelta(hours=2)), (timedelta(hours=2), timedelta(0)), (timedelta(hours=2), timedelta(hours=2))],
)
def test_a_browser_left_open_enrols_nothing(
    story: Story, bob: User, proved: timedelta | None, opened: timedelta
) -> None:
    now = timezone.now()
    client = come(story, bob, proved_at=now - proved if proved else UNTOLD, opened_at=now - opened)
    seed = seed_of(story, bob)
    assert seed not in client.get("/second-factor/").content.decode()
    client.post("/second-factor/", {"code": pyotp.TOTP(seed).now()})
    with in_tenant(story.tenant):
        assert not mfa.is_enrolled(story.tenant, bob)


def test_one_that_is_enrolled_is_shown_to_nobody_and_changed_by_no_page(story: Story, bob: User) -> None:
    seed = enrolled(story, bob)
    client = come(story, bob, proved_at=timezone.now())
    shown = client.get("/second-factor/")
    assert "You have one" in page(shown).text
    assert seed not in shown.content.decode()
    client.post("/second-factor/", {"code": pyotp.TOTP(seed).now()})
    assert len(events(story.tenant, "person.second_factor_enrolled")) == 1


def test_guesses_at_ones_code_have_an_end(story: Story, bob: User) -> None:
    seed = enrolled(story, bob)
    client = come(story, bob, proved_at=UNTOLD)
    assert {client.post("/prove/", {"code": "000000"}).status_code for _ in range(10)} == {401}
    assert client.post("/prove/", {"code": pyotp.TOTP(seed).now()}).status_code == 429


def test_nobody_is_led_elsewhere_after_enrolling(story: Story, bob: User) -> None:
    client = come(story, bob, proved_at=UNTOLD)
    seed = seed_of(story, bob)
    assert "evil" not in client.get("/second-factor/", {"next": "https://evil.example/"}).content.decode()
    answer = client.post("/second-factor/", {"code": pyotp.TOTP(seed).now(), "next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_a_lost_code_is_removed_by_an_owner_and_by_nobody_for_himself(story: Story, bob: User) -> None:
    enrolled(story, bob)
    olga = member(story.tenant, "olga", roles=[Role.OWNER])
    owner, auditor = browser_of(olga), browser_of(member(story.tenant, "ada", roles=[Role.AUDITOR]))
    assert auditor.post(f"/members/{bob.pk}/second-factor/").status_code == 403
    assert "Remove the code" in page(owner.get(f"/members/{bob.pk}/period/")).text
    assert owner.post(f"/members/{bob.pk}/second-factor/").status_code == 302
    with in_tenant(story.tenant):
        assert not mfa.is_enrolled(story.tenant, bob)
    (removed,) = events(story.tenant, "person.second_factor_removed")
    assert removed["data"] == {"by": "olga", "user": "bob"}
    assert owner.post(f"/members/{bob.pk}/second-factor/").status_code == 404
    enrolled(story, olga)
    assert owner.post(f"/members/{olga.pk}/second-factor/").status_code == 409
