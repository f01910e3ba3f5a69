"""Who may answer an approval request: never whoever stands behind it, always somebody the policy names.

What an answer changes is `approvals.services`; when answers are enough is `approvals.quorum`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from approvals.models import ApprovalRequest, ApprovalRequirement, ApprovalRule, ApprovalState, VoteAnswer
from approvals.problems import (
    AlreadyVoted,
    ApprovalExpired,
    ApproverIsRequester,
    KeyMayNotVote,
    NotAnApprover,
    NotPending,
    SignInTooOld,
)
from approvals.quorum import Ballot, Requirement, unsatisfied
from gateway.identity.caller import Caller
from gateway.identity.models import Agent, ApiKey, GatewayKey, Membership
from gateway.identity.proof import is_fresh
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right


def must_be_open(approval: ApprovalRequest, now: datetime, *, states: Sequence[str] = (ApprovalState.PENDING,)) -> None:
    """Raise NotPending or ApprovalExpired unless the request is in one of these states and its time not up."""
    if approval.state == ApprovalState.EXPIRED:
        raise ApprovalExpired
    if approval.state not in states:
        raise NotPending(f"It is {approval.state}")
    # The sweep may not have come by yet: the clock decides, not the row's state.
    if now >= approval.expires_at:
        raise ApprovalExpired


def voting_member(tenant: Tenant, caller: Caller, *, signed_in_at: datetime | None, now: datetime) -> Membership:
    """Return the voting person's membership; raises KeyMayNotVote, NotAnApprover, SignInTooOld or RightMissing."""
    user, key, member = caller.user, caller.api_key, caller.membership
    if key is not None and (user is None or key.user_id != user.pk or not tenant.keys_may_vote):
        raise KeyMayNotVote
    if user is None or member is None or not member.is_active:
        raise NotAnApprover
    # A caller who is somebody else in another tenant is nobody here.
    if (member.user_id, member.tenant_id) != (user.pk, tenant.pk):
        raise NotAnApprover
    caller.must(Right.APPROVALS_VOTE)
    if key is None and signed_in_at is not None and not is_fresh(tenant, signed_in_at, now):
        raise SignInTooOld(f"It may be {tenant.fresh_proof_minutes} minutes ago")
    return member


def must_not_stand_behind(approval: ApprovalRequest, person_id: UUID, api_key: ApiKey | None) -> None:
    """Raise ApproverIsRequester for the asker, the asking agent's owner, and whoever holds or issued its key."""
    if person_id in _people_behind(approval):
        raise ApproverIsRequester
    if api_key is not None and api_key.pk in {approval.key_id, _issuing_api_key(approval)}:
        raise ApproverIsRequester


def _people_behind(approval: ApprovalRequest) -> frozenset[UUID]:
    tenant_id, issuing = approval.tenant_id, _issuing_api_key(approval)
    people = {approval.asker_id}
    if approval.agent_id:
        people |= set(
            Agent.objects.for_tenant(tenant_id).filter(pk=approval.agent_id).values_list("owner_id", flat=True)
        )
    people |= set(GatewayKey.objects.for_tenant(tenant_id).filter(pk=approval.key_id).values_list("user_id", flat=True))
    if issuing:
        people |= set(ApiKey.objects.for_tenant(tenant_id).filter(pk=issuing).values_list("user_id", flat=True))
    return frozenset(people - {None})


def _issuing_api_key(approval: ApprovalRequest) -> UUID | None:
    keys = GatewayKey.objects.for_tenant(approval.tenant_id).filter(pk=approval.key_id)
    found: UUID | None = keys.values_list("issued_by_key", flat=True).first()
    return found


def must_not_have_voted(approval: ApprovalRequest, person_id: UUID) -> None:
    """Raise AlreadyVoted on a second answer; the table's unique constraint says the same."""
    if approval.votes.filter(voter_id=person_id).exists():
        raise AlreadyVoted


def requirements_of(approval: ApprovalRequest) -> tuple[Requirement, ...]:
    """Return what must be satisfied, each with the group its approvers' name leads to today."""
    rows: Sequence[ApprovalRequirement] = list(approval.requirements.order_by("rule_id"))
    rules = ApprovalRule.objects.for_tenant(approval.tenant_id).filter(name__in={row.approvers for row in rows})
    groups = dict(rules.values_list("name", "group"))
    return tuple(Requirement(rule_id=row.rule_id, group=groups.get(row.approvers), quorum=row.quorum) for row in rows)


def ballots_of(approval: ApprovalRequest) -> tuple[Ballot, ...]:
    """Return the answers so far, with the groups each voter was in when answering."""
    return tuple(
        Ballot(person=vote.voter_id, groups=frozenset(vote.groups), approves=vote.answer == VoteAnswer.APPROVE)
        for vote in approval.votes.order_by("voted_at")
    )


def must_be_asked(approval: ApprovalRequest, membership: Membership, answer: VoteAnswer) -> None:
    """Raise NotAnApprover unless the voter is in a group that is still waited for; any group asked may refuse."""
    asked = requirements_of(approval)
    if answer == VoteAnswer.APPROVE:
        asked = unsatisfied(asked, ballots_of(approval))
    if not any(one.is_open_to(membership.groups) for one in asked):
        raise NotAnApprover
