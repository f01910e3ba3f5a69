"""`/approvals/`: what an approver reads, and how a vote is cast."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest
from audit.kinds import EventKind
from audit.models import Event
from gateway.identity.models import User
from gateway.tenants.models import OutboxMessage, Tenant
from gateway.tenants.rights import Right
from tests.api.asking import Api, api_of, is_problem
from tests.story import HIDDEN, SECRET, Story
from tests.ui.browsing import browser_of

YES = {"answer": "approve", "reason": "planned"}


@pytest.fixture
def bobs(story: Story, bob: User) -> Api:
    """Bob's own key, in a tenant that lets keys vote."""
    story.tenant.keys_may_vote = True
    story.tenant.save()
    return api_of(story.tenant, bob, Right.APPROVALS_READ, Right.APPROVALS_VOTE)


def test_an_approver_sees_the_whole_call_with_nothing_hidden(bobs: Api, story: Story) -> None:
    answer = bobs.get(f"approvals/{story.approval.pk}/")
    told = answer.json()
    assert HIDDEN not in str(told)
    assert told["parameters"]["InstanceIds"][0].startswith("i-0abc\\u{202e}txt.exe\\u{200b}")
    assert told["prompt_text"].startswith("Clean up the old billing instances\n")
    assert SECRET not in answer.content.decode()
    assert told["requirements"] == [{"rule_id": "terminate-asks", "approvers": "operators", "quorum": 1}]


def test_a_vote_opens_the_request_and_promises_the_run(bobs: Api, story: Story, bob: User) -> None:
    answer = bobs.post(f"approvals/{story.approval.pk}/votes/", YES)
    assert answer.status_code == 201
    assert answer.json()["state"] == "granted"
    (vote,) = answer.json()["votes"]
    # Evidence says that it was a key and not a signed-in person.
    assert (vote["voter"], vote["reason"]) == (str(bob.pk), "planned")
    assert vote["by_api_key"] is not None
    assert OutboxMessage.objects.for_tenant(story.tenant).get().subject == story.approval.pk
    assert Event.objects.for_tenant(story.tenant).filter(kind=EventKind.APPROVAL_GRANTED).exists()


def test_a_refusal_is_final(bobs: Api, story: Story) -> None:
    assert bobs.post(f"approvals/{story.approval.pk}/votes/", {"answer": "refuse"}).json()["state"] == "refused"
    assert is_problem(bobs.post(f"approvals/{story.approval.pk}/votes/", YES), 409, "approval.not_pending")


def test_the_asker_cannot_approve(story: Story, alice: User) -> None:
    story.tenant.keys_may_vote = True
    story.tenant.save()
    from gateway.identity.models import Membership

    Membership.objects.for_tenant(story.tenant).filter(user=alice).update(roles=["approver"], groups=["operators"])
    api = api_of(story.tenant, alice, Right.APPROVALS_VOTE)
    answer = api.post(f"approvals/{story.approval.pk}/votes/", YES)
    assert is_problem(answer, 409, "approval.approver_is_requester")


def test_where_the_tenant_does_not_allow_it_no_key_votes(story: Story, bob: User) -> None:
    api = api_of(story.tenant, bob, Right.APPROVALS_VOTE)
    assert is_problem(api.post(f"approvals/{story.approval.pk}/votes/", YES), 403, "approval.key_may_not_vote")
    assert ApprovalRequest.objects.for_tenant(story.tenant).get().state == "pending"


def test_reading_never_votes(bobs: Api, story: Story) -> None:
    assert is_problem(bobs.get(f"approvals/{story.approval.pk}/votes/"), 405, "api.method_not_allowed")
    bobs.get(f"approvals/{story.approval.pk}/", answer="approve")
    assert ApprovalRequest.objects.for_tenant(story.tenant).get().state == "pending"


@pytest.mark.parametrize(
    "body", [{}, {"answer": "yes"}, {"answer": "approve", "reason": 5 * ["x"]}, {"answer": "approve", "force": True}]
)
def test_a_malformed_vote_is_no_vote(bobs: Api, story: Story, body: dict[str, object]) -> None:
    assert is_problem(bobs.post(f"approvals/{story.approval.pk}/votes/", body), 400, "api.malformed")
    assert ApprovalRequest.objects.for_tenant(story.tenant).get().state == "pending"


def test_another_tenants_approver_finds_nothing(story: Story, globex: Tenant, mallory: User) -> None:
    globex.keys_may_vote = True
    globex.save()
    api = api_of(globex, mallory, Right.APPROVALS_READ, Right.APPROVALS_VOTE)
    assert is_problem(api.get(f"approvals/{story.approval.pk}/"), 404, "approval.not_found")
    assert is_problem(api.post(f"approvals/{story.approval.pk}/votes/", YES), 404, "approval.not_found")
    assert api.get("approvals/").json()["items"] == []


@pytest.mark.parametrize(("state", "count"), [("pending", 1), ("granted", 0)])
def test_the_list_filters_by_state(bobs: Api, state: str, count: int) -> None:
    assert len(bobs.get("approvals/", state=state).json()["items"]) == count


def test_a_browsers_session_votes_over_rest_only_with_its_token_and_a_fresh_sign_in(story: Story, bob: User) -> None:
    path = f"/api/v1/approvals/{story.approval.pk}/votes/"
    tokenless = browser_of(bob, enforce_csrf=True).post(path, YES, content_type="application/json")
    assert is_problem(tokenless, 403, "api.csrf_refused")
    stale = browser_of(bob, signed_in_at=timezone.now() - timedelta(minutes=16))
    assert is_problem(stale.post(path, YES, content_type="application/json"), 403, "approval.sign_in_too_old")
    client = browser_of(bob, enforce_csrf=True)
    client.get(f"/approvals/{story.approval.pk}/")
    token = client.cookies["csrftoken"].value
    answer = client.post(path, YES, content_type="application/json", headers={"X-CSRFToken": token})
    assert answer.status_code == 201
    assert answer.json()["votes"][0]["by_api_key"] is None
