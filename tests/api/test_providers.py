"""`/identity-providers/`: an owner connects single sign-on; what goes in secret never comes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import RIGHTS_OF, Right, Role
from tests.api.asking import Api, api_of, is_problem
from tests.identity.openid import CLIENT_SECRET, OpenIdProvider
from tests.identity.test_members import events
from tests.people import api_key_of, member


@pytest.fixture(scope="module")
def process() -> Iterator[OpenIdProvider]:
    made = OpenIdProvider(django_settings.PUBLIC_URL)
    yield made
    made.stop()


@pytest.fixture
def body(process: OpenIdProvider, settings: Settings) -> dict[str, Any]:
    settings.EGRESS_ALLOWED = ["127.0.0.1/32"]
    return {
        "name": "okta",
        "title": "Okta",
        "issuer": process.issuer,
        "client_id": "hoopweb",
        "client_secret": CLIENT_SECRET,
        "group_map": {"Engineering": {"roles": ["developer"]}},
    }


@pytest.fixture
def owner(acme: Tenant) -> Api:
    olga = member(acme, "olga", roles=[Role.OWNER])
    return Api(api_key_of(acme, olga, *RIGHTS_OF[Role.OWNER])[1])


def test_an_owner_connects_a_provider_and_reads_it_back_without_its_secret(
    acme: Tenant, owner: Api, body: dict[str, Any]
) -> None:
    made = owner.post("identity-providers/", body, idempotency_key="once")
    assert made.status_code == 201, made.content
    assert made.json()["group_map"] == {"Engineering": {"roles": ["developer"], "groups": []}}
    assert owner.post("identity-providers/", body, idempotency_key="once").json() == made.json()
    listed = owner.get("identity-providers/")
    assert [one["name"] for one in listed.json()["items"]] == ["okta"]
    assert CLIENT_SECRET not in made.content.decode() + listed.content.decode()
    (event,) = events(acme, "provider.added")
    assert event["data"] == {"by": "olga", "name": "okta", "what": "oidc", "result": "enabled"}


def test_it_is_switched_off_and_on_with_an_event_each(acme: Tenant, owner: Api, body: dict[str, Any]) -> None:
    one = owner.post("identity-providers/", body).json()["id"]
    for verb, is_enabled in (("disable", False), ("disable", False), ("enable", True)):
        assert owner.post(f"identity-providers/{one}/{verb}/", {}).json()["is_enabled"] is is_enabled
    assert [event["data"]["result"] for event in events(acme, "provider.changed")] == ["disabled", "enabled"]


def test_the_same_name_twice_is_a_conflict(owner: Api, body: dict[str, Any]) -> None:
    owner.post("identity-providers/", body)
    assert is_problem(owner.post("identity-providers/", body), 409, "identity.name_taken")


def test_an_issuer_inside_is_refused(owner: Api, body: dict[str, Any], settings: Settings) -> None:
    settings.EGRESS_ALLOWED = []
    assert is_problem(owner.post("identity-providers/", body), 400, "tenants.destination_refused")


@pytest.mark.parametrize("role", [role for role in Role if role != Role.OWNER])
def test_only_owners_decide_who_may_come_in(acme: Tenant, bob: User, body: dict[str, Any], role: Role) -> None:
    api = api_of(acme, bob, *RIGHTS_OF[role], Right.PROVIDERS_WRITE)
    assert is_problem(api.post("identity-providers/", body), 403, "identity.right_missing")


@pytest.mark.parametrize("metadata", ["<a/>", "no xml", "x" * 300_000])
def test_metadata_that_describes_nothing_is_refused(owner: Api, metadata: str) -> None:
    answer = owner.post("identity-providers/saml/", {"name": "adfs", "metadata": metadata})
    assert answer.status_code == 400
