"""`/prompts/`: what a hook posts, and who may read it how exactly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.kinds import EventKind
from audit.models import Event, Prompt
from audit.selectors import facts_of
from gateway.identity.models import Agent, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import api_of, is_problem
from tests.people import member
from tests.story import SECRET, Story
from tests.ui.browsing import browser_of

BODY = {"text": f"deploy with {SECRET}\n", "conversation": "conv-9", "generation": "gen-1"}


def test_a_hook_records_the_words_and_gets_the_masked_copy(acme: Tenant, alice: User, billing_agent: Agent) -> None:
    api = api_of(acme, alice, Right.PROMPTS_WRITE)
    answer = api.post("prompts/", BODY | {"agent": str(billing_agent.pk)})
    assert answer.status_code == 201
    told = answer.json()
    assert SECRET not in answer.content.decode()
    assert (told["person"], told["agent_label"], told["characters"]) == (
        str(alice.pk),
        "billing-agent",
        len(BODY["text"]),
    )
    event = Event.objects.for_tenant(acme).get(kind=EventKind.PROMPT_RECORDED)
    assert event.subject == Prompt.objects.for_tenant(acme).get().pk


def test_the_same_generation_with_other_words_is_a_conflict(acme: Tenant, alice: User) -> None:
    api = api_of(acme, alice, Right.PROMPTS_WRITE)
    first = api.post("prompts/", BODY)
    assert api.post("prompts/", BODY).json()["id"] == first.json()["id"]
    assert is_problem(api.post("prompts/", BODY | {"text": "something else"}), 409, "prompt.conflict")


def test_nobody_speaks_as_another_persons_agent(acme: Tenant, billing_agent: Agent, bob: User) -> None:
    api = api_of(acme, None, Right.PROMPTS_WRITE)
    answer = api.post("prompts/", BODY | {"agent": str(billing_agent.pk)})
    assert is_problem(answer, 403, "identity.right_missing")


def test_an_agent_of_another_tenant_is_unknown(globex: Tenant, billing_agent: Agent) -> None:
    answer = api_of(globex, None, Right.PROMPTS_WRITE).post("prompts/", BODY | {"agent": str(billing_agent.pk)})
    assert is_problem(answer, 404, "identity.agent_unknown")


def test_lists_show_the_masked_words_of_one_conversation(story: Story) -> None:
    api = api_of(story.tenant, None, Right.SESSIONS_READ)
    assert [one["id"] for one in api.get("prompts/", conversation="conv-1").json()["items"]] == [str(story.prompt.pk)]
    assert api.get("prompts/", conversation="another").json()["items"] == []
    assert SECRET not in api.get(f"prompts/{story.prompt.pk}/").content.decode()


@pytest.fixture
def auditor(acme: Tenant) -> User:
    return member(acme, "ada", roles=[Role.AUDITOR])


def test_the_exact_words_need_their_own_right_and_leave_an_event(story: Story, auditor: User) -> None:
    path = f"prompts/{story.prompt.pk}/exact/"
    assert is_problem(api_of(story.tenant, None, Right.SESSIONS_READ).get(path), 403, "identity.right_missing")
    answer = browser_of(auditor).get(f"/api/v1/{path}")
    assert SECRET in answer.json()["text"]
    assert answer["Cache-Control"] == "no-store"
    event = Event.objects.for_tenant(story.tenant).get(kind=EventKind.EVIDENCE_READ)
    told = facts_of(event)
    assert (event.subject, told["what"], told["proof"]) == (story.prompt.pk, "prompt", "password+totp")


def test_the_exact_words_need_a_fresh_proof(story: Story, auditor: User) -> None:
    stale = browser_of(auditor, signed_in_at=timezone.now() - timedelta(minutes=16))
    answer = stale.get(f"/api/v1/prompts/{story.prompt.pk}/exact/")
    assert is_problem(answer, 403, "identity.proof_too_old")
    assert SECRET not in answer.content.decode()


@pytest.mark.parametrize(("is_allowed", "is_bound"), [(False, True), (True, False), (True, True)])
def test_a_key_reads_them_only_for_its_person_where_keys_may_vote(
    story: Story, auditor: User, is_allowed: bool, is_bound: bool
) -> None:
    with in_tenant(story.tenant):
        Tenant.objects.filter(pk=story.tenant.pk).update(keys_may_vote=is_allowed)
    api = api_of(story.tenant, auditor if is_bound else None, Right.PROMPTS_READ)
    answer = api.get(f"prompts/{story.prompt.pk}/exact/")
    if is_allowed and is_bound:
        assert SECRET in answer.json()["text"]
        (event,) = Event.objects.for_tenant(story.tenant).filter(kind=EventKind.EVIDENCE_READ)
        assert facts_of(event)["proof"] == "api-key"
        return
    assert is_problem(answer, 403, "identity.key_proves_nobody")


def test_another_tenants_prompt_is_not_there(story: Story, globex: Tenant) -> None:
    api = api_of(globex, None, *Right)
    assert is_problem(api.get(f"prompts/{story.prompt.pk}/"), 404, "prompt.not_found")
    stranger = browser_of(member(globex, "gina", roles=[Role.OWNER]))
    assert is_problem(stranger.get(f"/api/v1/prompts/{story.prompt.pk}/exact/"), 404, "prompt.not_found")
