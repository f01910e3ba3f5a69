"""`/sessions/` and the timeline: prompts beside calls, and the page's cost and trace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from audit.kinds import EventKind
from audit.models import Event
from audit.selectors import facts_of
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import api_of, is_problem
from tests.story import SECRET, Story, Teller, queries

READER = (Right.SESSIONS_READ, Right.REQUESTS_READ)


def test_a_session_says_who_where_and_how_much(story: Story) -> None:
    api = api_of(story.tenant, None, *READER)
    (told,) = api.get("sessions/").json()["items"]
    assert told == api.get(f"sessions/{story.session.pk}/").json()
    assert (told["person_label"], told["agent_label"], told["connection_label"]) == (
        "alice",
        "billing-agent",
        "billing",
    )
    assert (told["calls"], told["refused"], told["held"]) == (3, 1, 1)


def test_the_timeline_shows_calls_under_their_prompt_oldest_first(story: Story) -> None:
    told = api_of(story.tenant, None, *READER).get(f"sessions/{story.session.pk}/timeline/").json()
    (turn,) = told["turns"]
    assert turn["prompt"]["id"] == str(story.prompt.pk)
    assert [call["request"]["operation"] for call in turn["calls"]] == [
        "GetSecretValue",
        "DeleteBucket",
        "TerminateInstances",
    ]
    assert SECRET not in str(told)


def test_a_call_is_told_whole(story: Story) -> None:
    told = api_of(story.tenant, None, *READER).get(f"sessions/{story.session.pk}/timeline/").json()
    read, refused, held = told["turns"][0]["calls"]
    assert "[masked:password:0f]" in read["masked_response"]["text"]
    assert read["masked_request"] is None
    assert (refused["request"]["effect"], refused["request"]["rule_ids"]) == ("deny", ["destroys.buckets"])
    assert held["approval"]["state"] == "pending"
    # What an approver reads escaped is escaped here too.
    assert "\u202e" not in str(held["approval"]["parameters"])


def test_reading_a_timeline_is_an_event(story: Story) -> None:
    api_of(story.tenant, None, *READER).get(f"sessions/{story.session.pk}/timeline/")
    event = Event.objects.for_tenant(story.tenant).get(kind=EventKind.EVIDENCE_READ)
    assert (event.session_id, facts_of(event)["what"]) == (story.session.pk, "timeline")


def test_the_timeline_needs_the_right_to_read_requests_too(story: Story) -> None:
    answer = api_of(story.tenant, None, Right.SESSIONS_READ).get(f"sessions/{story.session.pk}/timeline/")
    assert is_problem(answer, 403, "identity.right_missing")


def test_another_tenants_session_is_not_there(story: Story, globex: Tenant) -> None:
    api = api_of(globex, None, *Right)
    assert is_problem(api.get(f"sessions/{story.session.pk}/"), 404, "api.not_found")
    assert is_problem(api.get(f"sessions/{story.session.pk}/timeline/"), 404, "api.not_found")
    assert api.get("sessions/").json()["items"] == []


def all_pages(api: Any, path: str, limit: int) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        page = api.get(path, limit=limit, **({"cursor": cursor} if cursor else {})).json()
        found.extend(page["items"])
        cursor = page["next"]
        if cursor is None:
            return found


def test_pages_follow_each_other_without_gap_or_double(teller: Teller) -> None:
    now = timezone.now()
    with in_tenant(teller.tenant):
        # Two of them at the same moment: the id breaks the tie.
        made = [teller.session(f"conv-{n}", now - timedelta(seconds=n // 2)) for n in range(9)]
    found = all_pages(api_of(teller.tenant, None, *READER), "sessions/", limit=2)
    assert {one["id"] for one in found} == {str(one.pk) for one in made}
    assert len(found) == 9
    assert [one["last_at"] for one in found] == sorted((one["last_at"] for one in found), reverse=True)


def test_a_timelines_pages_reach_every_call(story: Story, teller: Teller) -> None:
    api = api_of(story.tenant, None, *READER)
    path, seen, cursor = f"sessions/{story.session.pk}/timeline/", [], None
    for _ in range(3):
        page = api.get(path, limit=1, **({"cursor": cursor} if cursor else {})).json()
        seen += [call["request"]["operation"] for turn in page["turns"] for call in turn["calls"]]
        cursor = page["next"]
    assert seen == ["TerminateInstances", "DeleteBucket", "GetSecretValue"]
    assert cursor is None


def test_a_prompt_no_call_followed_is_shown_where_it_was_spoken(story: Story, teller: Teller) -> None:
    with in_tenant(teller.tenant):
        teller.prompt("never mind", conversation="conv-1", generation="gen-2", now=timezone.now())
    told = api_of(story.tenant, None, *READER).get(f"sessions/{story.session.pk}/timeline/").json()
    assert [len(turn["calls"]) for turn in told["turns"]] == [3, 0]


def test_a_timeline_costs_the_same_queries_however_long(story: Story, teller: Teller) -> None:
    api = api_of(story.tenant, None, *READER)
    path = f"sessions/{story.session.pk}/timeline/"
    api.get(path)
    with queries() as few:
        api.get(path)
    with in_tenant(teller.tenant):
        for n in range(40):
            prompt = teller.prompt(f"and then {n}", conversation="conv-1", generation=f"g{n}", now=timezone.now())
            call = teller.call(story.session, prompt, at=timezone.now(), approval_id=story.approval.pk)
            teller.recorded(call, "request", b"{}")
    with queries() as many:
        assert len(api.get(path).json()["turns"]) == 41
    assert len(many) == len(few)
    assert len(few) <= 24
