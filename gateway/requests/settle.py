"""Ending requests: outcomes from edges, holds that end, and what a dead edge left open.

Every end is one conditional update and one event, so a request ends once however often it is told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from approvals.models import ApprovalRequest, ApprovalState
from approvals.services import OPEN_STATES as OPEN_APPROVALS
from approvals.services import set_client_waiting
from audit.kinds import EventKind
from audit.models import RecordingPart
from audit.recordings import store
from audit.services import NewEvent, append_all
from audit.sessions import bump_counters
from gateway.requests import storable
from gateway.requests.models import OPEN_STATES, ApprovedRun, ProxiedRequest, RequestState, StoredBody
from gateway.sealing.services import unseal
from gateway.tenants.scope import as_edge, in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import LARGEST_RECORDED_HEAD, Outcome

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


CLOSED_APPROVALS = (ApprovalState.REFUSED, ApprovalState.EXPIRED, ApprovalState.REVOKED)
# On a request that is still owed: its client is not there any more.
CLIENT_GONE = "client.gone"
# A client of one of these may still be there.
WAITED_FOR = (RequestState.HELD, RequestState.RUNNING)
# More types or rules than any masker knows.
MOST_COUNTS = 256
LARGEST_COUNT = 1_000_000
_COUNTS = ("bytes_up", "bytes_down", "bytes_scanned", "bytes_unscanned")
_COMMITMENT = re.compile(r"[0-9a-f]{64}")
_OUTCOME_FIELDS = (
    "state",
    "started_at",
    "ended_at",
    "status",
    "error",
    "aws_request_id",
    "bytes_up",
    "bytes_down",
    "bytes_scanned",
    "bytes_unscanned",
    "masked",
)


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
    by_id = {outcome.id: _sane(outcome, now) for outcome in outcomes}
    tenants = tenants_of(edge_id=edge_id, request_ids=by_id.keys())
    for tenant_id in sorted(set(tenants.values())):
        mine = [outcome for id_, outcome in by_id.items() if tenants.get(id_) == tenant_id]
        with in_tenant(tenant_id):
            _store_for_tenant(tenant_id, mine, now)
    is_late = (now - UNKNOWN_FOR).timestamp()
    return [id_ for id_, outcome in by_id.items() if id_ in tenants or outcome.ended_at < is_late]


def _sane(outcome: Outcome, now: datetime) -> Outcome:
    """What an edge says, within what the tables and the ledger can hold: a stolen edge may say anything."""
    told = {name: storable.number(getattr(outcome, name)) for name in _COUNTS}
    return msgspec.structs.replace(
        outcome,
        **told,
        ended_at=storable.moment(outcome.ended_at, now=now).timestamp(),
        started_at=storable.moment(outcome.started_at, now=now).timestamp() if outcome.started_at else None,
        status=outcome.status if outcome.status is not None and 100 <= outcome.status <= 999 else None,
        aws_request_id=storable.text(outcome.aws_request_id, 120),
        error=storable.text(outcome.error, 120),
        content_type=storable.text(outcome.content_type, 120),
        masked_by_type=_sane_counts(outcome.masked_by_type),
        masked_by_rule=_sane_counts(outcome.masked_by_rule),
        request_commitment=_sane_commitment(outcome.request_commitment),
        response_commitment=_sane_commitment(outcome.response_commitment),
        head=outcome.head[:LARGEST_RECORDED_HEAD],
        head_is_whole=outcome.head_is_whole and len(outcome.head) <= LARGEST_RECORDED_HEAD,
    )


def _sane_counts(counts: Mapping[str, int]) -> dict[str, int]:
    kept = sorted(counts.items())[:MOST_COUNTS]
    return {storable.text(name, 80): storable.number(count, LARGEST_COUNT) for name, count in kept}


def _sane_commitment(commitment: str) -> str:
    return commitment if _COMMITMENT.fullmatch(commitment) else ""


def _store_for_tenant(tenant_id: UUID, outcomes: list[Outcome], now: datetime) -> None:
    found = _locked(tenant_id, [outcome.id for outcome in outcomes])
    ends = [outcome.id for outcome in outcomes if found[outcome.id].state == RequestState.HELD]
    # A held call was never let through: all an edge can say of it is that nobody waits any more.
    events = _end_held(tenant_id, [found[id_] for id_ in sorted(ends)], "admission.unanswered", now)
    told = [one for one in outcomes if found[one.id].state not in (RequestState.HELD, RequestState.RUNNING)]
    events += _apply_all(tenant_id, found, [one for one in told if one.id not in ends])
    append_all(tenant_id=tenant_id, events=events)


def _locked(tenant_id: UUID, request_ids: Collection[UUID]) -> dict[UUID, ProxiedRequest]:
    """The requests, locked in the order of their ids; not against references, which others make to them."""
    rows = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk__in=request_ids)
    return {row.pk: row for row in rows.select_for_update(no_key=True).order_by("id")}


def _apply_all(tenant_id: UUID, rows: Mapping[UUID, ProxiedRequest], outcomes: Iterable[Outcome]) -> list[NewEvent]:
    """Write outcomes on their locked rows; returns the events, for the caller to append."""
    events, told = [], []
    for outcome in outcomes:
        event = _apply(tenant_id, rows[outcome.id], outcome)
        if event is not None:
            events.append(event)
            told.append((rows[outcome.id], outcome))
    # In the order of their ids: two posts about the same sessions must lock them alike.
    for session_id in sorted({row.session_id for row, _ in told}):
        mine = [(row, outcome) for row, outcome in told if row.session_id == session_id]
        bump_counters(
            tenant_id=tenant_id,
            session_id=session_id,
            now=max(row.ended_at or row.decided_at for row, _ in mine),
            secrets_masked=sum(sum(outcome.masked_by_type.values()) for _, outcome in mine),
            bytes_out=sum(outcome.bytes_down for _, outcome in mine),
        )
    erase_bodies(tenant_id=tenant_id, rows=[row for row, _ in told])
    return events


def erase_bodies(*, tenant_id: UUID, rows: Iterable[ProxiedRequest]) -> None:
    """Erase the kept bodies of requests that have ended: nothing may run them any more."""
    kept = [row.pk for row in rows if row.approval_id is not None]
    if kept:
        StoredBody.objects.for_tenant(tenant_id).filter(request_id__in=kept).delete()


def _apply(tenant_id: UUID, row: ProxiedRequest, outcome: Outcome) -> NewEvent | None:
    """Write one outcome on its row; None when the row already says the same."""
    was, state = RequestState(row.state), _STATE_OF[outcome.kind]
    is_correction = was not in OPEN_STATES
    if is_correction and was not in {RequestState.AMBIGUOUS, RequestState.NOT_SENT}:
        return None
    if was is state:
        return None
    _fill(row, outcome, state)
    row.save(update_fields=_OUTCOME_FIELDS)
    _record(tenant_id, row, outcome)
    kind = EventKind.REQUEST_CORRECTED if is_correction else _EVENT_OF[state]
    data = outcome_data(outcome) | ({"was": was.value} if is_correction else {})
    at = datetime.fromtimestamp(outcome.ended_at, tz=UTC)
    return NewEvent(kind=kind, at=at, subject=row.pk, session_id=row.session_id, data=data)


def _fill(row: ProxiedRequest, outcome: Outcome, state: RequestState) -> None:
    row.state = state
    row.started_at = datetime.fromtimestamp(outcome.started_at, tz=UTC) if outcome.started_at else None
    row.ended_at = datetime.fromtimestamp(outcome.ended_at, tz=UTC)
    row.status, row.error = outcome.status, outcome.error
    row.aws_request_id = outcome.aws_request_id
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
    """Keep the masked answer for the session's timeline."""
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


def store_run_outcome(*, tenant_id: UUID, outcome: Outcome) -> None:
    """Store how a worker's run of an approved call ended. Call inside the tenant's transaction."""
    told = _sane(outcome, datetime.fromtimestamp(outcome.ended_at, tz=UTC))
    append_all(tenant_id=tenant_id, events=_apply_all(tenant_id, _locked(tenant_id, [told.id]), [told]))


def end(*, tenant_id: UUID, row: ProxiedRequest, state: RequestState, error: str, now: datetime) -> NewEvent | None:
    """Move a request that is still on its way to a final state; None when it had ended already."""
    mine = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk=row.pk, state__in=OPEN_STATES)
    if not mine.update(state=state, ended_at=now, error=error):
        return None
    erase_bodies(tenant_id=tenant_id, rows=[row])
    return NewEvent(kind=_EVENT_OF[state], at=now, subject=row.pk, session_id=row.session_id, data={"error": error})


def end_holds(*, tenant_id: UUID, request_ids: Collection[UUID], gone: Collection[UUID], now: datetime) -> None:
    """The clients of held calls got their pending answers or went away.

    What is owed stays open: a call whose run is queued, or that runs at approval (`@run("approval")`). The others end
    as not sent, and the identical call that comes back is a request of its own. A result that was handed to a client
    of `gone`, who could not take it, waits for that call again.
    """
    rows = _locked(tenant_id, request_ids)
    events = _end_held(tenant_id, [rows[id_] for id_ in sorted(rows)], "approval.pending", now)
    handed = ApprovedRun.objects.for_tenant(tenant_id).filter(collected_by_request__in=set(gone) & set(rows))
    handed.filter(sealed_result__isnull=False).update(collected_at=None, collected_by_request=None)
    append_all(tenant_id=tenant_id, events=events)


def _end_held(tenant_id: UUID, rows: Sequence[ProxiedRequest], error: str, now: datetime) -> list[NewEvent]:
    """End those of the locked rows that are held and not owed; returns the events, for the caller to append.

    One that runs already goes on: that nobody waits is noted, so that the identical call may wait in its place.
    """
    held = [row for row in rows if row.state in WAITED_FOR]
    if not held:
        return []
    # In the order of their digests, as everywhere: whoever opens or joins several locks them so.
    asked = ApprovalRequest.objects.for_tenant(tenant_id).filter(pk__in=[row.approval_id for row in held])
    approvals: dict[UUID | None, ApprovalRequest] = {
        one.pk: one for one in asked.order_by("digest").select_for_update(no_key=True)
    }
    running = set(
        ApprovedRun.objects.for_tenant(tenant_id).filter(request__in=held).values_list("request_id", flat=True)
    )
    events = []
    for row in held:
        approval = approvals.get(row.approval_id)
        is_at_once = approval is not None and approval.runs_at_once and approval.state in OPEN_APPROVALS
        if row.pk in running or row.state == RequestState.RUNNING or is_at_once:
            # Remembered on the row: a grant goes to a client that waits before one that has gone.
            ProxiedRequest.objects.for_tenant(tenant_id).filter(pk=row.pk).update(error=CLIENT_GONE)
            continue
        event = end(tenant_id=tenant_id, row=row, state=RequestState.NOT_SENT, error=error, now=now)
        events.extend([event] if event else [])
    for approval in approvals.values():
        _note_who_waits(tenant_id, approval)
    return events


def _note_who_waits(tenant_id: UUID, approval: ApprovalRequest) -> None:
    """Several identical calls may wait for one approval: somebody waits as long as one of them does."""
    held = ProxiedRequest.objects.for_tenant(tenant_id).filter(approval_id=approval.pk, state__in=WAITED_FOR)
    set_client_waiting(
        tenant_id=tenant_id, approval_id=approval.pk, is_waiting=held.exclude(error=CLIENT_GONE).exists()
    )


def end_unanswerable(*, tenant_id: UUID, now: datetime) -> int:
    """End held calls nobody can answer yes to any more, whoever still holds them; returns how many.

    The edges' feeds end them sooner. This finds those no edge holds: whose client had gone and left them owed.
    """
    with in_tenant(tenant_id):
        closed = ApprovalRequest.objects.for_tenant(tenant_id).filter(state__in=CLOSED_APPROVALS)
        held = ProxiedRequest.objects.for_tenant(tenant_id).filter(state=RequestState.HELD)
        found = held.filter(approval_id__in=closed.values("id")).order_by("id")
        states: dict[UUID | None, str] = dict(
            closed.filter(pk__in=found.values("approval_id")).values_list("id", "state")
        )
        events = []
        for row in found.select_for_update(no_key=True):
            error = f"approval.{states.get(row.approval_id, ApprovalState.EXPIRED)}"
            event = end(tenant_id=tenant_id, row=row, state=RequestState.NOT_SENT, error=error, now=now)
            events.extend([event] if event else [])
        append_all(tenant_id=tenant_id, events=events)
    return len(events)


def settle_boot(
    *, edge_id: UUID, tenants: Collection[UUID], boot_id: UUID, sending: Collection[UUID] | None, now: datetime
) -> None:
    """End what a fenced boot left on its way.

    `sending` is what its journal says may have left: those are ambiguous, the rest was not sent. Without a
    journal (None) nobody can tell, so all that was admitted is ambiguous. Held calls were never forwarded: they end
    as every hold does whose client is gone.
    """
    for tenant_id in sorted(tenants):
        with in_tenant(tenant_id):
            mine = ProxiedRequest.objects.for_tenant(tenant_id).filter(boot_id=boot_id, edge_id=edge_id)
            left = mine.filter(state__in=OPEN_STATES).exclude(error=CLIENT_GONE)
            rows = _locked(tenant_id, list(left.values_list("id", flat=True)))
            events = _end_held(tenant_id, [rows[id_] for id_ in sorted(rows)], "edge.fenced", now)
            for row in rows.values():
                if row.state == RequestState.ADMITTED:
                    may_have_left = sending is None or row.pk in sending
                    state = RequestState.AMBIGUOUS if may_have_left else RequestState.NOT_SENT
                    event = end(tenant_id=tenant_id, row=row, state=state, error="edge.fenced", now=now)
                    events.extend([event] if event else [])
            append_all(tenant_id=tenant_id, events=events)
