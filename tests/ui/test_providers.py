"""Single sign-on as pages: connected, opened and shut by an owner, read by who reads members; browsers put out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django.fixtures import Settings

from gateway.identity.door_models import IdentityProvider, SignIn
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.identity.openid import CALLBACK, CLIENT_SECRET, Browser, OpenIdProvider
from tests.identity.test_members import events
from tests.people import member
from tests.ui.browsing import browser_of, page

HERE = "/identity-providers/"
MAP = '{"engineers": {"roles": ["developer"], "groups": ["engineering"]}}'


@pytest.fixture(scope="module")
def process() -> Iterator[OpenIdProvider]:
    made = OpenIdProvider(django_settings.PUBLIC_URL)
    yield made
    made.stop()


@pytest.fixture
def form(process: OpenIdProvider, settings: Settings) -> dict[str, object]:
    """What an owner types to connect the provider that runs here."""
    settings.EGRESS_ALLOWED = ["127.0.0.1/32"]
    return {
        "kind": "oidc",
        "name": "npm",
        "title": "Our people",
        "issuer": process.issuer,
        "client_id": "hoopweb",
        "client_secret": CLIENT_SECRET,
        "group_claim": "",
        "group_map": MAP,
        "default_roles": ["auditor"],
    }


@pytest.fixture
def owner(acme: Tenant) -> Client:
    return browser_of(member(acme, "olga", roles=[Role.OWNER]))


def provider(tenant: Tenant) -> IdentityProvider:
    with in_tenant(tenant):
        found: IdentityProvider = IdentityProvider.objects.for_tenant(tenant).get()
    return found


def test_an_owner_connects_a_provider_and_reads_what_to_set_there(
    acme: Tenant, owner: Client, form: dict[str, object]
) -> None:
    assert owner.post(HERE, form).status_code == 302
    made = provider(acme)
    assert (made.title, made.group_claim, made.default_roles) == ("Our people", "groups", ["auditor"])
    shown = owner.get(HERE)
    assert f"{django_settings.PUBLIC_URL}{CALLBACK}" in page(shown).text
    assert "engineers" in page(shown).text
    assert CLIENT_SECRET not in shown.content.decode()
    assert page(shown).inline == []
    assert [event["data"]["name"] for event in events(acme, "provider.added")] == ["npm"]


def test_people_come_in_by_what_the_page_connected_until_it_is_shut(
    acme: Tenant, owner: Client, form: dict[str, object]
) -> None:
    owner.post(HERE, {**form, "default_roles": ["developer"]})
    assert Browser().sign_in("alice").status_code == 302
    made = provider(acme)
    assert owner.post(f"{HERE}{made.pk}/", {"state": "shut"}).status_code == 302
    assert "shut" in page(owner.get(HERE)).text
    assert Client().get("/sso/acme/npm/oidc/start/").status_code == 404
    owner.post(f"{HERE}{made.pk}/", {"state": "open"})
    assert Client().get("/sso/acme/npm/oidc/start/").status_code == 302
    assert owner.post(f"{HERE}{made.pk}/", {"state": "ajar"}).status_code == 400


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"issuer": "http://127.0.0.1:1"}, "127.0.0.1"),
        ({"issuer": ""}, "Issuer"),
        ({"client_secret": ""}, "Client secret"),
        ({"name": "Not A Name"}, "name"),
        ({"group_map": "[]"}, "one JSON object"),
        ({"group_map": "{"}, "one JSON object"),
        ({"group_map": '{"x": {"roles": ["emperor"]}}'}, ""),
        ({"default_roles": ["emperor"]}, ""),
        ({"kind": "saml", "metadata": "no xml"}, ""),
        ({"kind": "saml", "metadata": ""}, "Metadata"),
    ],
)
def test_what_cannot_be_connected_comes_back_with_the_reason_and_without_the_secret(
    acme: Tenant, owner: Client, form: dict[str, object], wrong: dict[str, object], told: str
) -> None:
    answer = owner.post(HERE, {**form, **wrong})
    assert answer.status_code in {400, 422, 502}
    html = answer.content.decode()
    assert 'role="alert"' in html
    assert told in page(answer).text
    assert CLIENT_SECRET not in html
    with in_tenant(acme):
        assert not IdentityProvider.objects.for_tenant(acme).exists()


def test_a_security_administrator_reads_and_changes_nothing(
    acme: Tenant, owner: Client, form: dict[str, object]
) -> None:
    owner.post(HERE, form)
    sara = browser_of(member(acme, "sara", roles=[Role.SECURITY_ADMIN]))
    assert "Our people" in page(sara.get(HERE)).text
    assert "Client secret" not in page(sara.get(HERE)).text
    assert sara.post(HERE, form).status_code == 403
    assert sara.post(f"{HERE}{provider(acme).pk}/", {"state": "shut"}).status_code == 403
    assert provider(acme).is_enabled


def test_another_tenants_provider_is_nowhere(
    acme: Tenant, globex: Tenant, owner: Client, form: dict[str, object]
) -> None:
    owner.post(HERE, form)
    trudy = browser_of(member(globex, "trudy", roles=[Role.OWNER]))
    assert "Our people" not in page(trudy.get(HERE)).text
    for state in ("shut", "ajar"):
        assert trudy.post(f"{HERE}{provider(acme).pk}/", {"state": state}).status_code == 404
    assert provider(acme).is_enabled


def test_a_browser_is_seen_with_its_proof_and_put_out(acme: Tenant, owner: Client, bob: User) -> None:
    his = browser_of(bob)
    assert his.get("/approvals/").status_code == 200
    shown = page(owner.get("/sign-ins/"))
    assert "bob" in shown.text
    assert "password+totp" in shown.text
    assert "this browser" in shown.text
    assert shown.inline == []
    with in_tenant(acme):
        held = SignIn.objects.for_tenant(acme).get(user=bob)
    assert owner.post(f"/sign-ins/{held.pk}/end/").status_code == 302
    assert his.get("/approvals/")["Location"].startswith("/sign-in/")
    assert "by olga" in page(owner.get("/sign-ins/")).text


def test_an_auditor_sees_who_is_in_and_puts_nobody_out(acme: Tenant, bob: User) -> None:
    browser_of(bob)
    ada = browser_of(member(acme, "ada", roles=[Role.AUDITOR]))
    assert "Put out" not in page(ada.get("/sign-ins/")).text
    with in_tenant(acme):
        held = SignIn.objects.for_tenant(acme).get(user=bob)
    assert ada.post(f"/sign-ins/{held.pk}/end/").status_code == 403


def test_a_developer_sees_neither_page(alice: User) -> None:
    client = browser_of(alice)
    assert [client.get(path).status_code for path in (HERE, "/sign-ins/")] == [403, 403]
