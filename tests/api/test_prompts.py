"""`/prompts/`: what a hook posts, and who may read it how exactly."""

from __future__ import annotations

from audit.kinds import EventKind
from audit.models import Event, Prompt
from audit.selectors import facts_of
from gateway.identity.models import Agent, User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from tests.api.asking import api_of, is_problem
from tests.story import SECRET, Story

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


def test_the_exact_words_need_their_own_right_and_leave_an_event(story: Story) -> None:
    path = f"prompts/{story.prompt.pk}/exact/"
    assert is_problem(api_of(story.tenant, None, Right.SESSIONS_READ).get(path), 403, "identity.right_missing")
    answer = api_of(story.tenant, None, Right.PROMPTS_READ).get(path)
    assert SECRET in answer.json()["text"]
    assert answer["Cache-Control"] == "no-store"
    event = Event.objects.for_tenant(story.tenant).get(kind=EventKind.EVIDENCE_READ)
    assert (event.subject, facts_of(event)["what"]) == (story.prompt.pk, "prompt")


def test_another_tenants_prompt_is_not_there(story: Story, globex: Tenant) -> None:
    api = api_of(globex, None, *Right)
    assert is_problem(api.get(f"prompts/{story.prompt.pk}/"), 404, "prompt.not_found")
    assert is_problem(api.get(f"prompts/{story.prompt.pk}/exact/"), 404, "prompt.not_found")
