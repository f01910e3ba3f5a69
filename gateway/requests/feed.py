"""What an edge learns four times a second: how its held calls ended, and what was revoked.

Everything here is read from the tables as they are; nothing waits for anybody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from approvals.models import ApprovalRequest, ApprovalState
from approvals.services import revoke_all_of
from audit.kinds import EventKind
from audit.models import Event, LedgerHead
from audit.refusals import count
from audit.services import append_all
from gateway.problems import Problem
from gateway.requests import refusals, settle
from gateway.requests.asks import BODY_COLUMN, RESULT_COLUMN
from gateway.requests.edges import EdgeIdentity, see_boot
from gateway.requests.keyring import out_of_standing
from gateway.requests.models import ApprovedRun, ProxiedRequest, RequestState, StoredBody
from gateway.requests.problems import AlreadyEnded, ApprovalLapsed, ApprovalRefused, ApprovalSpent, RunFailed
from gateway.sealing.services import unseal
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import (
    Admission,
    Answer,
    FeedAnswer,
    FeedRequest,
    HoldEnd,
    Notice,
    Verdict,
    VerdictKind,
)

# Kinds an edge must hear of: what they name may have calls held or under way there.
NOTICED = (
    EventKind.KEY_REVOKED,
    EventKind.AGENT_SUSPENDED,
    EventKind.CONNECTION_CHANGED,
    EventKind.REVISION_PUBLISHED,
)
LARGEST_NOTICE_PAGE = 500

_ENDED_BY: Mapping[ApprovalState, type[Problem]] = {
    ApprovalState.REFUSED: ApprovalRefused,
    ApprovalState.EXPIRED: ApprovalLapsed,
    ApprovalState.REVOKED: ApprovalRefused,
}


def feed(*, edge: EdgeIdentity, asked: FeedRequest, now: datetime) -> FeedAnswer:
    """Answer one turn of an edge's feed; raises BootFenced when this life of the edge is over."""
    see_boot(edge=edge, boot_id=asked.boot, now=now)
    if asked.refusals:
        count(edge_id=edge.id, items=list(asked.refusals), now=now)
    ids = {*asked.held, *(ended.id for ended in asked.ended)}
    mine: dict[UUID, list[UUID]] = defaultdict(list)
    for request_id, tenant_id in settle.tenants_of(edge_id=edge.id, request_ids=ids).items():
        mine[tenant_id].append(request_id)
    resolutions: list[Verdict] = []
    for tenant_id, requests in sorted(mine.items()):
        with in_tenant(tenant_id):
            _end_holds(tenant_id, asked.ended, requests, now)
            resolutions.extend(_resolutions(tenant_id, set(requests) & set(asked.held), now))
    cursor, notices = _notices(edge.tenants, asked.cursor)
    return FeedAnswer(cursor=cursor, resolutions=tuple(resolutions), notices=tuple(notices))


def _end_holds(tenant_id: UUID, ended: Iterable[HoldEnd], mine: Collection[UUID], now: datetime) -> None:
    for hold in ended:
        if hold.id not in mine:
            continue
        row = ProxiedRequest.objects.for_tenant(tenant_id).get(pk=hold.id)
        approval = _approval(tenant_id, row)
        stays_open = approval is not None and approval.runs_at_once
        settle.end_hold(tenant_id=tenant_id, request_id=hold.id, now=now, stays_open=stays_open)


def _resolutions(tenant_id: UUID, held: Collection[UUID], now: datetime) -> list[Verdict]:
    rows = list(ProxiedRequest.objects.for_tenant(tenant_id).filter(pk__in=held).order_by("id"))
    # The kill switch reaches a hold: keys of waiting calls that may not be used any more.
    waiting = {row.key_id for row in rows if row.state == RequestState.HELD}
    out = out_of_standing(tenant_id=tenant_id, key_ids=waiting, now=now)
    made = (
        _cut(tenant_id, row, out[row.key_id], now) if row.key_id in out else _resolution(tenant_id, row, now)
        for row in rows
    )
    return [verdict for verdict in made if verdict is not None]


def _cut(tenant_id: UUID, row: ProxiedRequest, problem: Problem, now: datetime) -> Verdict | None:
    """End a held call whose key is out, and withdraw what people were asked for it."""
    # The call first, then its approval: whoever takes a grant locks them in this order too.
    row = ProxiedRequest.objects.for_tenant(tenant_id).select_for_update().get(pk=row.pk)
    if row.state != RequestState.HELD:
        return _resolution(tenant_id, row, now)
    revoke_all_of(tenant_id=tenant_id, by="system", reason=problem.message, now=now, key_id=row.key_id)
    event = settle.end(tenant_id=tenant_id, row=row, state=RequestState.NOT_SENT, error=problem.code, now=now)
    append_all(tenant_id=tenant_id, events=[event] if event else [])
    return _refusal(row, problem)


def _resolution(tenant_id: UUID, row: ProxiedRequest, now: datetime) -> Verdict | None:
    """How a held call ended, or None while it is still on its way."""
    match RequestState(row.state):
        case RequestState.RUNNING:
            return None
        case RequestState.HELD:
            return _ended_by_people(tenant_id, row, now)
        case RequestState.COMPLETED | RequestState.FAILED:
            return _result(tenant_id, row, now)
        case RequestState.REFUSED:
            return _refusal(row, ApprovalRefused())
        case _:
            return _refusal(row, _problem_of(row))


def _problem_of(row: ProxiedRequest) -> Problem:
    """What the client of a call that did not run, or may have, is told."""
    match row.error:
        case "approval.spent":
            return ApprovalSpent()
        case "approval.expired" | "approval.revoked":
            return ApprovalLapsed()
        case "approval.pending" | "edge.fenced":
            return AlreadyEnded()
        case error:
            return RunFailed(f"It ended as {row.state} ({error})")


def _approval(tenant_id: UUID, row: ProxiedRequest) -> ApprovalRequest | None:
    if row.approval_id is None:
        return None
    found: ApprovalRequest | None = ApprovalRequest.objects.for_tenant(tenant_id).filter(pk=row.approval_id).first()
    return found


def _ended_by_people(tenant_id: UUID, row: ProxiedRequest, now: datetime) -> Verdict | None:
    approval = _approval(tenant_id, row)
    problem = _ENDED_BY.get(ApprovalState(approval.state)) if approval else ApprovalLapsed
    if problem is None:
        return None
    error = f"approval.{approval.state if approval else 'gone'}"
    event = settle.end(tenant_id=tenant_id, row=row, state=RequestState.NOT_SENT, error=error, now=now)
    append_all(tenant_id=tenant_id, events=[event] if event else [])
    return _refusal(row, problem())


def _refusal(row: ProxiedRequest, problem: Problem) -> Verdict:
    dialect = refusals.dialect_named(row.dialect, method=row.method, request_id=row.pk)
    return refusals.refuse_in(dialect, problem)


def stored_admission(tenant_id: UUID, request_id: UUID) -> Admission | None:
    """The exact request kept for a held call, or None once it was erased."""
    body = StoredBody.objects.for_tenant(tenant_id).filter(request_id=request_id).first()
    if body is None:
        return None
    plain = unseal(tenant_id=tenant_id, column=BODY_COLUMN, sealed=body.sealed)
    return msgspec.msgpack.decode(plain, type=Admission)


def _result(tenant_id: UUID, row: ProxiedRequest, now: datetime) -> Verdict:
    run = ApprovedRun.objects.for_tenant(tenant_id).filter(request_id=row.pk).select_for_update().first()
    if run is None or run.sealed_result is None:
        return _refusal(row, RunFailed("Its answer is no longer kept"))
    plain = unseal(tenant_id=tenant_id, column=RESULT_COLUMN, sealed=run.sealed_result)
    if run.collected_at is None:
        run.collected_at, run.collected_by_request = now, row.pk
        run.save(update_fields=("collected_at", "collected_by_request"))
    return Verdict(id=row.pk, kind=VerdictKind.RESULT, answer=msgspec.msgpack.decode(plain, type=Answer))


def _notices(tenants: Collection[UUID], cursor: Mapping[str, int]) -> tuple[dict[str, int], list[Notice]]:
    """What happened in each tenant's ledger past the cursor; an edge without one starts at the head."""
    moved, notices = dict(cursor), list[Notice]()
    for tenant_id in sorted(tenants):
        with in_tenant(tenant_id):
            head = LedgerHead.objects.filter(tenant_id=tenant_id).values_list("next_sequence", flat=True).first() or 0
            start = cursor.get(str(tenant_id), head)
            if start < head:
                rows = Event.objects.for_tenant(tenant_id).filter(sequence__gte=start, sequence__lt=head)
                wanted = rows.filter(kind__in=[kind.value for kind in NOTICED]).order_by("sequence")
                found = list(wanted.values_list("kind", "subject")[:LARGEST_NOTICE_PAGE])
                notices.extend(Notice(kind=kind, subject=subject) for kind, subject in found)
            moved[str(tenant_id)] = head
    return moved, notices
