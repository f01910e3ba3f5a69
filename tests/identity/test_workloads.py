"""Tokens for workloads by one of two client secrets: an hour, no longer."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from gateway.identity.models import ServiceAccount
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from hoopweb.api.oauth import Grant
from tests.api.asking import Api, api_of, is_problem
from tests.identity.test_members import events

FORM = "application/x-www-form-urlencoded"
SCOPES = ["requests:read", "keys:issue"]


@pytest.fixture
def ci(acme: Tenant) -> ServiceAccount:
    with in_tenant(acme):
        made: ServiceAccount = ServiceAccount.objects.create(tenant=acme, name="ci")
    return made


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return api_of(acme, None, *(set(Right) - {Right.APPROVALS_VOTE}))


def token(fields: dict[str, str], **headers: str) -> Any:
    return Client().generic("POST", "/oauth/token", urlencode(fields), content_type=FORM, headers=headers)


def by_secret(made: dict[str, Any], **changed: str) -> Any:
    known = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
    return token({"grant_type": Grant.CLIENT.value, **known, **changed})


@pytest.fixture
def secret(admin: Api, ci: ServiceAccount) -> dict[str, Any]:
    answer = admin.post(f"service-accounts/{ci.pk}/secrets/", {"scopes": SCOPES})
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_secret_gets_a_token_for_an_hour(acme: Tenant, secret: dict[str, Any]) -> None:
    answer = by_secret(secret)
    assert answer.status_code == 200
    assert 3590 <= answer.json()["expires_in"] <= 3600
    me = Api(answer.json()["access_token"]).get("me/").json()
    assert (me["user"], me["rights"]) == (None, sorted(SCOPES))
    assert len(events(acme, "service_account.secret_issued")) == 1


def test_basic_works_as_the_form_does(secret: dict[str, Any]) -> None:
    basic = base64.b64encode(f"{secret['client_id']}:{secret['client_secret']}".encode()).decode()
    assert token({"grant_type": Grant.CLIENT.value}, authorization=f"Basic {basic}").status_code == 200
    both = {"grant_type": Grant.CLIENT.value, "client_secret": secret["client_secret"]}
    assert token(both, authorization=f"Basic {basic}").status_code == 401


def test_two_secrets_live_at_once_and_a_third_waits(admin: Api, ci: ServiceAccount, secret: dict[str, Any]) -> None:
    path = f"service-accounts/{ci.pk}/secrets/"
    second = admin.post(path, {"scopes": SCOPES}).json()
    assert is_problem(admin.post(path, {"scopes": SCOPES}), 409, "identity.too_many_secrets")
    assert by_secret(secret).status_code == by_secret(second).status_code == 200
    assert admin.delete(f"{path}{secret['id']}/").status_code == 204
    assert by_secret(secret).status_code == 401
    assert by_secret(second).status_code == 200
    assert admin.post(path, {"scopes": SCOPES}).status_code == 201


@pytest.mark.parametrize(
    "wrong", [{"client_secret": "hwk_x"}, {"client_id": "00000000-0000-4000-8000-000000000001"}, {"client_id": "x"}]
)
def test_a_wrong_client_is_refused_in_one_form_of_words(secret: dict[str, Any], wrong: dict[str, str]) -> None:
    answer = by_secret(secret, **wrong)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert by_secret(secret, client_secret=secret["client_secret"][:-1] + "_").status_code == 401


def test_a_client_secret_is_no_api_key(secret: dict[str, Any]) -> None:
    assert Api(secret["client_secret"]).get("me/").status_code == 401


def test_a_suspended_account_gets_nothing(acme: Tenant, ci: ServiceAccount, secret: dict[str, Any]) -> None:
    with in_tenant(acme):
        ServiceAccount.objects.for_tenant(acme).update(is_suspended=True)
    assert by_secret(secret).status_code == 401


@pytest.mark.parametrize("scopes", [["approvals:vote"], ["all"], ["members:write"]])
def test_nobody_gives_a_workload_more_than_he_has_and_none_votes(
    acme: Tenant, ci: ServiceAccount, scopes: list[str]
) -> None:
    maker = api_of(acme, None, Right.API_KEYS_WRITE, Right.REQUESTS_READ)
    assert maker.post(f"service-accounts/{ci.pk}/secrets/", {"scopes": scopes}).status_code == 400
