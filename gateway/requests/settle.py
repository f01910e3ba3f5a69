"""Ending requests: outcomes from edges, holds that end, and what a dead edge left open.

Every end is one conditional update and one event, so a request ends once however often it is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from approvals.services import set_client_waiting
from audit.kinds import EventKind
from audit.models import RecordingPart
from audit.recordings import store
from audit.services import NewEvent, append_all
from audit.sessions import bump_counters
from gateway.requests.models import ProxiedRequest, RequestState
from gateway.sealing.services import unseal
from gateway.tenants.scope import as_edge, in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import Outcome

# No admission takes this long to commit: its database statement would have timed out before.
UNKNOWN_FOR = timedelta(seconds=60)
SALT_COLUMN = "requests_proxiedrequest.sealed_salt"
_STATE_OF = {
    OutcomeKind.COMPLETED: RequestState.COMPLETED,
    OutcomeKind.FAILED: RequestState.FAILED,
    OutcomeKind.NOT_SENT: RequestState.NOT_SENT,
    OutcomeKind.AMBIGUOUS: RequestState.AMBIGUOUS,
}
_EVENT_OF = {
    RequestState.COMPLETED: EventKind.REQUEST_COMPLETED,
    RequestState.FAILED: EventKind.REQUEST_FAILED,
    RequestState.NOT_SENT: EventKind.REQUEST_NOT_SENT,
    RequestState.AMBIGUOUS: EventKind.REQUEST_AMBIGUOUS,
}


def tenants_of(*, edge_id: UUID, request_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Return request id -> tenant id for those of the ids this edge brought itself."""
    if not request_ids:
        return {}
    with as_edge(edge_id):
        rows = ProxiedRequest.objects.filter(pk__in=request_ids, edge_id=edge_id)
        return dict(rows.values_list("id", "tenant_id"))


def store_outcomes(*, edge_id: UUID, outcomes: Iterable[Outcome], now: datetime) -> list[UUID]:
    """Store what an edge reports; returns every id that needs no second report.

    A young outcome whose admission is not known stays unacknowledged: the admission may be committing at this
    moment. An old one was never recorded, so it is acknowledged: it could only block the edge's journal.
    """
    by_id = {outcome.id: outcome for outcome in outcomes}
    tenants = tenants_of(edge_id=edge_id, request_ids=by_id.keys())
    for tenant_id in sorted(set(tenants.values())):
        mine = [outcome for id_, outcome in by_id.items() if tenants.get(id_) == tenant_id]
        with in_tenant(tenant_id):
            _store_for_tenant(tenant_id, mine)
    is_late = (now - UNKNOWN_FOR).timestamp()
    return [id_ for id_, outcome in by_id.items() if id_ in tenants or outcome.ended_at < is_late]


def _store_for_tenant(tenant_id: UUID, outcomes: list[Outcome]) -> None:
    rows = ProxiedRequest.objects.for_tenant(tenant_id).select_for_update().order_by("id")
    found = {row.pk: row for row in rows.filter(pk__in=[outcome.id for outcome in outcomes])}
    events = []
    for outcome in outcomes:
        event = _apply(tenant_id, found[outcome.id], outcome)
        if event is not None:
            events.append(event)
    append_all(tenant_id=tenant_id, events=events)


def _apply(tenant_id: UUID, row: ProxiedRequest, outcome: Outcome) -> NewEvent | None:
    """Write one outcome on its row; None when the row already says the same."""
    was, state = RequestState(row.state), _STATE_OF[outcome.kind]
    is_correction = was not in {RequestState.ADMITTED, RequestState.HELD, RequestState.RUNNING}
    if is_correction and was not in {RequestState.AMBIGUOUS, RequestState.NOT_SENT}:
        return None
    if was is state:
        return None
    _fill(row, outcome, state)
    row.save()
    _record(tenant_id, row, outcome)
    kind = EventKind.REQUEST_CORRECTED if is_correction else _EVENT_OF[state]
    data = outcome_data(outcome) | ({"was": was.value} if is_correction else {})
    at = datetime.fromtimestamp(outcome.ended_at, tz=UTC)
    return NewEvent(kind=kind, at=at, subject=row.pk, session_id=row.session_id, data=data)


def _fill(row: ProxiedRequest, outcome: Outcome, state: RequestState) -> None:
    row.state = state
    row.started_at = datetime.fromtimestamp(outcome.started_at, tz=UTC) if outcome.started_at else None
    row.ended_at = datetime.fromtimestamp(outcome.ended_at, tz=UTC)
    row.status, row.error = outcome.status, outcome.error[:120]
    row.aws_request_id = outcome.aws_request_id[:120]
    row.bytes_up, row.bytes_down = outcome.bytes_up, outcome.bytes_down
    row.bytes_scanned, row.bytes_unscanned = outcome.bytes_scanned, outcome.bytes_unscanned
    row.masked = {"by_type": dict(outcome.masked_by_type), "by_rule": dict(outcome.masked_by_rule)}


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """The facts of an outcome as its event carries them: counts and commitments, never content."""
    return {
        "status": outcome.status,
        "aws_request_id": outcome.aws_request_id,
        "error": outcome.error,
        "bytes_up": outcome.bytes_up,
        "bytes_down": outcome.bytes_down,
        "bytes_scanned": outcome.bytes_scanned,
        "bytes_unscanned": outcome.bytes_unscanned,
        "masked": dict(outcome.masked_by_type),
        "request_commitment": outcome.request_commitment,
        "response_commitment": outcome.response_commitment,
    }


def _record(tenant_id: UUID, row: ProxiedRequest, outcome: Outcome) -> None:
    """Keep the masked answer for the session's timeline, and count what the session did."""
    if outcome.head and row.sealed_salt is not None:
        store(
            tenant_id=tenant_id,
            request_id=row.pk,
            part=RecordingPart.RESPONSE,
            body=outcome.head,
            content_type=outcome.content_type[:120],
            salt=unseal(tenant_id=tenant_id, column=SALT_COLUMN, sealed=row.sealed_salt),
            is_whole=outcome.head_is_whole,
            byte_count=outcome.bytes_down,
            now=row.ended_at or row.decided_at,
        )
    bump_counters(
        tenant_id=tenant_id,
        session_id=row.session_id,
        now=row.ended_at or row.decided_at,
        secrets_masked=sum(outcome.masked_by_type.values()),
        bytes_out=outcome.bytes_down,
    )


def store_run_outcome(*, tenant_id: UUID, outcome: Outcome) -> None:
    """Store how a worker's run of an approved call ended. Call inside the tenant's transaction."""
    row = ProxiedRequest.objects.for_tenant(tenant_id).select_for_update().get(pk=outcome.id)
    event = _apply(tenant_id, row, outcome)
    append_all(tenant_id=tenant_id, events=[event] if event else [])


def end(*, tenant_id: UUID, row: ProxiedRequest, state: RequestState, error: str, now: datetime) -> NewEvent | None:
    """Move a request that is still on its way to a final state; None when it had ended already."""
    open_from = (RequestState.HELD, RequestState.ADMITTED, RequestState.RUNNING)
    mine = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk=row.pk, state__in=open_from)
    if not mine.update(state=state, ended_at=now, error=error):
        return None
    return NewEvent(kind=_EVENT_OF[state], at=now, subject=row.pk, session_id=row.session_id, data={"error": error})


def end_hold(*, tenant_id: UUID, request_id: UUID, now: datetime, stays_open: bool) -> None:
    """The client of a held call got its pending answer or went away.

    `stays_open` keeps the request owed (`@run("approval")`); otherwise it ends as not sent, and the identical
    call that comes back is a request of its own.
    """
    row = ProxiedRequest.objects.for_tenant(tenant_id).select_for_update().filter(pk=request_id).first()
    if row is None or row.state != RequestState.HELD:
        return
    if row.approval_id is not None:
        set_client_waiting(tenant_id=tenant_id, approval_id=row.approval_id, is_waiting=False)
    if stays_open:
        return
    event = end(tenant_id=tenant_id, row=row, state=RequestState.NOT_SENT, error="approval.pending", now=now)
    append_all(tenant_id=tenant_id, events=[event] if event else [])


def settle_boot(
    *, edge_id: UUID, tenants: Collection[UUID], boot_id: UUID, sending: Collection[UUID] | None, now: datetime
) -> None:
    """End what a fenced boot left on its way.

    `sending` is what its journal says may have left: those are ambiguous, the rest was not sent. Without a
    journal (None) nobody can tell, so all that was admitted is ambiguous. Held calls were never forwarded.
    """
    for tenant_id in sorted(tenants):
        with in_tenant(tenant_id):
            rows = ProxiedRequest.objects.for_tenant(tenant_id).filter(boot_id=boot_id, edge_id=edge_id)
            events = []
            for row in rows.filter(state__in=(RequestState.ADMITTED, RequestState.HELD)).select_for_update():
                may_have_left = row.state == RequestState.ADMITTED and (sending is None or row.pk in sending)
                state = RequestState.AMBIGUOUS if may_have_left else RequestState.NOT_SENT
                if row.approval_id is not None:
                    set_client_waiting(tenant_id=tenant_id, approval_id=row.approval_id, is_waiting=False)
                event = end(tenant_id=tenant_id, row=row, state=state, error="edge.fenced", now=now)
                if event is not None:
                    events.append(event)
            append_all(tenant_id=tenant_id, events=events)
