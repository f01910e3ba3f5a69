"""Who reads which notice, by API and page; what is new to one is not therefore old to another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from approvals.notify.kinds import RULES
from approvals.notify.models import NoticeChannel
from audit.kinds import EventKind
from audit.services import append
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role, rights_of
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.approvals.asking import Asking
from tests.approvals.notify.receiving import Receiver
from tests.approvals.notify.telling import followed, notices
from tests.approvals.notify.test_following import LEAST, told
from tests.people import api_key_of, member
from tests.ui.browsing import browser_of, page


def titles(api: Api) -> list[str]:
    return [one["title"] for one in api.get("notices/").json()["items"]]


def test_only_those_who_are_asked_read_that_an_approval_waits(
    acme: Tenant, asking: Asking, bob: User, olgas: Api
) -> None:
    dan = member(acme, "dan", roles=[Role.APPROVER], groups=["security"])
    asking.open(now=datetime.now(UTC))
    followed(acme)
    assert len(titles(api_of(acme, bob, *Right))) == 1
    assert titles(api_of(acme, dan, *Right)) == []
    assert titles(olgas) == []


def test_a_person_reads_what_is_about_himself_whatever_his_rights(acme: Tenant, alice: User, bob: User) -> None:
    key, _ = api_key_of(acme, alice, Right.AGENTS_READ)
    with in_tenant(acme):
        data = {"name": "a test's key", "user": "alice", "expires_at": "2026-12-01T10:00:00+00:00"}
        append(tenant_id=acme.pk, kind=EventKind.API_KEY_ENDING, at=datetime.now(UTC), subject=key.pk, data=data)
    followed(acme)
    assert len(titles(api_of(acme, alice, Right.AGENTS_READ))) == 1
    assert titles(api_of(acme, bob, Right.APPROVALS_READ)) == []


@pytest.mark.parametrize("role", Role)
def test_each_role_reads_the_kinds_its_rights_open(acme: Tenant, role: Role) -> None:
    for rule in RULES.values():
        event = sorted(rule.events)[0]
        if not event.value.startswith("approval."):
            told(acme, event, **LEAST.get(event, {}))
    followed(acme)
    person = member(acme, "one", roles=[role])
    read = {one["kind"] for one in api_of(acme, person, *Right).get("notices/").json()["items"]}
    opened = rights_of([role])
    there = {notice.kind for notice in notices(acme)}
    assert read == {kind for kind, rule in RULES.items() if rule.right in opened} & there


def test_a_neighbour_reads_nothing_of_it(acme: Tenant, globex: Tenant) -> None:
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    followed(acme)
    trudy = api_of(globex, member(globex, "trudy", roles=list(Role)), *Right)
    assert titles(trudy) == []


def test_the_page_counts_what_is_new_until_it_is_marked_seen(acme: Tenant, olgas: Api) -> None:
    ada = browser_of(member(acme, "ada", roles=[Role.AUDITOR]))
    eve = browser_of(member(acme, "eve", roles=[Role.AUDITOR]))
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    followed(acme)
    shown = ada.get("/notices/")
    assert "olga came in past" in page(shown).text
    assert shown.context["unseen_notices"] == 1
    (until,) = [notice.noticed_at.isoformat() for notice in notices(acme)]
    assert ada.post("/notices/", {"until": until}).status_code == 302
    assert ada.get("/sessions/").context["unseen_notices"] == 0
    assert eve.get("/sessions/").context["unseen_notices"] == 1


def test_nobody_marks_the_future_seen(acme: Tenant) -> None:
    ada = api_of(acme, member(acme, "ada", roles=[Role.AUDITOR]), *Right)
    ada.post("notices/seen/", {"until": (datetime.now(UTC) + timedelta(days=900)).isoformat()})
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    followed(acme)
    assert [one["is_seen"] for one in ada.get("notices/").json()["items"]] == [False]


@pytest.mark.parametrize("until", ["", "yesterday", "2026-13-45T00:00:00Z", "2026-11-01T00:00:00"])
def test_a_time_that_is_none_is_refused(acme: Tenant, until: str) -> None:
    ada = browser_of(member(acme, "ada", roles=[Role.AUDITOR]))
    assert ada.post("/notices/", {"until": until}).status_code == 400


def test_a_member_with_a_period_reads_the_notices_of_its_days_alone(acme: Tenant, olgas: Api) -> None:
    ada = member(acme, "ada", roles=[Role.AUDITOR])
    told(acme, EventKind.GLASS_BROKEN, user="olga")
    followed(acme)
    ends = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert olgas.post(f"members/{ada.pk}/period/", {"until": ends}).status_code == 200
    assert titles(api_of(acme, ada, *Right)) == []
    assert len(titles(olgas)) == 1


def test_a_channel_is_made_seen_tried_and_removed_on_pages(acme: Tenant, hook: Receiver) -> None:
    olga = browser_of(member(acme, "olga", roles=[Role.OWNER]))
    form = {"name": "pager", "way": "webhook", "target": hook.url, "kinds": ["kill_switch", "device"]}
    made = olga.post("/notices/channels/", form)
    assert "whsec_" in page(made).text
    assert "whsec_" not in page(olga.get("/notices/channels/")).text
    with in_tenant(acme):
        channel = NoticeChannel.objects.for_tenant(acme).get()
    here = f"/notices/channels/{channel.pk}/"
    assert olga.post(here, {"do": "test"}).status_code == 302
    assert "olga tries the channel pager" in page(olga.get(here)).text
    olga.post(here, {"do": "kinds", "kinds": ["finding"]})
    olga.post(here, {"do": "off"})
    with in_tenant(acme):
        channel = NoticeChannel.objects.for_tenant(acme).get()
    assert (channel.kinds, channel.is_enabled) == (["finding"], False)
    assert "whsec_" in page(olga.post(here, {"do": "secret"})).text
    assert olga.post(here, {"do": "what"}).status_code == 400
    assert olga.post(here, {"do": "remove"}).status_code == 302
    assert olga.get(here).status_code == 404


def test_a_wrong_form_is_shown_again_with_what_was_wrong(acme: Tenant) -> None:
    olga = browser_of(member(acme, "olga", roles=[Role.OWNER]))
    answer = olga.post("/notices/channels/", {"name": "x", "way": "webhook", "target": "https://127.0.0.1/"})
    assert answer.status_code == 400
    assert "does not dial" in page(answer).text


def test_channels_have_an_end_and_names_of_their_own(acme: Tenant, hook: Receiver, olgas: Api) -> None:
    body = {"way": "webhook", "target": hook.url, "kinds": ["device"]}
    for number in range(20):
        assert olgas.post("notice-channels/", {**body, "name": f"c{number}"}).status_code == 201
    assert is_problem(olgas.post("notice-channels/", {**body, "name": "one more"}), 409, "notice_channel.too_many")
    with in_tenant(acme):
        NoticeChannel.objects.for_tenant(acme).filter(name="c1").delete()
    assert is_problem(olgas.post("notice-channels/", {**body, "name": "c2"}), 409, "notice_channel.exists")


def test_that_a_channel_fails_cannot_be_sent_by_a_channel(acme: Tenant, hook: Receiver, olgas: Api) -> None:
    body = {"name": "x", "way": "webhook", "target": hook.url, "kinds": ["notice.undelivered"]}
    assert olgas.post("notice-channels/", body).status_code == 400
