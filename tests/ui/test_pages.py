"""The pages: who sees what, that nothing hidden shows as text, and that the strict policy holds."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from audit.kinds import EventKind
from audit.models import Event
from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.policy.models import Revision
from gateway.policy.packs import packs
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.people import member
from tests.story import HIDDEN, SECRET, Story, Teller, queries
from tests.ui.browsing import browser_of, page

PATHS = ["/sessions/", "/approvals/", "/connections/", "/policies/", "/events/"]
RULES = '@id("reads")\npermit (principal, action in Action::"class:Read", resource);\n'


@pytest.fixture
def admin(acme: Tenant) -> User:
    return member(acme, "olga", roles=[Role.OWNER])


@pytest.fixture
def auditor(acme: Tenant) -> User:
    return member(acme, "ada", roles=[Role.AUDITOR])


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_sent_to_the_door_and_back_afterwards(path: str) -> None:
    answer = Client().get(path, {"cursor": "x"})
    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={path.replace('/', '%2F')}%3Fcursor%3Dx")


@pytest.mark.parametrize("path", ["/policies/", "/events/", "/connections/"])
def test_a_person_without_the_right_is_told_which(bob: User, path: str) -> None:
    answer = browser_of(bob).get(path)
    assert answer.status_code == 403
    assert "identity.right_missing" in page(answer).text


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_for_people_and_no_key_opens_one(acme: Tenant, path: str) -> None:
    from gateway.tenants.rights import Right
    from tests.people import api_key_of

    key = api_key_of(acme, None, *Right)[1]
    assert Client(headers={"authorization": f"Bearer {key}"}).get(path).status_code == 302


def everything(story: Story) -> list[str]:
    return [*PATHS, f"/sessions/{story.session.pk}/", f"/approvals/{story.approval.pk}/", "/api/docs/"]


def test_no_page_carries_inline_script_or_style_or_an_address_elsewhere(story: Story, admin: User) -> None:
    client = browser_of(admin)
    for path in [*everything(story), f"/connections/{story.session.connection_id}/"]:
        answer = client.get(path)
        assert answer.status_code == 200, path
        told = page(answer)
        assert told.inline == [], path
        assert all(address.startswith(("/", "#", "?")) for address in told.addresses), path
        assert "'unsafe" not in answer["Content-Security-Policy"]
        assert answer["X-Frame-Options"] == "DENY"


def test_no_page_shows_a_hidden_character_or_lets_markup_through(story: Story, admin: User) -> None:
    client = browser_of(admin)
    for path in everything(story):
        html = client.get(path).content.decode()
        assert "\u202e" not in html
        assert "\u200b" not in html
        assert "<script>alert" not in html
        assert HIDDEN not in html
        assert SECRET not in html
    assert "i-0abc\\u{202e}txt.exe" in page(client.get(f"/approvals/{story.approval.pk}/")).text


def test_the_timeline_tells_a_call_whole(story: Story, auditor: User) -> None:
    told = page(browser_of(auditor).get(f"/sessions/{story.session.pk}/")).text
    for words in (
        "Clean up the old billing instances",
        "GetSecretValue",
        "1 password masked",
        "[masked:password:0f]",
        "destroys.buckets",
        "Empty the bucket's prefix instead.",
        "waiting for approval",
        "bound to the conversation",
        "f3a1c2d4-aws",
        f"line {story.read.event_sequence}",
        str(story.read.pk),
    ):
        assert words in told


def test_reading_a_timeline_and_the_ledger_leaves_events(story: Story, auditor: User) -> None:
    client = browser_of(auditor)
    client.get(f"/sessions/{story.session.pk}/")
    client.get("/events/")
    with in_tenant(story.tenant):
        subjects = Event.objects.for_tenant(story.tenant).filter(kind=EventKind.EVIDENCE_READ).order_by("sequence")
        assert list(subjects.values_list("subject", flat=True)) == [story.session.pk, story.tenant.pk]


@pytest.mark.parametrize("path", ["sessions/{session}/", "approvals/{approval}/", "sessions/{session}/pulse/"])
def test_another_tenants_things_are_not_there(story: Story, globex: Tenant, path: str) -> None:
    stranger = member(globex, "gustav", roles=[Role.OWNER])
    answer = browser_of(stranger).get("/" + path.format(session=story.session.pk, approval=story.approval.pk))
    assert answer.status_code == 404


def test_a_pulse_changes_when_the_session_does_and_leaves_no_event(story: Story, auditor: User, teller: Teller) -> None:
    client = browser_of(auditor)
    path = f"/sessions/{story.session.pk}/pulse/"
    before = client.get(path).json()
    assert client.get(path).json() == before
    with in_tenant(story.tenant):
        story.held.state = "completed"
        story.held.save()
    assert client.get(path).json() != before
    with in_tenant(story.tenant):
        assert not Event.objects.for_tenant(story.tenant).filter(kind=EventKind.EVIDENCE_READ).exists()


@pytest.mark.parametrize("path", ["/sessions/", "/approvals/", "/events/"])
def test_lists_cost_the_same_queries_however_long(story: Story, admin: User, teller: Teller, path: str) -> None:
    client = browser_of(admin)
    client.get(path)
    with queries() as few:
        client.get(path)
    with in_tenant(story.tenant):
        for n in range(20):
            teller.session(f"more-{n}", story.held.received_at)
            teller.prompt("more", conversation=f"more-{n}", generation="g", now=story.held.received_at)
    with queries() as many:
        client.get(path)
    assert len(many) == len(few)


def test_an_account_is_added_and_its_trust_policy_shown(
    acme: Tenant, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOPWEB_AWS_PRINCIPAL_ARN", "arn:aws:iam::999999999999:role/hoopweb")
    client = browser_of(admin)
    form = {
        "name": "staging",
        "account_id": "210987654321",
        "role_arn": "arn:aws:iam::210987654321:role/hoopweb",
        "regions": "eu-central-1, us-east-1",
    }
    answer = client.post("/connections/", form)
    with in_tenant(acme):
        made = Connection.objects.for_tenant(acme).get()
    assert answer["Location"] == f"/connections/{made.pk}/"
    told = page(client.get(answer["Location"])).text
    assert made.external_id in told
    assert '"sts:ExternalId"' in told
    refused = client.post("/connections/", form | {"name": "Bad Name"})
    assert refused.status_code == 400
    assert "lower-case letters" in page(refused).text
    # What was typed is still there to be mended.
    assert b"Bad Name" in refused.content


def test_a_stand_in_is_named_as_one(story: Story, admin: User, settings: Any) -> None:
    client = browser_of(admin)
    path = f"/connections/{story.session.connection_id}/"
    assert "stand-in" not in page(client.get(path)).text
    settings.UPSTREAM_AWS_URL = "http://127.0.0.1:1"
    assert "does not enforce trust policies" in page(client.get(path)).text


def test_the_external_id_shows_only_to_those_who_may_change_connections(story: Story, auditor: User) -> None:
    html = browser_of(auditor).get(f"/connections/{story.session.connection_id}/").content.decode()
    assert "hoopweb-billing" not in html


def test_a_policy_is_published_from_the_page(acme: Tenant, admin: User) -> None:
    client = browser_of(admin)
    answer = client.post("/policies/", {"text": RULES.replace("\n", "\r\n"), "packs": ["credential-minting"]})
    assert answer.status_code == 302
    with in_tenant(acme):
        made = Revision.objects.for_tenant(acme).get()
    assert (made.text, made.packs, made.published_by) == (RULES, ["credential-minting"], "olga")
    assert "revision 1" in page(client.get("/policies/")).text
    assert "As compiled" in page(client.get(f"/policies/revisions/{made.pk}/")).text


def test_the_policy_page_tells_what_each_pack_does(acme: Tenant, admin: User) -> None:
    text = page(browser_of(admin).get("/policies/")).text
    for each in packs():
        assert each.summary[:60] in text
        assert all(rule.id in text and rule.advice[:60] in text for rule in each.rules)


def test_a_policy_with_a_fault_comes_back_with_the_fault_and_the_text(acme: Tenant, admin: User) -> None:
    answer = browser_of(admin).post("/policies/", {"text": "permit (principal, action, resource);"})
    assert answer.status_code == 422
    told = page(answer)
    assert "policy was not published" in told.text
    assert "permit (principal, action, resource);" in told.text
    with in_tenant(acme):
        assert not Revision.objects.for_tenant(acme).exists()


def test_a_reader_of_policy_gets_no_form(acme: Tenant, auditor: User) -> None:
    client = browser_of(auditor)
    assert b"<textarea" not in client.get("/policies/").content
    assert client.post("/policies/", {"text": RULES}).status_code == 403


@pytest.mark.django_db
def test_an_unknown_page_is_a_page(client: Client) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert "There is nothing here" in page(answer).text
