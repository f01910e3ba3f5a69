"""Voting: who may answer, what an answer changes, and the events it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from approvals.models import ApprovalRequest, ApprovalState, Vote
from approvals.problems import (
    AlreadyVoted,
    ApprovalExpired,
    ApprovalNotFound,
    ApproverIsRequester,
    KeyMayNotVote,
    NotAnApprover,
    NotPending,
    ReasonRefused,
    SignInTooOld,
)
from approvals.services import vote
from gateway.identity.caller import Caller
from gateway.identity.models import Agent, GatewayKey, Membership, User
from gateway.identity.problems import RightMissing
from gateway.problems import Problem
from gateway.tenants.models import OutboxMessage, Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.approvals.asking import DIGEST, OPERATORS, SECURITY, TWO_OPERATORS, Asking, events_of, kinds_of, state_of
from tests.people import NOW, api_key_of, caller_of, gateway_key_of, member


def cast(approval: ApprovalRequest, caller: Caller, answer: str = "approve", **given: Any) -> ApprovalRequest:
    """One vote, in a transaction of the caller's tenant as the middleware opens it."""
    told: dict[str, Any] = {"reason": "planned", "now": NOW + timedelta(minutes=1)}
    with in_tenant(caller.tenant):
        return vote(tenant=caller.tenant, approval_id=approval.pk, caller=caller, answer=answer, **(told | given))


@contextmanager
def refused_with(problem: type[Problem], approval: ApprovalRequest) -> Iterator[None]:
    """The vote raises the problem, and changes nothing: no state, no vote, no event."""
    was, events = state_of(approval), kinds_of(approval.tenant)
    with in_tenant(approval.tenant_id):
        votes = Vote.objects.for_tenant(approval.tenant_id).count()
    with pytest.raises(problem):
        yield
    assert state_of(approval) == was
    assert kinds_of(approval.tenant) == events
    with in_tenant(approval.tenant_id):
        assert Vote.objects.for_tenant(approval.tenant_id).count() == votes


def test_one_approval_grants_where_one_is_enough(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = cast(asking.open(), caller_of(acme, bob))

    assert state_of(approval) == ApprovalState.GRANTED
    with in_tenant(acme):
        assert list(OutboxMessage.objects.values_list("kind", "subject")) == [("request.granted", approval.pk)]
        given = Vote.objects.get()
    assert (given.voter_id, given.answer, given.reason, given.groups) == (bob.pk, "approve", "planned", ["operators"])
    assert given.api_key_id is None
    _, voted, granted = events_of(acme)
    assert voted == (
        "approval.voted",
        approval.pk,
        {"voter": str(bob.pk), "vote": "approve", "reason": "planned", "key": None, "digest": DIGEST},
    )
    assert granted == ("approval.granted", approval.pk, {"digest": DIGEST, "request": str(approval.request_id)})


def test_a_quorum_of_two_waits_for_the_second_person(asking: Asking, acme: Tenant, bob: User, carol: User) -> None:
    approval = asking.open(TWO_OPERATORS)
    assert cast(approval, caller_of(acme, bob)).state == ApprovalState.PENDING
    with in_tenant(acme):
        assert not OutboxMessage.objects.exists()
    assert cast(approval, caller_of(acme, carol)).state == ApprovalState.GRANTED
    assert kinds_of(acme)[1:] == ["approval.voted", "approval.voted", "approval.granted"]


def test_every_rule_is_satisfied_by_itself(asking: Asking, acme: Tenant, bob: User, carol: User) -> None:
    approval = asking.open(OPERATORS, SECURITY)
    assert cast(approval, caller_of(acme, bob)).state == ApprovalState.PENDING
    assert cast(approval, caller_of(acme, carol)).state == ApprovalState.GRANTED


def test_one_person_in_both_groups_answers_both_rules(asking: Asking, acme: Tenant, carol: User) -> None:
    assert cast(asking.open(OPERATORS, SECURITY), caller_of(acme, carol)).state == ApprovalState.GRANTED


def test_one_refusal_refuses(asking: Asking, acme: Tenant, bob: User, carol: User) -> None:
    approval = asking.open(TWO_OPERATORS)
    cast(approval, caller_of(acme, bob))
    assert cast(approval, caller_of(acme, carol), "refuse", reason="not on a Friday").state == ApprovalState.REFUSED
    assert kinds_of(acme)[-2:] == ["approval.voted", "approval.refused"]
    assert events_of(acme)[-2][2]["reason"] == "not on a Friday"
    with in_tenant(acme):
        assert not OutboxMessage.objects.exists()


def test_the_asker_cannot_approve(asking: Asking, acme: Tenant, alice: User) -> None:
    make_approver(acme, alice)
    approval = asking.open()
    with refused_with(ApproverIsRequester, approval):
        cast(approval, caller_of(acme, alice))


def test_the_asker_cannot_refuse_through_a_vote_either(asking: Asking, acme: Tenant, alice: User) -> None:
    make_approver(acme, alice)
    approval = asking.open()
    with refused_with(ApproverIsRequester, approval):
        cast(approval, caller_of(acme, alice), "refuse")


def test_the_owner_of_the_asking_agent_cannot_approve(
    asking: Asking, acme: Tenant, bob: User, carol: User, billing_agent: Agent
) -> None:
    with in_tenant(acme):
        Agent.objects.filter(pk=billing_agent.pk).update(owner=bob)
    approval = asking.open()
    with refused_with(ApproverIsRequester, approval):
        cast(approval, caller_of(acme, bob))
    assert cast(approval, caller_of(acme, carol)).state == ApprovalState.GRANTED


def test_the_holder_of_the_asking_key_cannot_approve(asking: Asking, acme: Tenant, bob: User) -> None:
    with in_tenant(acme):
        GatewayKey.objects.filter(pk=asking.key.pk).update(user=bob)
    approval = asking.open()
    with refused_with(ApproverIsRequester, approval):
        cast(approval, caller_of(acme, bob))


def test_whoever_issued_the_asking_key_cannot_approve(asking: Asking, acme: Tenant, bob: User) -> None:
    bobs_key, _ = api_key_of(acme, bob, Right.KEYS_ISSUE)
    with in_tenant(acme):
        GatewayKey.objects.filter(pk=asking.key.pk).update(issued_by_key=bobs_key.pk)
    approval = asking.open()
    with refused_with(ApproverIsRequester, approval):
        cast(approval, caller_of(acme, bob))


def test_a_call_without_an_agent_still_knows_its_asker(asking: Asking, acme: Tenant, alice: User, bob: User) -> None:
    asking.agent = None
    make_approver(acme, alice)
    approval = asking.open()
    with refused_with(ApproverIsRequester, approval):
        cast(approval, caller_of(acme, alice))
    assert cast(approval, caller_of(acme, bob)).state == ApprovalState.GRANTED


def test_an_administrator_without_the_right_cannot_approve(asking: Asking, acme: Tenant) -> None:
    root = member(acme, "root", roles=[Role.OWNER, Role.SECURITY_ADMIN], groups=["operators"])
    approval = asking.open()
    with refused_with(RightMissing, approval):
        cast(approval, caller_of(acme, root))


def test_an_approver_of_another_group_is_not_asked(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.open(SECURITY)
    with refused_with(NotAnApprover, approval):
        cast(approval, caller_of(acme, bob))


def test_an_approver_of_a_satisfied_rule_is_no_longer_asked(asking: Asking, acme: Tenant, bob: User) -> None:
    dave = member(acme, "dave", roles=[Role.APPROVER], groups=["operators"])
    approval = asking.open(OPERATORS, SECURITY)
    cast(approval, caller_of(acme, bob))
    with refused_with(NotAnApprover, approval):
        cast(approval, caller_of(acme, dave))


def test_an_approver_of_a_satisfied_rule_may_still_refuse(asking: Asking, acme: Tenant, bob: User) -> None:
    dave = member(acme, "dave", roles=[Role.APPROVER], groups=["operators"])
    approval = asking.open(OPERATORS, SECURITY)
    cast(approval, caller_of(acme, bob))
    assert cast(approval, caller_of(acme, dave), "refuse").state == ApprovalState.REFUSED


def test_approvers_nobody_defined_can_be_nobody(asking: Asking, acme: Tenant, carol: User) -> None:
    approval = asking.open(replace(OPERATORS, approvers="operatorz"))
    with refused_with(NotAnApprover, approval):
        cast(approval, caller_of(acme, carol))


def test_an_approver_of_another_tenant_does_not_find_the_request(
    asking: Asking, acme: Tenant, globex: Tenant, mallory: User
) -> None:
    approval = asking.open()
    with refused_with(ApprovalNotFound, approval):
        cast(approval, caller_of(globex, mallory))


def test_a_caller_of_another_tenant_is_nobody_here(asking: Asking, acme: Tenant, globex: Tenant, mallory: User) -> None:
    approval, next_door = asking.open(), caller_of(globex, mallory)
    with refused_with(NotAnApprover, approval), in_tenant(acme):
        vote(tenant=acme, approval_id=approval.pk, caller=next_door, answer="approve", reason="", now=NOW)


def test_a_member_who_left_cannot_vote(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.open()
    with in_tenant(acme):
        Membership.objects.filter(user=bob).update(is_active=False)
    with refused_with(NotAnApprover, approval):
        cast(approval, caller_of(acme, bob))


@pytest.mark.parametrize("second", ["approve", "refuse"])
def test_a_person_answers_once(asking: Asking, acme: Tenant, bob: User, second: str) -> None:
    approval = asking.open(TWO_OPERATORS)
    cast(approval, caller_of(acme, bob))
    with refused_with(AlreadyVoted, approval):
        cast(approval, caller_of(acme, bob), second)


@pytest.mark.parametrize(
    "over", [ApprovalState.GRANTED, ApprovalState.USED, ApprovalState.REFUSED, ApprovalState.REVOKED]
)
def test_a_decided_request_takes_no_more_votes(asking: Asking, acme: Tenant, bob: User, over: str) -> None:
    approval = asking.open()
    with in_tenant(acme):
        ApprovalRequest.objects.filter(pk=approval.pk).update(state=over)
    with refused_with(NotPending, approval):
        cast(approval, caller_of(acme, bob))


def test_a_vote_at_the_moment_of_expiry_is_too_late(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.open()
    with refused_with(ApprovalExpired, approval):
        cast(approval, caller_of(acme, bob), now=approval.expires_at)


def test_a_request_the_sweep_expired_says_so(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.open()
    with in_tenant(acme):
        ApprovalRequest.objects.filter(pk=approval.pk).update(state=ApprovalState.EXPIRED)
    with refused_with(ApprovalExpired, approval):
        cast(approval, caller_of(acme, bob))


@pytest.mark.parametrize("reason", ["x" * 2001, "nul \0", "half a pair \ud800"])
def test_a_reason_that_cannot_be_kept_exactly_is_refused(asking: Asking, acme: Tenant, bob: User, reason: str) -> None:
    approval = asking.open()
    with refused_with(ReasonRefused, approval):
        cast(approval, caller_of(acme, bob), reason=reason)


def test_an_answer_must_be_one_of_two(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.open()
    with pytest.raises(ValueError, match="maybe"):
        cast(approval, caller_of(acme, bob), "maybe")


# Votes are given a minute after NOW: the older proof is fifteen minutes and a second old.
@pytest.mark.parametrize(
    ("signed_in_at", "is_fresh"),
    [(NOW - timedelta(minutes=14), True), (NOW - timedelta(minutes=14, seconds=1), False)],
)
def test_a_browser_votes_only_on_a_fresh_sign_in(
    asking: Asking, acme: Tenant, bob: User, signed_in_at: datetime, is_fresh: bool
) -> None:
    approval = asking.open()
    if is_fresh:
        assert cast(approval, caller_of(acme, bob), signed_in_at=signed_in_at).state == ApprovalState.GRANTED
        return
    with refused_with(SignInTooOld, approval):
        cast(approval, caller_of(acme, bob), signed_in_at=signed_in_at)


class TestByApiKey:
    """A key votes only for the person it is bound to, scoped to it, where the tenant lets keys vote."""

    @pytest.fixture(autouse=True)
    def keys_may_vote(self, acme: Tenant) -> None:
        acme.keys_may_vote = True

    def test_a_persons_key_votes_and_the_evidence_names_it(self, asking: Asking, acme: Tenant, bob: User) -> None:
        key, _ = api_key_of(acme, bob, Right.APPROVALS_VOTE)
        approval = cast(asking.open(), caller_of(acme, bob, api_key=key))
        assert approval.state == ApprovalState.GRANTED
        with in_tenant(acme):
            assert Vote.objects.get().api_key_id == key.pk
        assert events_of(acme)[1][2]["key"] == str(key.pk)

    def test_not_where_the_tenant_does_not_let_keys_vote(self, asking: Asking, acme: Tenant, bob: User) -> None:
        acme.keys_may_vote = False
        key, _ = api_key_of(acme, bob, Right.APPROVALS_VOTE)
        approval = asking.open()
        with refused_with(KeyMayNotVote, approval):
            cast(approval, caller_of(acme, bob, api_key=key))

    def test_not_without_the_scope(self, asking: Asking, acme: Tenant, bob: User) -> None:
        key, _ = api_key_of(acme, bob, Right.APPROVALS_READ)
        approval = asking.open()
        with refused_with(RightMissing, approval):
            cast(approval, caller_of(acme, bob, api_key=key))

    def test_not_without_a_person(self, asking: Asking, acme: Tenant) -> None:
        key, _ = api_key_of(acme, None, Right.APPROVALS_VOTE)
        robot = Caller(tenant=acme, user=None, membership=None, rights=frozenset({Right.APPROVALS_VOTE}), api_key=key)
        approval = asking.open()
        with refused_with(KeyMayNotVote, approval):
            cast(approval, robot)

    def test_not_in_another_persons_name(self, asking: Asking, acme: Tenant, bob: User, carol: User) -> None:
        carols, _ = api_key_of(acme, carol, Right.APPROVALS_VOTE)
        approval = asking.open()
        with refused_with(KeyMayNotVote, approval):
            cast(approval, caller_of(acme, bob, api_key=carols))

    def test_not_the_askers_own(self, asking: Asking, acme: Tenant, alice: User) -> None:
        make_approver(acme, alice)
        key, _ = api_key_of(acme, alice, Right.APPROVALS_VOTE)
        approval = asking.open()
        with refused_with(ApproverIsRequester, approval):
            cast(approval, caller_of(acme, alice, api_key=key))

    def test_not_the_key_that_issued_the_asking_key(self, asking: Asking, acme: Tenant, bob: User) -> None:
        key, _ = api_key_of(acme, bob, Right.APPROVALS_VOTE, Right.KEYS_ISSUE)
        asking.key = gateway_key_of(acme, asking.alice, _connection(asking), issued_by_key=key.pk)
        approval = asking.open()
        with refused_with(ApproverIsRequester, approval):
            cast(approval, caller_of(acme, bob, api_key=key))

    def test_a_person_cannot_answer_again_through_a_key(self, asking: Asking, acme: Tenant, bob: User) -> None:
        key, _ = api_key_of(acme, bob, Right.APPROVALS_VOTE)
        approval = asking.open(TWO_OPERATORS)
        cast(approval, caller_of(acme, bob))
        with refused_with(AlreadyVoted, approval):
            cast(approval, caller_of(acme, bob, api_key=key))


def _connection(asking: Asking) -> Any:
    from gateway.connections.models import Connection

    with in_tenant(asking.tenant):
        return Connection.objects.get(pk=asking.key.connection_id)


def make_approver(tenant: Tenant, user: User) -> None:
    """Everything an approver has; what still stops the vote is then the test's subject."""
    with in_tenant(tenant):
        Membership.objects.filter(user=user).update(roles=[Role.APPROVER.value], groups=["operators", "security"])
