"""Reading approval requests: the inbox, lists, and one request with its people. Nothing here changes a row.

Texts come as stored; whoever shows them to a person passes them through `approvals.escaping` first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from approvals import voters
from approvals.models import ApprovalRequest, ApprovalRequirement, ApprovalState, Vote
from approvals.problems import ApprovalNotFound
from approvals.quorum import approvers_of, missing
from gateway.tenants.models import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementStatus:
    """One requirement as people see it: who is asked, how many said yes, how many are missing."""

    rule_id: str
    approvers: str
    group: str | None
    quorum: int
    approved: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDetail:
    """One request with its votes, oldest first, and where each requirement stands."""

    approval: ApprovalRequest
    votes: tuple[Vote, ...]
    requirements: tuple[RequirementStatus, ...]


def listed(*, tenant: Tenant | UUID, state: str | None = None) -> QuerySet[ApprovalRequest]:
    """Return a tenant's requests with votes and requirements. The caller orders and pages them."""
    votes: QuerySet[Vote] = Vote.objects.for_tenant(tenant).order_by("voted_at")
    asked: QuerySet[ApprovalRequirement] = ApprovalRequirement.objects.for_tenant(tenant).order_by("rule_id")
    rows: QuerySet[ApprovalRequest] = ApprovalRequest.objects.for_tenant(tenant)
    rows = rows.prefetch_related(Prefetch("votes", queryset=votes), Prefetch("requirements", queryset=asked))
    return rows.filter(state=state) if state else rows


def inbox(*, tenant: Tenant | UUID, now: datetime) -> QuerySet[ApprovalRequest]:
    """Return the requests people may still answer, newest first."""
    rows = listed(tenant=tenant, state=ApprovalState.PENDING).filter(expires_at__gt=now)
    return rows.order_by("-opened_at", "-id")


def detail(*, tenant: Tenant | UUID, approval_id: UUID) -> ApprovalDetail:
    """Return one request; raises ApprovalNotFound for an unknown id and for another tenant's."""
    approval = listed(tenant=tenant).filter(pk=approval_id).first()
    if approval is None:
        raise ApprovalNotFound
    ballots = voters.ballots_of(approval)
    names = {row.rule_id: row.approvers for row in approval.requirements.all()}
    statuses = (
        RequirementStatus(
            rule_id=one.rule_id,
            approvers=names[one.rule_id],
            group=one.group,
            quorum=one.quorum,
            approved=len(approvers_of(one, ballots)),
            missing=missing(one, ballots),
        )
        for one in voters.requirements_of(approval)
    )
    return ApprovalDetail(approval=approval, votes=tuple(approval.votes.all()), requirements=tuple(statuses))


def has_granted(*, tenant_id: UUID, digest: str, now: datetime) -> bool:
    """Say whether a grant of this digest could be taken now. Only taking it tells for sure."""
    rows = ApprovalRequest.objects.for_tenant(tenant_id)
    return bool(rows.filter(digest=digest, state=ApprovalState.GRANTED, expires_at__gt=now).exists())
