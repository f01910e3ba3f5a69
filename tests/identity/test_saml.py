"""SAML against a real provider on pysaml2: signed and fresh assertions open, everything else is refused with an event."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.test import Client
from django.utils import timezone

from gateway.identity import saml
from gateway.identity.door_models import IdentityProvider, SeenAssertion, SignIn
from gateway.identity.door_problems import ProviderRefused
from gateway.identity.models import ExternalIdentity, Membership
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from hoopweb.stack.ports import free_port
from tests.house.test_structure import CHECKOUT
from tests.identity.test_members import events
from tests.people import NOW, member
from tests.ui.browsing import browser_of, page

PROGRAM = CHECKOUT / "tests" / "identity" / "idp" / "saml_idp.py"
DOOR = "/sso/acme/okta/saml"
GROUPS = "urn:oid:1.3.6.1.4.1.5923.1.1.1.1"


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The provider's address."""
    assert shutil.which("xmlsec1"), "xmlsec1 is not installed: run ./bootstrap.sh packages"
    folder, port = tmp_path_factory.mktemp("idp"), free_port()
    key, certificate = saml.own_key("the tests' provider", timezone.now())
    (folder / "idp.key").write_bytes(key)
    (folder / "idp.pem").write_text(certificate)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", PROGRAM, folder, str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def provider(acme: Tenant, idp: str) -> IdentityProvider:
    with in_tenant(acme):
        made = saml.create_saml_provider(
            tenant=acme,
            name="okta",
            title="Acme SAML",
            metadata=requests.get(f"{idp}/metadata", timeout=10).text,
            group_claim=GROUPS,
            group_map={"Engineering": {"roles": ["developer"], "groups": ["engineering"]}},
            default_roles=[],
            by_label="olga",
            now=timezone.now(),
        )
    requests.post(f"{idp}/sp", data=Client().get(f"{DOOR}/metadata/").content, timeout=10)
    return made


class Browser:
    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False)

    def prove(self, login: str, *, fresh: bool = False, **spoil: Any) -> str:
        """Ask for sign-on and be `login` at the provider; returns its response, in base64."""
        started = self.client.get(f"{DOOR}/start/", {"next": "/sessions/"} | ({"fresh": "1"} if fresh else {}))
        assert started.status_code == 302, started.content
        answer = requests.get(started["Location"], params={"login": login, "spoil": json.dumps(spoil)}, timeout=20)
        self.is_forced = answer.json()["force_authn"] == "true"
        return str(answer.json()["SAMLResponse"])

    def post(self, response: str) -> Any:
        # As browsers do: the provider's POST is of another site, and our cookie stays at home.
        return Client(raise_request_exception=False).post(f"{DOOR}/acs/", {"SAMLResponse": response})

    def sign_in(self, login: str, **spoil: Any) -> Any:
        return self.follow(self.post(self.prove(login, **spoil)))

    def follow(self, posted: Any) -> Any:
        return self.client.get(posted["Location"]) if posted.status_code == 303 else posted


def altered(response: str, old: str, new: str) -> str:
    text = base64.b64decode(response).decode()
    assert old in text
    return base64.b64encode(text.replace(old, new).encode()).decode()


def test_a_person_comes_in_with_his_groups(acme: Tenant, provider: IdentityProvider) -> None:
    browser = Browser()
    answer = browser.sign_in("alice")
    assert answer.status_code == 302, answer.content.decode()
    assert answer["Location"] == "/sessions/"
    assert browser.client.get("/sessions/").status_code == 200
    with in_tenant(acme):
        member = Membership.objects.for_tenant(acme).select_related("user").get()
        assert SignIn.objects.for_tenant(acme).get().proof == "saml"
    assert (member.user.username, member.roles, member.groups) == ("alice", ["developer"], ["engineering"])
    assert ExternalIdentity.objects.get().subject == "subject-alice"


def test_coming_again_is_the_same_person(acme: Tenant, provider: IdentityProvider) -> None:
    for _ in range(2):
        assert Browser().sign_in("alice").status_code == 302
    assert ExternalIdentity.objects.count() == 1


def test_whoever_has_no_mapped_group_stays_outside(provider: IdentityProvider) -> None:
    assert Browser().sign_in("nobody").status_code == 403


def test_a_response_opens_once_and_in_no_other_browser(acme: Tenant, provider: IdentityProvider) -> None:
    browser = Browser()
    response = browser.prove("alice")
    posted = browser.post(response)
    thief = Browser()
    thief.client.get(f"{DOOR}/start/")
    assert browser.post(response).status_code == 401
    assert thief.follow(posted).status_code == 401
    # Collected by the wrong one, it is gone for the right one too.
    assert browser.follow(posted).status_code == 401
    assert {event["data"]["name"] for event in events(acme, "provider.answer_refused")} == {"okta"}


def test_an_answer_collected_late_is_no_answer(acme: Tenant, provider: IdentityProvider) -> None:
    browser = Browser()
    posted = browser.post(browser.prove("alice"))
    with in_tenant(acme):
        SeenAssertion.objects.for_tenant(acme).update(seen_at=timezone.now() - saml.COLLECT_WITHIN)
    assert browser.follow(posted).status_code == 401


def test_a_sign_in_is_as_old_as_the_provider_says_it_asked_the_person(acme: Tenant, provider: IdentityProvider) -> None:
    browser = Browser()
    assert browser.sign_in("alice", asked_ago=7200).status_code == 302
    assert not browser.is_forced
    with in_tenant(acme):
        opened = SignIn.objects.for_tenant(acme).get()
    assert 7190 < (opened.opened_at - opened.proved_at).total_seconds() < 7300


def test_a_fresh_proof_is_asked_for_and_checked(provider: IdentityProvider) -> None:
    browser = Browser()
    assert browser.sign_in("alice", fresh=True).status_code == 302
    assert browser.is_forced
    # A provider that answers from its old session all the same proves nothing fresh.
    assert Browser().sign_in("alice", fresh=True, asked_ago=600).status_code == 401


WITH_ENTITY = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
SPOILED: dict[str, dict[str, Any]] = {
    "an unsigned assertion": {"sign_assertion": False},
    "a signed response around an unsigned assertion": {"sign_assertion": False, "sign_response": True},
    "for another audience": {"response": {"sp_entity_id": "https://other.example"}},
    "for another address": {"response": {"destination": "https://other.example/acs/"}},
    "of another provider": {"entity": "elsewhere"},
    "too old": {"minutes": -10},
    "nobody asked for": {"response": {"in_response_to": None}},
    "in answer to another request": {"response": {"in_response_to": "id-of-another"}},
    "signed with a broken algorithm": {"sha1": True},
    "naming a person for one time": {"transient": True},
}


@pytest.mark.parametrize("how", SPOILED.values(), ids=SPOILED)
def test_an_assertion_that_fails_one_check_opens_nothing(
    acme: Tenant, provider: IdentityProvider, how: dict[str, Any]
) -> None:
    browser = Browser()
    answer = browser.sign_in("alice", **how)
    assert answer.status_code == 401, answer.content
    assert browser.client.get("/sessions/").status_code == 302
    assert not Membership.objects.filter(user__username="alice").exists()
    assert len(events(acme, "provider.answer_refused")) == 1


@pytest.mark.parametrize(
    ("old", "new"), [("subject-alice", "subject-bob"), (">Engineering<", ">Admins<"), ("AuthnInstant", "AuthnInstance")]
)
def test_a_response_altered_on_its_way_is_refused(provider: IdentityProvider, old: str, new: str) -> None:
    browser = Browser()
    assert browser.follow(browser.post(altered(browser.prove("alice"), old, new))).status_code == 401


def test_a_second_assertion_wrapped_around_the_signed_one_is_refused(provider: IdentityProvider) -> None:
    """Signature wrapping: the signed assertion is still there, and an evil one stands where readers look first."""
    browser = Browser()
    response = browser.prove("alice")
    text = base64.b64decode(response).decode()
    prefix = text.split(":Assertion ")[0].rsplit("<", 1)[1]
    begin, end = (
        text.index(f"<{prefix}:Assertion "),
        text.index(f"</{prefix}:Assertion>") + len(f"</{prefix}:Assertion>"),
    )
    evil = text[begin:end].replace("subject-alice", "subject-olga").replace(' ID="', ' ID="evil-')
    for wrapped in (text[:begin] + evil + text[begin:], text[:end] + evil + text[end:]):
        assert browser.post(base64.b64encode(wrapped.encode()).decode()).status_code == 401


def test_a_comment_inside_the_name_does_not_shorten_it(provider: IdentityProvider) -> None:
    browser = Browser()
    cut = altered(browser.prove("alice"), "subject-alice", "subject-a<!---->lice")
    answer = browser.follow(browser.post(cut))
    # Canonical XML leaves comments out, so the signature holds: then the whole name must count.
    assert answer.status_code == 401 or ExternalIdentity.objects.get().subject == "subject-alice"


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "x",
        "A" * 300_000,
        "PGEvPg==",
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(WITH_ENTITY).decode(),
    ],
)
def test_what_is_no_response_is_refused_and_no_failure_of_ours(provider: IdentityProvider, junk: str) -> None:
    assert Browser().post(junk).status_code == 401


def test_the_metadata_is_signed_and_names_our_addresses(provider: IdentityProvider) -> None:
    answer = Client().get(f"{DOOR}/metadata/")
    assert answer["Content-Type"] == "application/samlmetadata+xml"
    text = answer.content.decode()
    assert f"{DOOR}/acs/" in text
    assert "Signature" in text
    assert 'WantAssertionsSigned="true"' in text
    assert "PRIVATE KEY" not in text


def test_an_owner_connects_a_provider_on_its_page_and_downloads_our_metadata(acme: Tenant, idp: str) -> None:
    owner = browser_of(member(acme, "olga", roles=[Role.OWNER]))
    form = {"kind": "saml", "name": "entra", "metadata": requests.get(f"{idp}/metadata", timeout=10).text}
    assert owner.post("/identity-providers/", form).status_code == 302
    here = "/sso/acme/entra/saml/metadata/"
    assert here in page(owner.get("/identity-providers/")).addresses
    assert Client().get(here)["Content-Type"] == "application/samlmetadata+xml"


@pytest.mark.parametrize("metadata", ["", "<a/>", "not xml", "<!DOCTYPE a><a/>", "x" * 300_000])
def test_metadata_that_describes_no_provider_is_refused(acme: Tenant, metadata: str) -> None:
    with in_tenant(acme), pytest.raises(ProviderRefused):
        saml.create_saml_provider(
            tenant=acme,
            name="okta",
            title="",
            metadata=metadata,
            group_claim="groups",
            group_map={},
            default_roles=[],
            by_label="olga",
            now=NOW,
        )
