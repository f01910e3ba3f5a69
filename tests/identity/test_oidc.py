"""OpenID Connect against a real provider: who comes in, as whom, with which roles; and every check refuses what it must."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from gateway.identity import providers
from gateway.identity.door_models import IdentityProvider, SignIn
from gateway.identity.door_problems import ProviderRefused
from gateway.identity.models import ExternalIdentity, Membership, User
from gateway.identity.oidc import HardenedBackend
from gateway.tenants import egress
from gateway.tenants.models import Tenant
from gateway.tenants.problems import DestinationRefused, DestinationUnreachable
from gateway.tenants.scope import in_tenant
from tests.identity.openid import CALLBACK, CLIENT_SECRET, START, Browser, OpenIdProvider, described
from tests.identity.test_members import events
from tests.people import NOW


@pytest.fixture(scope="module")
def process() -> Iterator[OpenIdProvider]:
    made = OpenIdProvider(django_settings.PUBLIC_URL)
    yield made
    made.stop()


@pytest.fixture
def openid(process: OpenIdProvider, settings: Settings) -> Iterator[OpenIdProvider]:
    settings.EGRESS_ALLOWED = ["127.0.0.1/32"]
    yield process
    process.spoil()


@pytest.fixture
def provider(acme: Tenant, openid: OpenIdProvider) -> IdentityProvider:
    return described(acme, openid.issuer)


def member(tenant: Tenant, username: str) -> Membership:
    with in_tenant(tenant):
        found: Membership = Membership.objects.for_tenant(tenant).select_related("user").get(user__username=username)
    return found


def test_a_person_comes_in_with_the_roles_and_groups_his_provider_says(
    acme: Tenant, provider: IdentityProvider
) -> None:
    browser = Browser()
    answer = browser.sign_in("alice", next="/approvals/")
    assert (answer.status_code, answer["Location"]) == (302, "/approvals/")
    alice = member(acme, "alice")
    assert (alice.roles, alice.groups) == (["developer"], ["engineering"])
    assert browser.ours.get("/sessions/").status_code == 200
    assert browser.ours.get("/policies/").status_code == 403
    with in_tenant(acme):
        (opened,) = SignIn.objects.for_tenant(acme).all()
    assert (opened.user_id, opened.proof, opened.provider_id) == (alice.user_id, "oidc", provider.pk)
    assert [event["data"] for event in events(acme, "person.signed_in")] == [
        {"user": "alice", "what": "oidc", "name": "npm"}
    ]


def test_what_leaves_with_the_browser_is_pkce_state_and_nonce_and_no_secret(provider: IdentityProvider) -> None:
    query = parse_qs(urlsplit(Browser().begin()).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    assert query["redirect_uri"] == [django_settings.PUBLIC_URL + CALLBACK]
    assert min(len(query[name][0]) for name in ("state", "nonce", "code_challenge")) >= 43
    assert set(query) & {"client_secret", "code_verifier"} == set()


def test_coming_again_is_the_same_person_though_the_groups_changed(
    acme: Tenant, provider: IdentityProvider, openid: OpenIdProvider
) -> None:
    Browser().sign_in("alice")
    first = member(acme, "alice")
    openid.spoil(token={"claims": {"groups": ["AWS Approvers"]}})
    Browser().sign_in("alice")
    again = member(acme, "alice")
    assert again.user_id == first.user_id
    assert (again.roles, again.groups) == (["approver"], ["operators"])
    (changed,) = events(acme, "member.changed")
    assert changed["data"] == {"by": "provider npm", "user": "alice", "roles": ["approver"]}


def test_a_name_in_use_is_never_merged(acme: Tenant, alice: User, provider: IdentityProvider) -> None:
    """A provider that calls somebody `alice` does not make him our alice, who may be an owner."""
    Browser().sign_in("alice")
    identity = ExternalIdentity.objects.get()
    assert identity.user_id != alice.pk
    assert identity.user.username.startswith("alice+")


def test_one_issuer_at_two_tenants_makes_two_accounts(
    acme: Tenant, globex: Tenant, provider: IdentityProvider, openid: OpenIdProvider
) -> None:
    Browser().sign_in("alice")
    described(globex, openid.issuer)
    flow = Browser()
    # The provider knows one redirect address: acme's. An answer for acme opens nothing at globex.
    address = flow.prove(flow.begin(), "alice").replace("/sso/acme/", "/sso/globex/")
    assert flow.come_back(address).status_code == 401
    assert ExternalIdentity.objects.count() == 1
    assert ExternalIdentity.objects.get().provider == f"{acme.pk}/{provider.pk}"


def test_a_provider_opens_its_own_tenant_and_no_other(acme: Tenant, globex: Tenant, provider: IdentityProvider) -> None:
    browser = Browser()
    browser.sign_in("alice")
    user = member(acme, "alice").user
    with in_tenant(globex):
        Membership.objects.create(tenant=globex, user=user, roles=["owner"])
    answer = browser.ours.post("/tenant/", {"tenant": str(globex.pk)})
    assert answer["Location"] == "/sso/globex/"
    assert browser.ours.session["tenant_id"] == str(acme.pk)


def test_whoever_has_no_mapped_group_stays_outside(acme: Tenant, provider: IdentityProvider) -> None:
    answer = Browser().sign_in("nobody")
    assert answer.status_code == 403
    assert "gives you no role here" in answer.content.decode()
    assert not User.objects.filter(username="nobody").exists()


def test_a_member_switched_off_here_stays_off(acme: Tenant, provider: IdentityProvider) -> None:
    Browser().sign_in("alice")
    with in_tenant(acme):
        Membership.objects.for_tenant(acme).update(is_active=False)
    assert Browser().sign_in("alice").status_code == 401
    assert member(acme, "alice").is_active is False


HOUR = 3600
SPOILED: dict[str, dict[str, Any]] = {
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "no issuer": {"without": ["iss"]},
    "another audience": {"claims": {"aud": "somebody-else"}},
    "no audience": {"without": ["aud"]},
    "several audiences and no azp": {"claims": {"aud": ["hoopweb", "other"]}},
    "issued to another client": {"claims": {"azp": "other"}},
    "expired": {"claims": {"exp": int(time.time()) - HOUR}},
    "without an end": {"without": ["exp"]},
    "made long ago": {"claims": {"iat": int(time.time()) - HOUR}},
    "without a beginning": {"without": ["iat"]},
    "not yet good": {"claims": {"nbf": int(time.time()) + HOUR}},
    "another nonce": {"claims": {"nonce": "of another attempt"}},
    "no nonce": {"without": ["nonce"]},
    "another subject than userinfo": {"claims": {"sub": "bob"}},
    "no subject": {"without": ["sub"]},
    "an empty subject": {"claims": {"sub": ""}},
    "an endless subject": {"claims": {"sub": "a" * 300}},
    "another access token": {"at_hash_of": "another"},
    "signed by nobody": {"header": {"alg": "none"}},
    "signed with the public key": {"header": {"alg": "HS256"}},
    "signed by another key": {"foreign_key": True},
    "a key nobody knows": {"header": {"kid": "second"}},
    "an algorithm not agreed on": {"header": {"alg": "PS256"}},
    "groups that are no list": {"claims": {"groups": {"Engineering": True}}},
}


@pytest.mark.parametrize("how", SPOILED.values(), ids=SPOILED)
def test_a_token_that_fails_one_check_opens_nothing_and_leaves_an_event(
    acme: Tenant, provider: IdentityProvider, openid: OpenIdProvider, how: dict[str, Any]
) -> None:
    openid.spoil(token=how)
    browser = Browser()
    answer = browser.sign_in("alice")
    assert answer.status_code == 401, answer.content
    assert "identity.sign_on_refused" in answer.content.decode()
    assert browser.ours.get("/sessions/").status_code == 302
    assert not Membership.objects.filter(user__username="alice").exists()
    (event,) = events(acme, "provider.answer_refused")
    assert event["data"]["name"] == "npm"
    assert CLIENT_SECRET not in str(event["data"])


def test_an_honest_token_through_the_same_path_is_taken(provider: IdentityProvider, openid: OpenIdProvider) -> None:
    openid.spoil(token={"claims": {"aud": ["hoopweb", "other"], "azp": "hoopweb"}})
    assert Browser().sign_in("alice").status_code == 302


def test_userinfo_of_another_person_is_refused(provider: IdentityProvider, openid: OpenIdProvider) -> None:
    openid.spoil(userinfo_sub="bob")
    assert Browser().sign_in("alice").status_code == 401


@pytest.mark.parametrize("endpoint", ["/token", "/jwks", "/me"])
@pytest.mark.parametrize("how", ["fail", "redirect"])
def test_a_provider_that_fails_or_leads_elsewhere_is_a_refusal_not_a_failure_of_ours(
    provider: IdentityProvider, openid: OpenIdProvider, endpoint: str, how: str
) -> None:
    openid.spoil(**{how: endpoint})
    assert Browser().sign_in("alice").status_code == 401


def test_a_provider_that_hangs_is_given_up(
    provider: IdentityProvider, openid: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = egress.fetch
    monkeypatch.setattr("gateway.identity.oidc.fetch", lambda url, **more: patient(url, timeout_seconds=0.5, **more))
    openid.spoil(hang="/token")
    begun = time.monotonic()
    assert Browser().sign_in("alice").status_code == 401
    assert time.monotonic() - begun < 4


def test_an_answer_is_taken_once(provider: IdentityProvider) -> None:
    browser = Browser()
    address = browser.prove(browser.begin(), "alice")
    assert browser.come_back(address).status_code == 302
    assert browser.come_back(address).status_code == 401


def test_an_answer_is_taken_only_by_the_browser_that_asked(provider: IdentityProvider) -> None:
    """Else a link with an attacker's own code would sign his victim in as him."""
    attacker, victim = Browser(), Browser()
    victim.begin()
    assert victim.come_back(attacker.prove(attacker.begin(), "bob")).status_code == 401


def test_a_code_is_worth_nothing_without_the_verifier(provider: IdentityProvider, openid: OpenIdProvider) -> None:
    attacker, victim = Browser(), Browser()
    stolen = parse_qs(urlsplit(victim.prove(victim.begin(), "alice")).query)["code"][0]
    address = attacker.prove(attacker.begin(), "bob")
    own = parse_qs(urlsplit(address).query)["code"][0]
    assert attacker.come_back(address.replace(own, stolen)).status_code == 401


@pytest.mark.parametrize(
    "change", [("state=", "state=x"), ("code=", "none="), ("iss=http", "iss=https"), ("code=", "error=a&code=")]
)
def test_an_answer_altered_on_its_way_is_refused(provider: IdentityProvider, change: tuple[str, str]) -> None:
    browser = Browser()
    address = browser.prove(browser.begin(), "alice").replace(*change)
    assert browser.come_back(address).status_code == 401


def test_a_fresh_proof_is_asked_for_and_checked(provider: IdentityProvider, openid: OpenIdProvider) -> None:
    browser = Browser()
    query = parse_qs(urlsplit(browser.begin(fresh="1")).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["60"])
    assert browser.sign_in("alice", fresh="1").status_code == 302
    openid.spoil(token={"claims": {"auth_time": int(time.time()) - HOUR}})
    assert Browser().sign_in("alice", fresh="1").status_code == 401
    openid.spoil(token={"without": ["auth_time"]})
    assert Browser().sign_in("alice", fresh="1").status_code == 401


@pytest.mark.parametrize(("told", "oldest"), [(HOUR, HOUR + 60), (None, None)])
def test_a_sign_in_is_as_old_as_the_provider_says_it_asked_the_person(
    acme: Tenant, provider: IdentityProvider, openid: OpenIdProvider, told: int | None, oldest: int | None
) -> None:
    openid.spoil(token={"claims": {"auth_time": int(time.time()) - told}} if told else {"without": ["auth_time"]})
    assert Browser().sign_in("alice").status_code == 302
    with in_tenant(acme):
        opened = SignIn.objects.for_tenant(acme).get()
    age = (opened.opened_at - opened.proved_at).total_seconds()
    # A provider that does not tell has proved nobody lately.
    assert HOUR <= age <= oldest if oldest else age > 365 * 24 * HOUR


def test_signing_out_here_ends_the_providers_session_too(acme: Tenant, provider: IdentityProvider) -> None:
    browser = Browser()
    browser.sign_in("alice")
    page = browser.ours.post("/sign-out/")
    onward = unescape(page.content.decode().split('content="0; url=')[1].split('"')[0])
    assert urlsplit(onward).path == "/session/end"
    assert browser.ours.get("/sessions/").status_code == 302
    confirm = browser.theirs.get(onward, timeout=10)
    action = confirm.text.split('action="')[1].split('"')[0]
    secret = confirm.text.split('name="xsrf" value="')[1].split('"')[0]
    ended = browser.theirs.post(action, data={"xsrf": secret, "logout": "yes"}, allow_redirects=False, timeout=10)
    assert ended.headers["Location"] == f"{django_settings.PUBLIC_URL}/sign-in/"
    # Asked again, the provider wants a login: its own session is gone.
    assert "login" in requests.get(browser.begin(), cookies=browser.theirs.cookies, timeout=10).text
    assert len(events(acme, "person.signed_out")) == 1


def test_a_provider_switched_off_opens_nothing_and_passwords_come_back(
    acme: Tenant, provider: IdentityProvider
) -> None:
    with in_tenant(acme):
        providers.switch(tenant=acme, provider_id=provider.pk, is_enabled=False, by_label="olga", now=NOW)
        assert not providers.has_single_sign_on(acme)
    assert Browser().ours.get(START).status_code == 404


def test_the_client_secret_is_sealed_and_shown_nowhere(acme: Tenant, provider: IdentityProvider) -> None:
    with in_tenant(acme):
        row = IdentityProvider.objects.for_tenant(acme).get()
        assert providers.open_secret(row) == CLIENT_SECRET.encode()
    assert CLIENT_SECRET.encode() not in bytes(row.sealed_secret)
    assert CLIENT_SECRET not in str(events(acme, "provider.added"))
    assert CLIENT_SECRET not in repr(providers.oidc_of(row))
    assert CLIENT_SECRET not in repr(HardenedBackend(providers.oidc_of(row))._provider)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://127.0.0.1:1/other"},
        {"name": "Not A Name"},
        {"default_roles": ["king"]},
        {"group_map": {"g": {"roles": ["king"]}}},
        {"group_map": {"g": {"groups": ["Not A Group"]}}},
        {"group_map": {"g": ["developer"]}},
        {"group_map": {"g": {"more": []}}},
    ],
)
def test_a_provider_that_is_described_wrongly_is_not_kept(
    acme: Tenant, openid: OpenIdProvider, wrong: dict[str, Any]
) -> None:
    with pytest.raises((ProviderRefused, DestinationUnreachable)):
        described(acme, **{"issuer": openid.issuer, **wrong})
    with in_tenant(acme):
        assert not IdentityProvider.objects.for_tenant(acme).exists()


def test_an_issuer_that_calls_itself_otherwise_is_refused(acme: Tenant, openid: OpenIdProvider) -> None:
    with pytest.raises(ProviderRefused, match="another name"):
        described(acme, f"{openid.issuer}/")


def test_a_tenant_cannot_point_us_at_our_own_inside(acme: Tenant, settings: Settings) -> None:
    settings.EGRESS_ALLOWED = []
    for issuer in ("http://127.0.0.1:8080", "https://169.254.169.254", "https://[::1]"):
        with pytest.raises(DestinationRefused):
            described(acme, issuer)
