"""What a right password opens: a tenant without its own sign-in asks for a code, one with it opens to owners in need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from gateway.identity import mfa
from gateway.identity.door_models import IdentityProvider, SecondFactor, SignIn
from gateway.identity.models import Membership, User
from gateway.identity.problems import SignInThrottled
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.conftest import AsOwner
from tests.identity.test_members import PASSWORD, create, events
from tests.people import NOW


@pytest.fixture(autouse=True)
def _fresh(settings: Settings) -> Iterator[None]:
    # The real hash is slow on purpose, and is not what is tested here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def strict(acme: Tenant, as_owner: AsOwner) -> Tenant:
    """Acme as a tenant is made by default: passwords alone open nothing."""
    acme.password_alone = False
    with as_owner(), in_tenant(acme):
        acme.save()
    return acme


@pytest.fixture
def dora(strict: Tenant) -> User:
    return create(strict).user


def become(tenant: Tenant, user: User, *roles: str) -> None:
    with in_tenant(tenant):
        Membership.objects.for_tenant(tenant).filter(user=user).update(roles=list(roles))


def sso(tenant: Tenant) -> None:
    with in_tenant(tenant):
        IdentityProvider.objects.create(
            tenant=tenant, kind="oidc", name="okta", issuer="https://x.example", sealed_secret=b"", created_at=NOW
        )


def password(client: Client, given: str = PASSWORD) -> Any:
    return client.post("/sign-in/", {"username": "dora", "password": given, "next": "/sessions/"})


def code(client: Client, given: str) -> Any:
    return client.post("/sign-in/code/", {"code": given})


def enrolled(client: Client) -> str:
    """Give the password and the first code; returns the seed."""
    password(client)
    shown = client.get("/sign-in/code/").content.decode()
    (seed,) = re.findall(r'class="seed">([A-Z2-7]+)<', shown)
    assert code(client, pyotp.TOTP(seed).now())["Location"] == "/sessions/"
    return str(seed)


def inside(client: Client) -> bool:
    return client.get("/sessions/").status_code == 200


def test_the_first_time_a_person_enrols_and_comes_in_with_both(strict: Tenant, dora: User) -> None:
    client = Client()
    asked = password(client)
    assert asked["Location"] == "/sign-in/code/"
    assert not inside(client)
    shown = client.get("/sign-in/code/")
    assert 'src="data:image/svg+xml' in shown.content.decode()
    enrolled(client)
    assert inside(client)
    with in_tenant(strict):
        assert SignIn.objects.for_tenant(strict).get().proof == "password+totp"
    (event,) = events(strict, "person.signed_in")
    assert event["data"] == {"user": "dora", "what": "password+totp"}
    assert len(events(strict, "person.second_factor_enrolled")) == 1


def test_afterwards_the_seed_is_never_shown_again(dora: User) -> None:
    seed = enrolled(Client())
    client = Client()
    password(client)
    shown = client.get("/sign-in/code/").content.decode()
    assert seed not in shown
    assert "data:image" not in shown


def test_the_seed_is_sealed(strict: Tenant, dora: User) -> None:
    seed = enrolled(Client())
    with in_tenant(strict):
        assert seed.encode() not in bytes(SecondFactor.objects.for_tenant(strict).get().sealed_seed)


def test_a_code_opens_once(strict: Tenant, dora: User) -> None:
    seed = enrolled(Client())
    client = Client()
    password(client)
    # The very code that enrolled, seen over a shoulder.
    assert code(client, pyotp.TOTP(seed).now()).status_code == 401
    assert not inside(client)
    assert len(events(strict, "person.second_factor_refused")) == 1


def test_the_next_code_opens(strict: Tenant, dora: User) -> None:
    seed = enrolled(Client())
    client = Client()
    password(client)
    assert code(client, pyotp.TOTP(seed).at(timezone.now() + timedelta(seconds=30))).status_code == 302
    assert inside(client)


@pytest.mark.parametrize("wrong", ["", "000000", "abcdef", "1" * 5000, "\u0661\u0662\u0663\u0664\u0665\u0666"])
def test_a_wrong_code_opens_nothing(dora: User, wrong: str) -> None:
    client = Client()
    password(client)
    assert code(client, wrong).status_code == 401
    assert not inside(client)


def test_the_code_page_without_a_password_leads_back_to_it(dora: User) -> None:
    enrolled(Client())
    for answer in (Client().get("/sign-in/code/"), code(Client(), "123456")):
        assert answer["Location"] == "/sign-in/"


def test_whoever_waits_too_long_for_his_code_starts_again(dora: User) -> None:
    client = Client()
    password(client)
    session = client.session
    session["awaits_code"] = {**session["awaits_code"], "at": int(timezone.now().timestamp()) - 601}
    session.save()
    assert client.get("/sign-in/code/")["Location"] == "/sign-in/"


def test_guessing_codes_ends_soon_even_for_the_right_one(strict: Tenant, dora: User) -> None:
    seed = enrolled(Client())
    client = Client()
    password(client)
    for _ in range(mfa.MOST_FAILURES):
        assert code(client, "000000").status_code == 401
    right = pyotp.TOTP(seed).at(timezone.now() + timedelta(seconds=30))
    assert code(client, right).status_code == 429
    with in_tenant(strict), pytest.raises(SignInThrottled):
        mfa.accepts(tenant=strict, user=dora, code=right, now=timezone.now())


@pytest.mark.parametrize(("aside", "opens"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clocks_may_differ_by_half_a_minute(strict: Tenant, dora: User, aside: int, opens: bool) -> None:
    with in_tenant(strict):
        seed = mfa.seed_to_enrol(tenant=strict, user=dora, now=NOW, random=bytes)
        given = pyotp.TOTP(seed).at(NOW + timedelta(seconds=aside))
        assert mfa.accepts(tenant=strict, user=dora, code=given, now=NOW) is opens


def test_an_organisation_with_its_own_sign_in_takes_no_passwords(strict: Tenant, dora: User) -> None:
    sso(strict)
    client = Client()
    answer = password(client)
    assert answer.status_code == 403
    assert "your organisation" in answer.content.decode().lower()
    assert not inside(client)


def test_an_owner_who_enrolled_before_breaks_the_glass_and_everybody_sees_it(strict: Tenant, dora: User) -> None:
    become(strict, dora, "owner")
    seed = enrolled(Client())
    sso(strict)
    client = Client()
    password(client)
    code(client, pyotp.TOTP(seed).at(timezone.now() + timedelta(seconds=30)))
    assert inside(client)
    (event,) = events(strict, "person.broke_glass")
    assert event["data"] == {"user": "dora", "what": "break-glass"}
    with in_tenant(strict):
        opened = SignIn.objects.for_tenant(strict).get(proof="break-glass")
    assert opened.expires_at - opened.opened_at == timedelta(hours=1)


def test_an_owner_cannot_enrol_in_the_emergency_itself(strict: Tenant, dora: User) -> None:
    """Else a stolen password would be enough."""
    become(strict, dora, "owner")
    sso(strict)
    assert password(Client()).status_code == 403


def test_whoever_is_no_owner_breaks_no_glass(strict: Tenant, dora: User) -> None:
    become(strict, dora, "security-admin")
    enrolled(Client())
    sso(strict)
    assert password(Client()).status_code == 403
