"""Voting on the page: a signed-in person, a form with its token, and never a GET."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest, Vote
from gateway.identity.models import Membership, User
from gateway.tenants.scope import in_tenant
from tests.identity.test_members import events
from tests.story import Story
from tests.ui.browsing import browser_of, page


def state(story: Story) -> str:
    with in_tenant(story.tenant):
        return str(ApprovalRequest.objects.for_tenant(story.tenant).get().state)


def path(story: Story) -> str:
    return f"/approvals/{story.approval.pk}/"


@pytest.mark.parametrize(("answer", "becomes"), [("approve", "granted"), ("refuse", "refused")])
def test_an_approver_answers_with_a_reason(story: Story, bob: User, answer: str, becomes: str) -> None:
    client = browser_of(bob)
    got = client.post(path(story), {"answer": answer, "reason": " as planned "})
    assert (got.status_code, got["Location"]) == (302, path(story))
    assert state(story) == becomes
    with in_tenant(story.tenant):
        vote = Vote.objects.for_tenant(story.tenant).get()
    assert (vote.voter_id, vote.reason, vote.api_key_id) == (bob.pk, "as planned", None)
    told = page(client.get(path(story)))
    assert "“as planned”" in told.text
    assert "Approve this call" not in told.text


def test_the_ledger_tells_by_what_proof_the_voter_was_there(story: Story, bob: User) -> None:
    browser_of(bob).post(path(story), {"answer": "approve"})
    (voted,) = events(story.tenant, "approval.voted")
    assert voted["data"]["proof"] == "password+totp"
    assert 0 <= voted["data"]["proof_age_seconds"] < 60


def test_no_get_votes(story: Story, bob: User) -> None:
    browser_of(bob).get(path(story), {"answer": "approve", "reason": "x"})
    assert state(story) == "pending"


def test_a_vote_needs_the_forms_token(story: Story, bob: User) -> None:
    got = browser_of(bob, enforce_csrf=True).post(path(story), {"answer": "approve"})
    assert got.status_code == 403
    assert state(story) == "pending"


def test_a_browser_left_open_too_long_must_sign_in_again(story: Story, bob: User) -> None:
    client = browser_of(bob, signed_in_at=timezone.now() - timedelta(minutes=16))
    got = client.post(path(story), {"answer": "approve"})
    assert (got.status_code, got["Location"]) == (302, f"/prove/?next=%2Fapprovals%2F{story.approval.pk}%2F")
    assert state(story) == "pending"


def test_a_session_that_does_not_know_when_it_began_may_not_vote(story: Story, bob: User) -> None:
    client = browser_of(bob)
    session = client.session
    del session["sign_ins"]
    session.save()
    assert client.post(path(story), {"answer": "approve"})["Location"].startswith("/sign-in/")
    assert state(story) == "pending"


def test_the_asker_sees_why_he_has_no_form_and_cannot_post_around_it(story: Story, alice: User) -> None:
    with in_tenant(story.tenant):
        Membership.objects.for_tenant(story.tenant).filter(user=alice).update(roles=["approver"], groups=["operators"])
    client = browser_of(alice)
    told = page(client.get(path(story)))
    assert "another person must answer" in told.text
    assert "Approve this call" not in told.text
    assert client.post(path(story), {"answer": "approve"}).status_code == 409
    assert state(story) == "pending"


def test_a_reader_without_the_right_to_vote_has_no_form(story: Story, alice: User) -> None:
    client = browser_of(alice)
    assert "Approve this call" not in page(client.get(path(story))).text
    assert client.post(path(story), {"answer": "approve"}).status_code == 403


@pytest.mark.parametrize("form", [{}, {"answer": "yes"}, {"answer": "approve", "reason": "x" * 2001}])
def test_a_malformed_vote_is_no_vote(story: Story, bob: User, form: dict[str, str]) -> None:
    assert browser_of(bob).post(path(story), form).status_code == 400
    assert state(story) == "pending"


def test_the_inbox_lists_what_waits_first_and_the_badge_counts_it(story: Story, bob: User) -> None:
    client = browser_of(bob)
    before = client.get("/approvals/")
    assert 'class="badge"' in before.content.decode()
    assert page(before).text.index("TerminateInstances") < page(before).text.index("Decided")
    client.post(path(story), {"answer": "refuse"})
    after = client.get("/approvals/")
    assert 'class="badge"' not in after.content.decode()
    assert page(after).text.index("TerminateInstances") > page(after).text.index("Decided")


def test_an_expired_request_waits_no_longer_though_nobody_has_swept_it(story: Story, bob: User) -> None:
    with in_tenant(story.tenant):
        ApprovalRequest.objects.for_tenant(story.tenant).update(expires_at=timezone.now() - timedelta(seconds=1))
    client = browser_of(bob)
    assert "Approve this call" not in page(client.get(path(story))).text
    assert client.post(path(story), {"answer": "approve"}).status_code == 409
    inbox = page(client.get("/approvals/")).text
    assert inbox.index("TerminateInstances") > inbox.index("Decided")
