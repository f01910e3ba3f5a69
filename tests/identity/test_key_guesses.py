"""Guesses past ten a minute, by account and source, are refused before anything is hashed; others do not notice."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from gateway.identity.models import ServiceAccount
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.identity.test_workloads import by_secret
from tests.people import api_key_of, member

GUESSES = 30


class Counting(PBKDF2PasswordHasher):
    """Django's hasher with few rounds, which counts how often it is asked."""

    iterations = 1
    asked: ClassVar[int] = 0

    def encode(self, password: Any, salt: Any, iterations: Any = None) -> str:
        type(self).asked += 1
        return super().encode(password, salt, iterations)


def me(key: str, source: str) -> Any:
    return Client(raise_request_exception=False).get(
        "/api/v1/me/", headers={"authorization": f"Bearer {key}"}, REMOTE_ADDR=source
    )


def wrong(key: str) -> str:
    return key[:-4] + ("AAAA" if not key.endswith("AAAA") else "BBBB")


def test_wrong_keys_past_ten_are_refused_without_a_look_at_the_key(acme: Tenant) -> None:
    _, key = api_key_of(acme, None, Right.AGENTS_READ)
    statuses = [me(wrong(key), "192.0.2.1").status_code for _ in range(GUESSES)]
    assert statuses == [401] * 10 + [429] * (GUESSES - 10)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert is_problem(me(wrong(key), "192.0.2.1"), 429, "identity.sign_in_throttled")
    assert [one["sql"] for one in queries if "identity_apikey" in one["sql"]] == []


def test_the_key_goes_on_opening_from_elsewhere_and_not_from_there(acme: Tenant) -> None:
    _, key = api_key_of(acme, None, Right.AGENTS_READ)
    _, other = api_key_of(acme, None, Right.AGENTS_READ)
    for _ in range(GUESSES):
        me(wrong(key), "192.0.2.2")
    assert me(key, "192.0.2.3").status_code == 200
    assert me(other, "192.0.2.2").status_code == 200
    # Whoever guesses does not learn by it when he was right.
    assert me(key, "192.0.2.2").status_code == 429


def test_a_key_that_has_ended_is_no_guess(acme: Tenant) -> None:
    made, key = api_key_of(acme, None, Right.AGENTS_READ)
    with in_tenant(acme):
        type(made).objects.for_tenant(acme).filter(pk=made.pk).update(expires_at=made.created_at)
    assert {me(key, "192.0.2.4").status_code for _ in range(GUESSES)} == {401}


def test_wrong_client_secrets_are_counted_as_keys_are(acme: Tenant) -> None:
    admin: Api = api_of(acme, None, *(set(Right) - {Right.APPROVALS_VOTE}))
    with in_tenant(acme):
        ci = ServiceAccount.objects.create(tenant=acme, name="ci")
    secret = admin.post(f"service-accounts/{ci.pk}/secrets/", {"scopes": ["requests:read"]}).json()
    guesses = [by_secret(secret, client_secret=wrong(secret["client_secret"])).status_code for _ in range(GUESSES)]
    assert guesses == [401] * 10 + [429] * (GUESSES - 10)
    assert by_secret(secret).status_code == 429


def test_wrong_passwords_past_the_bound_are_not_hashed(acme: Tenant, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["tests.identity.test_key_guesses.Counting"]
    frank = member(acme, "frank", roles=[Role.DEVELOPER])
    frank.set_password("a right one, long enough")
    frank.save()
    before = Counting.asked
    form = {"username": "frank", "password": "wrong"}
    statuses = [Client().post("/sign-in/", form, REMOTE_ADDR="192.0.2.5").status_code for _ in range(GUESSES)]
    assert statuses.count(429) >= GUESSES - 10
    assert 0 < Counting.asked - before <= 10
    right = {"username": "frank", "password": "a right one, long enough"}
    assert Client().post("/sign-in/", right, REMOTE_ADDR="192.0.2.6").status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["hwk_", "hwk_" + "a" * 95, "x" * 5000, "hwk_" + "a" * 52 + "_" + "\u00e9" * 43])
def test_what_is_no_key_of_ours_is_refused_by_its_form(key: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert me(key.encode().decode("latin-1"), "192.0.2.7").status_code == 401
    assert [one["sql"] for one in queries if "identity_" in one["sql"]] == []
