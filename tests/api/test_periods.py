"""Auditors of a period, and operators of the vendor: what they see, how long, and that each step is an event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.kinds import EventKind
from audit.models import Prompt
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from hoopweb.reviews.models import OperatorAccess
from tests.api.asking import Api, api_of, is_problem
from tests.identity.test_members import events
from tests.people import member
from tests.story import Story, Teller
from tests.ui.browsing import browser_of, page

LISTS = ("prompts/", "requests/", "approvals/", "sessions/", "events/")


@pytest.fixture
def ada(acme: Tenant) -> User:
    return member(acme, "ada", roles=[Role.AUDITOR])


@pytest.fixture
def olgas(acme: Tenant) -> Api:
    return api_of(acme, member(acme, "olga", roles=[Role.OWNER]), *Right)


@pytest.fixture
def last_month(story: Story, teller: Teller) -> Story:
    """The story is of now; a prompt and a call of thirty days ago stand beside it."""
    then = timezone.now() - timedelta(days=30)
    with in_tenant(story.tenant):
        session = teller.session("conv-old", then)
        prompt = teller.prompt("billing of last month", conversation="conv-old", generation="g", now=then)
        teller.call(session, prompt, at=then)
    return story


def confine(olgas: Api, user: User, **period: Any) -> Any:
    return olgas.post(f"members/{user.pk}/period/", {name: at and at.isoformat() for name, at in period.items()})


@pytest.fixture
def past(olgas: Api, ada: User, last_month: Story) -> Story:
    """ada may see until yesterday; the story is of today."""
    assert confine(olgas, ada, until=timezone.now() - timedelta(days=1)).status_code == 200
    return last_month


def adas(story: Story, ada: User) -> Api:
    return api_of(story.tenant, ada, *(right for right in Right if right not in {Right.APPROVALS_VOTE}))


def test_lists_hold_only_what_lies_in_the_period(past: Story, ada: User) -> None:
    api = adas(past, ada)
    counts = {path: len(api.get(path).json()["items"]) for path in LISTS}
    assert counts == {"prompts/": 1, "requests/": 1, "approvals/": 0, "sessions/": 1, "events/": 1}
    assert [one["conversation"] for one in api.get("prompts/").json()["items"]] == ["conv-old"]


def test_what_lies_outside_is_not_there_by_its_id_either(past: Story, ada: User) -> None:
    api = adas(past, ada)
    for path in (
        f"prompts/{past.prompt.pk}/",
        f"requests/{past.read.pk}/",
        f"approvals/{past.approval.pk}/",
        f"sessions/{past.session.pk}/",
        f"sessions/{past.session.pk}/timeline/",
    ):
        assert api.get(path).status_code == 404, path


def test_a_search_finds_and_pages_within_the_period_alone(past: Story, ada: User) -> None:
    found = adas(past, ada).get("prompts/", q="billing", limit=1).json()
    assert ([one["conversation"] for one in found["items"]], found["next"]) == (["conv-old"], None)


def test_pages_keep_to_it_as_well(past: Story, ada: User) -> None:
    client = browser_of(ada)
    assert "Clean up" not in page(client.get("/prompts/")).text
    assert "last month" in page(client.get("/prompts/", {"q": "billing"})).text
    for path in (f"/prompts/{past.prompt.pk}/", f"/sessions/{past.session.pk}/", f"/approvals/{past.approval.pk}/"):
        assert client.get(path).status_code == 404, path
    assert client.post(f"/prompts/{past.prompt.pk}/exact/").status_code == 404


def test_no_proof_is_made_of_a_part_of_the_ledger(past: Story, ada: User) -> None:
    (event,) = adas(past, ada).get("events/").json()["items"]
    answer = adas(past, ada).get(f"events/{event['sequence']}/proof/")
    assert is_problem(answer, 403, "event.proof_outside_period")


def test_nobody_else_is_confined_by_it(past: Story, ada: User, olgas: Api) -> None:
    adas(past, ada).get("prompts/")
    assert len(olgas.get("prompts/").json()["items"]) == 2
    with in_tenant(past.tenant):
        assert Prompt.objects.for_tenant(past.tenant).count() == 2


def test_a_period_opens_at_its_beginning_and_is_lifted_again(past: Story, ada: User, olgas: Api) -> None:
    confine(olgas, ada, since=timezone.now() - timedelta(days=1))
    assert [one["conversation"] for one in adas(past, ada).get("prompts/").json()["items"]] == ["conv-1"]
    confine(olgas, ada)
    assert len(adas(past, ada).get("prompts/").json()["items"]) == 2
    told = [event["data"]["what"] for event in events(past.tenant, EventKind.PERIOD_SET)]
    assert told[0].startswith("until ")
    assert told[1].startswith("from ")
    assert told[2] == "no period"


def test_a_membership_whose_time_is_over_opens_nothing(past: Story, ada: User, olgas: Api, monkeypatch: Any) -> None:
    confine(olgas, ada, ends_at=timezone.now() + timedelta(hours=1))
    api, client = adas(past, ada), browser_of(ada)
    assert api.get("me/").status_code == 200
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr("hoopweb.period.timezone.now", lambda: later)
    assert is_problem(api.get("me/"), 403, "member.ended")
    assert "member.ended" in page(client.get("/sessions/")).text
    assert "member.ended" in page(client.post("/prove/")).text


@pytest.mark.parametrize(
    "period",
    [{"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, {"ends_at": "2020-01-01T00:00:00Z"}],
)
def test_what_is_no_period_is_refused(olgas: Api, ada: User, period: dict[str, str]) -> None:
    assert is_problem(olgas.post(f"members/{ada.pk}/period/", period), 400, "member.period_refused")


def test_nobody_sets_a_period_without_the_right_nor_his_own(acme: Tenant, ada: User, olgas: Api) -> None:
    security = member(acme, "oscar", roles=[Role.SECURITY_ADMIN])
    refused = api_of(acme, security, Right.AGENTS_READ).post(f"members/{ada.pk}/period/", {})
    assert is_problem(refused, 403, "identity.right_missing")
    olga = User.objects.get(username="olga")
    assert is_problem(olgas.post(f"members/{olga.pk}/period/", {}), 400, "member.period_refused")


def ask(tenant: Tenant, operator: str = "pat", hours: int = 2) -> None:
    call_command(
        "operator_access", "ask", tenant.slug, operator, "--hours", str(hours), "--reason", "ticket 7", stdout=_Out()
    )


class _Out:
    """What a command prints."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str, *_: Any) -> None:
        self.text += text


def key_of(tenant: Tenant) -> str:
    out = _Out()
    call_command("operator_access", "key", tenant.slug, "pat", stdout=out)
    return out.text.strip()


def test_an_operator_gets_in_only_by_the_tenants_word_and_for_the_hours_given(
    story: Story, olgas: Api, monkeypatch: Any
) -> None:
    acme = story.tenant
    ask(acme)
    with pytest.raises(CommandError, match="no such request"):
        key_of(acme)
    (asked,) = olgas.get("operator-access/").json()["items"]
    assert (asked["operator"], asked["reason"], asked["is_allowed"]) == ("pat", "ticket 7", None)
    assert olgas.post(f"operator-access/{asked['id']}/", {"is_allowed": True}).status_code == 200
    api = Api(key_of(acme))
    assert len(api.get("prompts/").json()["items"]) == 1
    # He reads masked words, as an auditor; the exact ones are the tenant's own people's.
    assert is_problem(api.get(f"prompts/{story.prompt.pk}/exact/"), 403, "identity.right_missing")
    api.get(f"sessions/{story.session.pk}/timeline/")
    assert events(acme, EventKind.EVIDENCE_READ)[-1]["data"]["by"] == "operator/pat@acme"
    later = timezone.now() + timedelta(hours=2, seconds=1)
    monkeypatch.setattr("hoopweb.period.timezone.now", lambda: later)
    assert is_problem(api.get("prompts/"), 401, "identity.key_refused")
    kinds = (EventKind.OPERATOR_ASKED, EventKind.OPERATOR_ANSWERED, EventKind.OPERATOR_KEY_ISSUED)
    assert [len(events(acme, kind)) for kind in kinds] == [1, 1, 1]


def test_an_operator_who_was_refused_gets_no_key_and_a_request_is_answered_once(acme: Tenant, olgas: Api) -> None:
    ask(acme)
    (asked,) = olgas.get("operator-access/").json()["items"]
    assert olgas.post(f"operator-access/{asked['id']}/", {"is_allowed": False}).json()["is_allowed"] is False
    with pytest.raises(CommandError, match="no such request"):
        key_of(acme)
    again = olgas.post(f"operator-access/{asked['id']}/", {"is_allowed": True})
    assert is_problem(again, 404, "operator_access.not_found")


@pytest.mark.parametrize(("operator", "hours"), [("pat", 0), ("pat", 13), ("pat/../olga", 1), ("", 1), ("x" * 61, 1)])
def test_an_operator_asks_for_hours_and_by_a_plain_name(acme: Tenant, operator: str, hours: int) -> None:
    with pytest.raises(CommandError, match="cannot ask"):
        ask(acme, operator, hours)
    assert OperatorAccess.objects.count() == 0
