"""How a held call ended: by its run, by the people who were asked, by the kill switch, or not yet.

Telling an edge is `feed`; ending calls nobody holds any more is `settle`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals.models import ApprovalRequest, ApprovalState
from approvals.services import revoke_all_of
from audit.services import NewEvent, append_all
from gateway.problems import Problem
from gateway.requests import refusals, settle
from gateway.requests.asks import ENDED_RUNS, collect, end_of_collector
from gateway.requests.keyring import out_of_standing
from gateway.requests.models import ApprovedRun, ProxiedRequest, RequestState, RunState
from gateway.requests.problems import (
    AlreadyEnded,
    ApprovalLapsed,
    ApprovalRefused,
    ApprovalSpent,
    KeyExpired,
    PrincipalSuspended,
    ReferenceChanged,
    RefusedByPolicy,
    RunFailed,
)
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Verdict, VerdictKind

_SPENT = "approval.spent"
# What the client of a call that ended without its answer is told, by the word on its row.
_PROBLEM_OF: Mapping[str, type[Problem]] = {
    _SPENT: ApprovalSpent,
    "approval.refused": ApprovalRefused,
    "approval.revoked": ApprovalLapsed,
    "approval.expired": ApprovalLapsed,
    "approval.pending": AlreadyEnded,
    "edge.fenced": AlreadyEnded,
    KeyExpired.code: KeyExpired,
    ReferenceChanged.code: ReferenceChanged,
    RefusedByPolicy.code: RefusedByPolicy,
    PrincipalSuspended.code: PrincipalSuspended,
}


@dataclass(slots=True, kw_only=True)
class _Turn:
    """One look at a tenant's held calls: what stands behind them, and the events of what is found to have ended."""

    tenant_id: UUID
    now: datetime
    approvals: Mapping[UUID | None, ApprovalRequest]
    runs: Mapping[UUID | None, ApprovedRun]
    events: list[NewEvent]


def resolve(*, tenant_id: UUID, held: Collection[UUID], now: datetime) -> list[Verdict]:
    """Return how those of these calls ended that have. Call in a transaction of its own inside the tenant."""
    rows = list(ProxiedRequest.objects.for_tenant(tenant_id).filter(pk__in=held).order_by("id"))
    asked = {row.approval_id for row in rows if row.approval_id is not None}
    # Runs before requests, and in one order: whoever performs a run locks them so.
    runs = ApprovedRun.objects.for_tenant(tenant_id).filter(approval_id__in=asked, state__in=ENDED_RUNS)
    ended: dict[UUID | None, ApprovedRun] = {
        run.approval_id: run for run in runs.order_by("id").select_for_update(no_key=True)
    }
    others = ApprovedRun.objects.for_tenant(tenant_id).filter(approval_id__in=asked - ended.keys())
    runs_of: dict[UUID | None, ApprovedRun] = {run.approval_id: run for run in others}
    turn = _Turn(
        tenant_id=tenant_id,
        now=now,
        approvals={one.pk: one for one in ApprovalRequest.objects.for_tenant(tenant_id).filter(pk__in=asked)},
        runs=runs_of | ended,
        events=[],
    )
    made = [_resolution(turn, row) for row in rows]
    append_all(tenant_id=tenant_id, events=turn.events)
    return [verdict for verdict in made if verdict is not None]


def cut_off(*, tenant_id: UUID, held: Collection[UUID], now: datetime) -> None:
    """The kill switch reaches a hold: end waiting calls whose keys may not be used any more, and ask nobody for them."""
    waiting = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk__in=held, state=RequestState.HELD)
    with in_tenant(tenant_id):
        keys = set(waiting.values_list("key_id", flat=True))
        out = out_of_standing(tenant_id=tenant_id, key_ids=keys, now=now)
    for key_id, problem in sorted(out.items()):
        # A transaction a key: revoking takes the ledger's lock, after which nothing else may be waited for.
        with in_tenant(tenant_id):
            # The calls first, then their approvals: whoever takes a grant locks them in this order too.
            cut = list(waiting.filter(key_id=key_id).order_by("id").select_for_update(no_key=True))
            ended = [
                settle.end(tenant_id=tenant_id, row=row, state=RequestState.NOT_SENT, error=problem.code, now=now)
                for row in cut
            ]
            revoke_all_of(tenant_id=tenant_id, by="system", reason=problem.message, now=now, key_id=key_id)
            append_all(tenant_id=tenant_id, events=[event for event in ended if event])


def _resolution(turn: _Turn, row: ProxiedRequest) -> Verdict | None:
    """How one call ended, or None while it is still on its way."""
    match RequestState(row.state):
        case RequestState.RUNNING:
            return None
        case RequestState.HELD:
            return _of_held(turn, row)
        case RequestState.COMPLETED | RequestState.FAILED:
            return _result(turn, row) or _refusal(row, RunFailed("Its answer is no longer kept"))
        case RequestState.AMBIGUOUS:
            # Told here, it is not told again to the identical call that may come next.
            return _result(turn, row) or _refusal(row, problem_of(row.state, row.error))
        case RequestState.REFUSED:
            return _refusal(row, ApprovalRefused())
        case _:
            return _refusal(row, problem_of(row.state, row.error))


def problem_of(state: str, error: str) -> Problem:
    """What the client of a call that ended so is told."""
    kind = _PROBLEM_OF.get(error)
    return kind() if kind is not None else RunFailed(f"It ended as {state} ({error})")


def _of_held(turn: _Turn, row: ProxiedRequest) -> Verdict | None:
    approval = turn.approvals.get(row.approval_id)
    if approval is None:
        return _ended(turn, row, "approval.expired")
    match ApprovalState(approval.state):
        case ApprovalState.PENDING | ApprovalState.GRANTED:
            return None
        case ApprovalState.USED:
            return _of_used(turn, row)
        case closed:
            return _ended(turn, row, f"approval.{closed}")


def _of_used(turn: _Turn, row: ProxiedRequest) -> Verdict | None:
    """The grant was taken: by this call, by the run this call joined, or by another call."""
    run = turn.runs.get(row.approval_id)
    if run is None:
        return _ended(turn, row, _SPENT)
    match RunState(run.state):
        case RunState.QUEUED | RunState.RUNNING:
            return None
        case RunState.COMPLETED | RunState.FAILED | RunState.AMBIGUOUS:
            return _collected(turn, row, run) or _ended(turn, row, _SPENT)
        case ended:
            return _ended(turn, row, f"run.{ended}")


def _collected(turn: _Turn, row: ProxiedRequest, run: ApprovedRun) -> Verdict | None:
    answer = collect(run, by=row.pk, now=turn.now)
    if answer is None:
        return None
    _end(turn, row, *end_of_collector(run))
    return Verdict(id=row.pk, kind=VerdictKind.RESULT, answer=answer)


def _result(turn: _Turn, row: ProxiedRequest) -> Verdict | None:
    run = turn.runs.get(row.approval_id)
    answer = collect(run, by=row.pk, now=turn.now) if run is not None else None
    return Verdict(id=row.pk, kind=VerdictKind.RESULT, answer=answer) if answer is not None else None


def _ended(turn: _Turn, row: ProxiedRequest, error: str) -> Verdict:
    _end(turn, row, RequestState.NOT_SENT, error)
    return _refusal(row, problem_of(RequestState.NOT_SENT, error))


def _end(turn: _Turn, row: ProxiedRequest, state: RequestState, error: str) -> None:
    event = settle.end(tenant_id=turn.tenant_id, row=row, state=state, error=error, now=turn.now)
    turn.events.extend([event] if event else [])


def _refusal(row: ProxiedRequest, problem: Problem) -> Verdict:
    dialect = refusals.dialect_named(row.dialect, method=row.method, request_id=row.pk)
    return refusals.refuse_in(dialect, problem)
