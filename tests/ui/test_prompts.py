"""The prompt pages: what a prompt caused, the way back from any call, search, and reading the full words."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from audit.kinds import EventKind
from audit.models import ToolUse
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.identity.test_members import events
from tests.people import member
from tests.story import HIDDEN, SECRET, Story, Teller
from tests.ui.browsing import browser_of, page


@pytest.fixture
def auditor(acme: Tenant) -> User:
    return member(acme, "ada", roles=[Role.AUDITOR])


def path(story: Story) -> str:
    return f"/prompts/{story.prompt.pk}/"


def test_a_prompt_shows_all_it_caused_in_order(story: Story, auditor: User) -> None:
    told = page(browser_of(auditor).get(path(story))).text
    places = [told.index(word) for word in ("Clean up the old", "GetSecretValue", "DeleteBucket", "TerminateInstances")]
    assert places == sorted(places)
    # Decisions, approvals, and what was masked: counts by type, no value.
    assert "destroys.buckets" in told
    assert "terminate-asks" in told
    assert "Approval pending" in " ".join(told.split())
    assert "1 password" in told
    assert SECRET not in told
    assert HIDDEN not in told


def test_a_tool_call_stands_before_the_calls_it_made_with_its_command_masked(story: Story, auditor: User) -> None:
    with in_tenant(story.tenant):
        ToolUse.objects.create(
            tenant=story.tenant,
            prompt_id=story.prompt.pk,
            conversation="conv-1",
            generation="gen-1",
            name="toolu_1",
            tool="Bash",
            sealed_command=b"",
            sealed_salt=b"",
            masked_command="aws s3 rb s3://billing-archive # [REDACTED:aws-access-key-id]",
            commitment="0" * 64,
            began_at=story.refused.received_at,
        )
    told = page(browser_of(auditor).get(path(story))).text
    places = [told.index(word) for word in ("GetSecretValue", "aws s3 rb", "DeleteBucket")]
    assert places == sorted(places)


def test_counts_are_of_all_calls_whatever_page_is_shown(story: Story, teller: Teller, auditor: User) -> None:
    with in_tenant(story.tenant):
        for _ in range(60):
            masked = {"by_type": {"password": 2, "aws-key": 1}, "by_rule": {}}
            teller.call(story.session, story.prompt, at=story.held.received_at, masked=masked)
    client = browser_of(auditor)
    first = client.get(path(story))
    told = " ".join(page(first).text.split())
    assert "Calls63" in told.replace(" ", "")
    assert "121 password" in told
    assert "60 aws-key" in told
    (earlier,) = [one for one in page(first).addresses if "cursor=" in one]
    assert "GetSecretValue" in page(client.get(earlier)).text


def test_a_prompt_nothing_followed_says_so(story: Story, teller: Teller, auditor: User) -> None:
    with in_tenant(story.tenant):
        silent = teller.prompt("just talk", conversation="conv-1", generation="g", now=story.prompt.recorded_at)
    assert "No call to AWS followed" in page(browser_of(auditor).get(f"/prompts/{silent.pk}/")).text


@pytest.mark.parametrize("where", ["sessions", "approvals"])
def test_every_place_that_shows_a_call_leads_back_to_its_prompt(story: Story, auditor: User, where: str) -> None:
    subject = story.session if where == "sessions" else story.approval
    assert path(story) in page(browser_of(auditor).get(f"/{where}/{subject.pk}/")).addresses


def test_reading_a_prompt_with_its_calls_is_written_down(story: Story, auditor: User) -> None:
    browser_of(auditor).get(path(story))
    (event,) = events(story.tenant, EventKind.EVIDENCE_READ)
    assert event["data"] == {"by": "ada", "what": "prompt with its calls"}


def test_words_find_prompts_and_keep_standing_in_the_field(story: Story, auditor: User) -> None:
    client = browser_of(auditor)
    found = client.get("/prompts/", {"q": "billing inst"})
    assert path(story) in page(found).addresses
    assert 'value="billing inst"' in found.content.decode()
    assert "No prompt has these words" in page(client.get("/prompts/", {"q": "kubernetes"})).text
    assert path(story) in page(client.get("/prompts/")).addresses


@pytest.mark.parametrize("words", ["!!!", "x" * 300, "\0"])
def test_a_search_for_nothing_is_answered_on_the_page(story: Story, auditor: User, words: str) -> None:
    answer = browser_of(auditor).get("/prompts/", {"q": words})
    assert answer.status_code == 400
    assert "Prompts cannot be searched for that" in page(answer).text


def test_hostile_words_show_as_text(story: Story, auditor: User) -> None:
    html = browser_of(auditor).get("/prompts/", {"q": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert" not in html


def test_another_tenants_prompt_is_not_there(story: Story, globex: Tenant) -> None:
    stranger = browser_of(member(globex, "gina", roles=[Role.OWNER]))
    for answer in (stranger.get(path(story)), stranger.post(f"{path(story)}exact/")):
        assert answer.status_code == 404
    assert page(stranger.get("/prompts/", {"q": "billing"})).text.count("No prompt has these words") == 1


def test_a_prompt_of_nobody_is_a_404(acme: Tenant, auditor: User) -> None:
    assert browser_of(auditor).get(f"/prompts/{uuid4()}/").status_code == 404


def test_the_full_prompt_needs_its_own_right_and_each_reading_is_an_event(story: Story, auditor: User) -> None:
    client: Any = browser_of(auditor)
    assert client.get(f"{path(story)}exact/").status_code == 405
    read = client.post(f"{path(story)}exact/")
    assert SECRET in page(read).text
    assert read["Cache-Control"] == "no-store"
    client.post(f"{path(story)}exact/")
    read_events = [one for one in events(story.tenant, EventKind.EVIDENCE_READ) if one["data"]["what"] == "prompt"]
    assert [one["data"]["by"] for one in read_events] == ["ada", "ada"]


def test_an_approver_sees_the_masked_words_and_no_way_to_the_full_ones(story: Story, bob: User) -> None:
    client = browser_of(bob)
    told = client.get(path(story))
    assert "Read the full prompt" not in page(told).text
    refused = client.post(f"{path(story)}exact/")
    assert refused.status_code == 403
    assert SECRET not in refused.content.decode()
