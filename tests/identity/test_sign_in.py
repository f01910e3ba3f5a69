"""Signing in: the right password opens, the wrong one is counted and written down, and floods stop early."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from gateway.identity.models import Membership, User
from gateway.identity.problems import SignInRefused, SignInThrottled
from gateway.identity.sign_in import MOST_FAILURES, sign_in
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.conftest import AsOwner
from tests.identity.counters import forget_guesses
from tests.identity.test_members import PASSWORD, create, events
from tests.people import NOW

SOURCE = "192.0.2.1"


@pytest.fixture(autouse=True)
def _fresh_counters(settings: Settings) -> None:
    # The real hash is slow on purpose, and is not what is tested here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    forget_guesses()


@pytest.fixture
def dora(acme: Tenant) -> User:
    return create(acme).user


def attempt(username: str = "dora", password: str = "wrong", source: str = SOURCE) -> User:
    return sign_in(username=username, password=password, source=source, now=NOW)


def test_the_right_password_opens_and_leaves_the_event_to_the_door_that_follows(acme: Tenant, dora: User) -> None:
    assert attempt(password=PASSWORD) == dora
    assert events(acme, "person.signed_in") == []


def test_a_wrong_password_is_refused_and_leaves_an_event_without_it(acme: Tenant, dora: User) -> None:
    with pytest.raises(SignInRefused):
        attempt(password="guess-number-one")
    (event,) = events(acme, "person.sign_in_refused")
    assert (event["subject"], event["data"]) == (str(dora.pk), {"user": "dora"})


def test_an_unknown_person_is_refused_in_the_same_words_and_leaves_no_event(acme: Tenant, dora: User) -> None:
    with pytest.raises(SignInRefused) as unknown:
        attempt("nobody")
    with pytest.raises(SignInRefused) as wrong:
        attempt()
    assert unknown.value.message == wrong.value.message
    assert len(events(acme, "person.sign_in_refused")) == 1


def test_after_too_many_failures_even_the_right_password_waits(acme: Tenant, dora: User) -> None:
    for _ in range(MOST_FAILURES):
        with pytest.raises(SignInRefused):
            attempt()
    for _ in range(50):
        with pytest.raises(SignInThrottled):
            attempt(password=PASSWORD)
    # A flood fills no ledger.
    assert len(events(acme, "person.sign_in_refused")) == MOST_FAILURES


def test_a_flood_from_one_address_locks_nobody_out_elsewhere(dora: User) -> None:
    for _ in range(MOST_FAILURES):
        with pytest.raises(SignInRefused):
            attempt()
    assert attempt(password=PASSWORD, source="198.51.100.7") == dora


def test_writing_the_name_otherwise_wins_no_further_guesses(dora: User) -> None:
    for _ in range(MOST_FAILURES):
        with pytest.raises(SignInRefused):
            attempt("DORA")
    with pytest.raises(SignInThrottled):
        attempt("dora")


def test_signing_in_forgets_earlier_failures(dora: User) -> None:
    for _ in range(MOST_FAILURES - 1):
        with pytest.raises(SignInRefused):
            attempt()
    attempt(password=PASSWORD)
    with pytest.raises(SignInRefused):
        attempt()


def test_whoever_belongs_to_no_tenant_today_stays_outside(acme: Tenant, dora: User) -> None:
    with in_tenant(acme):
        Membership.objects.for_tenant(acme).filter(user=dora).update(is_active=False)
    with pytest.raises(SignInRefused):
        attempt(password=PASSWORD)


def test_a_suspended_tenant_keeps_its_people_outside(acme: Tenant, dora: User, as_owner: AsOwner) -> None:
    with as_owner(), in_tenant(acme):
        acme.is_suspended = True
        acme.save()
    with pytest.raises(SignInRefused):
        attempt(password=PASSWORD)


def test_a_switched_off_person_stays_outside(dora: User) -> None:
    dora.is_active = False
    dora.save()
    with pytest.raises(SignInRefused):
        attempt(password=PASSWORD)


@pytest.mark.parametrize(("username", "password"), [("x" * 151, "p"), ("dora", "p" * 1025), ("", ""), ("a\x00b", "p")])
def test_odd_input_is_refused_like_any_other(dora: User, username: str, password: str) -> None:
    with pytest.raises(SignInRefused):
        sign_in(username=username, password=password, source=SOURCE, now=NOW + timedelta(seconds=1))
