"""Ending requests nobody reports an outcome of: holds that end, and what a dead edge left open.

Every end is one conditional update and one event, so a request ends once. Outcomes are `gateway.requests.outcomes`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from approvals.models import ApprovalRequest, ApprovalState
from approvals.services import OPEN_STATES as OPEN_APPROVALS
from approvals.services import set_client_waiting
from audit.kinds import EventKind
from audit.services import NewEvent, append_all
from gateway.requests.models import OPEN_STATES, ApprovedRun, ProxiedRequest, RequestState, StoredBody
from gateway.tenants.scope import in_tenant

EVENT_OF = {
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
# Calls an event of a fenced boot names; past this it gives their number, and each call's own event says the rest.
MOST_NAMED = 500


def locked(tenant_id: UUID, request_ids: Collection[UUID]) -> dict[UUID, ProxiedRequest]:
    """The requests, locked in the order of their ids; not against references, which others make to them."""
    rows = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk__in=request_ids)
    return {row.pk: row for row in rows.select_for_update(no_key=True).order_by("id")}


def erase_bodies(*, tenant_id: UUID, rows: Iterable[ProxiedRequest]) -> None:
    """Erase the kept bodies of requests that have ended: nothing may run them any more."""
    kept = [row.pk for row in rows if row.approval_id is not None]
    if kept:
        StoredBody.objects.for_tenant(tenant_id).filter(request_id__in=kept).delete()


def end(*, tenant_id: UUID, row: ProxiedRequest, state: RequestState, error: str, now: datetime) -> NewEvent | None:
    """Move a request that is still on its way to a final state; None when it had ended already."""
    mine = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk=row.pk, state__in=OPEN_STATES)
    if not mine.update(state=state, ended_at=now, error=error):
        return None
    erase_bodies(tenant_id=tenant_id, rows=[row])
    return NewEvent(kind=EVENT_OF[state], at=now, subject=row.pk, session_id=row.session_id, data={"error": error})


def end_holds(*, tenant_id: UUID, request_ids: Collection[UUID], gone: Collection[UUID], now: datetime) -> None:
    """The clients of held calls got their pending answers or went away.

    What is owed stays open: a call whose run is queued, or that runs at approval (`@run("approval")`). The others end
    as not sent, and the identical call that comes back is a request of its own. A result that was handed to a client
    of `gone`, who could not take it, waits for that call again.
    """
    rows = locked(tenant_id, request_ids)
    events = end_held(tenant_id, [rows[id_] for id_ in sorted(rows)], "approval.pending", now)
    handed = ApprovedRun.objects.for_tenant(tenant_id).filter(collected_by_request__in=set(gone) & set(rows))
    handed.filter(sealed_result__isnull=False).update(collected_at=None, collected_by_request=None)
    append_all(tenant_id=tenant_id, events=events)


def end_held(tenant_id: UUID, rows: Sequence[ProxiedRequest], error: str, now: datetime) -> list[NewEvent]:
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
    *,
    edge_id: UUID,
    tenants: Collection[UUID],
    boot_id: UUID,
    sending: Collection[UUID] | None,
    now: datetime,
    is_first: bool = True,
) -> None:
    """End what a fenced boot left on its way, and write down that it was fenced.

    `sending` is what its journal says may have left: those are ambiguous, the rest was not sent. Without a
    journal (None) nobody can tell, so all that was admitted is ambiguous. Held calls were never forwarded: they end
    as every hold does whose client is gone. Looked at again, a boot has a further event only for calls found then.
    """
    for tenant_id in sorted(tenants):
        with in_tenant(tenant_id):
            mine = ProxiedRequest.objects.for_tenant(tenant_id).filter(boot_id=boot_id, edge_id=edge_id)
            left = mine.filter(state__in=OPEN_STATES).exclude(error=CLIENT_GONE)
            rows = locked(tenant_id, list(left.values_list("id", flat=True)))
            events = end_held(tenant_id, [rows[id_] for id_ in sorted(rows)], "edge.fenced", now)
            admitted = [row for row in rows.values() if row.state == RequestState.ADMITTED]
            ended = [_end_fenced(tenant_id, row, sending, now) for row in admitted]
            events.extend(event for event in ended if event)
            doubted = [event.subject for event in ended if event and event.kind is EventKind.REQUEST_AMBIGUOUS]
            if is_first or doubted:
                events.insert(0, _fenced(edge_id, boot_id, doubted, now))
            append_all(tenant_id=tenant_id, events=events)


def _end_fenced(
    tenant_id: UUID, row: ProxiedRequest, sending: Collection[UUID] | None, now: datetime
) -> NewEvent | None:
    may_have_left = sending is None or row.pk in sending
    state = RequestState.AMBIGUOUS if may_have_left else RequestState.NOT_SENT
    return end(tenant_id=tenant_id, row=row, state=state, error="edge.fenced", now=now)


def _fenced(edge_id: UUID, boot_id: UUID, doubted: Sequence[UUID], now: datetime) -> NewEvent:
    """The end of one life of an edge, with the calls nobody can tell about; each has its own event besides."""
    data = {
        "edge": str(edge_id),
        "boot": str(boot_id),
        "count": len(doubted),
        "requests": [str(one) for one in doubted[:MOST_NAMED]],
    }
    return NewEvent(kind=EventKind.EDGE_FENCED, at=now, subject=boot_id, data=data)
