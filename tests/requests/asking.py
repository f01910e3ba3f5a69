"""Calls people are asked about: alice's agent asks, bob answers, a worker runs, the edge hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from approvals.models import ApprovalRequest
from approvals.services import vote
from gateway.identity.models import User
from gateway.requests import run
from gateway.requests.feed import feed
from gateway.requests.models import ApprovedRun, StoredBody
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, FeedRequest, HoldEnd, Verdict, VerdictKind
from tests.people import caller_of
from tests.requests.standin import Standin
from tests.requests.world import EdgeLife, Keys


@dataclass(frozen=True, kw_only=True)
class Asking:
    tenant: Tenant
    edge: EdgeLife
    keys: Keys
    approver: User
    aws: Standin

    def terminate(self, instance: str = "i-0123456789abcdef0") -> Admission:
        return self.keys.call("ec2", "terminate_instances", InstanceIds=[instance])

    def hold(self, admission: Admission) -> UUID:
        """Ask; the call must be held. Returns the approval's id."""
        verdict = self.edge.admit_one(admission)
        assert verdict.kind is VerdictKind.HOLD, verdict
        assert verdict.hold is not None
        return verdict.hold.approval_id

    def answer(self, approval_id: UUID, answer: str = "approve") -> None:
        now = datetime.now(UTC)
        with in_tenant(self.tenant):
            vote(
                tenant=self.tenant,
                approval_id=approval_id,
                caller=caller_of(self.tenant, self.approver),
                answer=answer,
                reason="",
                now=now,
                signed_in_at=now,
            )

    def take(self, approval_id: UUID) -> UUID | None:
        """What the task does that hears of a grant."""
        return run.open_run(tenant_id=self.tenant.pk, approval_id=approval_id, now=datetime.now(UTC))

    def perform(self, run_id: UUID, now: datetime | None = None) -> OutcomeKind | None:
        """What the worker does."""
        return run.perform(tenant_id=self.tenant.pk, run_id=run_id, worker="worker-1", now=now or datetime.now(UTC))

    def approved_and_run(self, admission: Admission) -> OutcomeKind | None:
        approval = self.hold(admission)
        self.answer(approval)
        run_id = self.take(approval)
        assert run_id is not None
        return self.perform(run_id)

    def feed(self, *held: Admission, ended: tuple[HoldEnd, ...] = ()) -> list[Verdict]:
        """One turn of the edge's feed; returns the resolutions."""
        asked = FeedRequest(boot=self.edge.boot, held=tuple(one.id for one in held), ended=ended)
        return list(feed(edge=self.edge.identity, asked=asked, now=datetime.now(UTC)).resolutions)

    def leave(self, admission: Admission, *, gone: bool = True) -> None:
        """The edge reports the end of a hold."""
        self.feed(ended=(HoldEnd(id=admission.id, client_is_gone=gone),))

    def approval(self, approval_id: UUID) -> ApprovalRequest:
        with in_tenant(self.tenant):
            found: ApprovalRequest = ApprovalRequest.objects.for_tenant(self.tenant).get(pk=approval_id)
        return found

    def run_of(self, admission: Admission) -> ApprovedRun:
        with in_tenant(self.tenant):
            found: ApprovedRun = ApprovedRun.objects.for_tenant(self.tenant).get(request_id=admission.id)
        return found

    def kept_bodies(self) -> int:
        with in_tenant(self.tenant):
            return int(StoredBody.objects.for_tenant(self.tenant).count())
