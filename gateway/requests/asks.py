"""Calls people must approve: opening or joining the question, taking a grant, holding the client.

Votes and quorum are `approvals`; running what was granted is `gateway.requests.run`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec
from django.conf import settings

from approvals.models import ApprovalRequest, ApprovalState
from approvals.services import ApprovalDetails, open_or_join, set_client_waiting, take_granted
from audit.services import NewEvent
from gateway.requests import refusals, storable, verdicts
from gateway.requests.asking import is_for_worker
from gateway.requests.draft_rows import DraftRow
from gateway.requests.entries import Asked
from gateway.requests.models import ApprovedRun, RequestState, RunState, StoredBody
from gateway.requests.pins import stored
from gateway.sealing.services import seal, unseal
from gateway.tenants.models import OutboxKind
from gateway.tenants.outbox import enqueue
from gateway.terms import RunWhen
from gateway.wire.contract import Admission, Answer, Hold, Verdict, VerdictKind

BODY_COLUMN = "requests_storedbody.sealed"
RESULT_COLUMN = "requests_approvedrun.sealed_result"
# How long the result of a call whose client had gone can be collected, once.
RESULT_KEPT = timedelta(hours=24)
# What a request's row says that brought another's kept result.
COLLECTED = "approval.collected"
# Runs that have an answer for whoever asked: of an ambiguous one, that it may have run.
ENDED_RUNS = (RunState.COMPLETED, RunState.FAILED, RunState.AMBIGUOUS)
RUN_AMBIGUOUS = "run.ambiguous"


class Place(StrEnum):
    """Where an asked call stands once it is written down."""

    WAITS = "waits"
    JOINS = "joins"
    RUNS = "runs"
    FORWARDED = "forwarded"
    COLLECTED = "collected"
    TOLD_TO_RETURN = "told to return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    place: Place
    approval_id: UUID
    collected: Answer | None = None


def place(entry: Asked, row: DraftRow, *, now: datetime, later: list[NewEvent]) -> Placed:
    """Decide where an asked call stands, and set its row's state; events go to `later`, for the caller to append."""
    examined, tenant_id = entry.examined, row.tenant_id
    row.reason = storable.text(_reason(entry))
    found = _collect(tenant_id, entry.digest, row, now) or _take(entry, row, now, later)
    if found is not None:
        return found
    approval = open_or_join(
        tenant_id=tenant_id,
        digest=entry.digest,
        asks=examined.decision.asks,
        details=_details(entry, row),
        now=now,
        later=later,
    )
    # The grant may have come between looking for it and joining: then nobody else will wake this call.
    if approval.state == ApprovalState.GRANTED:
        found = _take(entry, row, now, later)
        if found is not None:
            return found
    row.approval_id = approval.pk
    if is_for_worker(examined):
        return Placed(place=Place.WAITS, approval_id=approval.pk)
    row.state, row.ended_at, row.error = RequestState.NOT_SENT, now, "approval.pending"
    return Placed(place=Place.TOLD_TO_RETURN, approval_id=approval.pk)


def _take(entry: Asked, row: DraftRow, now: datetime, later: list[NewEvent]) -> Placed | None:
    """Spend a grant that answers all that policy asks now, where this call can be let through by it."""
    if not is_for_worker(entry.examined) and entry.session is None:
        return None
    granted = take_granted(
        tenant_id=row.tenant_id,
        digest=entry.digest,
        request_id=row.id,
        now=now,
        asks=entry.examined.decision.asks,
        later=later,
    )
    return _granted(entry, row, granted) if granted is not None else None


def _granted(entry: Asked, row: DraftRow, approval: ApprovalRequest) -> Placed:
    row.approval_id = approval.pk
    if entry.session is not None:
        row.state = RequestState.ADMITTED
        return Placed(place=Place.FORWARDED, approval_id=approval.pk)
    return Placed(place=Place.RUNS, approval_id=approval.pk)


def _collect(tenant_id: UUID, digest: str, row: DraftRow, now: datetime) -> Placed | None:
    """The run of the identical call whose client had gone: its kept result, once, or a place to wait for it."""
    used = ApprovalRequest.objects.for_tenant(tenant_id).filter(digest=digest, state=ApprovalState.USED)
    runs = ApprovedRun.objects.for_tenant(tenant_id).filter(collected_at=None)
    kept = runs.filter(approval_id__in=used.values("id"), state__in=ENDED_RUNS, result_until__gt=now)
    run = kept.select_for_update(no_key=True).order_by("ended_at").first()
    if run is None:
        gone = used.filter(client_is_waiting=False).values("id")
        under_way = runs.filter(approval_id__in=gone, state__in=(RunState.QUEUED, RunState.RUNNING)).first()
        return _join_run(under_way, row) if under_way is not None else None
    answer = collect(run, by=row.id, now=now)
    if answer is None:
        return None
    row.state, row.error = end_of_collector(run)
    row.approval_id, row.ended_at = run.approval_id, now
    return Placed(place=Place.COLLECTED, approval_id=run.approval_id, collected=answer)


def end_of_collector(run: ApprovedRun) -> tuple[RequestState, str]:
    """How a call ends that brought another's answer: it was not sent itself, and had a result or learned of a doubt."""
    if run.state == RunState.AMBIGUOUS:
        return RequestState.NOT_SENT, RUN_AMBIGUOUS
    return RequestState.COMPLETED, COLLECTED


def _join_run(run: ApprovedRun, row: DraftRow) -> Placed:
    """It runs at this moment: the client that came back waits for that run's result."""
    row.approval_id = run.approval_id
    set_client_waiting(tenant_id=row.tenant_id, approval_id=run.approval_id, is_waiting=True)
    return Placed(place=Place.JOINS, approval_id=run.approval_id)


def collect(run: ApprovedRun, *, by: UUID, now: datetime) -> Answer | None:
    """Give a kept result to one request; the same request may ask again, since the answer to it may be lost.

    Returns None where another has it or it was erased. The caller holds the run's row.
    """
    if run.sealed_result is None or (run.collected_at is not None and run.collected_by_request != by):
        return None
    if run.collected_at is None:
        run.collected_at, run.collected_by_request = now, by
        run.save(update_fields=("collected_at", "collected_by_request"))
    plain = unseal(tenant_id=run.tenant_id, column=RESULT_COLUMN, sealed=run.sealed_result)
    return msgspec.msgpack.decode(plain, type=Answer)


def _reason(entry: Asked) -> str:
    """Why people are asked, and what their answer will pin and will not."""
    pins = [f"{pin.name} is {pin.now}" for pin in entry.pinned.pins]
    parts = {"": [entry.examined.decision.reason], "pinned: ": pins, "not pinned: ": entry.pinned.not_pinned}
    return "; ".join(f"{head}{', '.join(told)}" for head, told in parts.items() if any(told))


def _details(entry: Asked, row: DraftRow) -> ApprovalDetails:
    examined = entry.examined
    return ApprovalDetails(
        request_id=row.id,
        session_id=row.session_id,
        prompt_id=row.prompt_id,
        asker_id=examined.key.principal.id,
        asker_label=row.person_label,
        agent_id=row.agent_id,
        agent_label=row.agent_label,
        key_id=row.key_id,
        connection_id=row.connection_id,
        connection_label=row.connection_label,
        service=row.service,
        operation=row.operation,
        region=row.region,
        resources=list(row.resources),
        parameters=dict(row.parameters),
        revision=row.revision,
        # All of them must say so: one that waits for the client to return is the stricter.
        runs_at_once=all(ask.run is RunWhen.APPROVAL for ask in examined.decision.asks),
        client_is_waiting=is_for_worker(examined),
        pins=stored(entry.pinned.pins),
        not_pinned=list(entry.pinned.not_pinned),
    )


def keep(placed: Placed, entry: Asked, row: DraftRow, *, now: datetime) -> None:
    """Keep the exact request, sealed, for the worker that may run it; queue it where it was granted already."""
    if placed.place not in {Place.WAITS, Place.RUNS}:
        return
    plain = msgspec.msgpack.encode(entry.examined.admission)
    sealed = seal(tenant_id=row.tenant_id, column=BODY_COLUMN, plaintext=plain)
    StoredBody.objects.create(tenant_id=row.tenant_id, request_id=row.id, sealed=sealed, stored_at=now)
    if placed.place is Place.RUNS:
        queue_run(tenant_id=row.tenant_id, approval_id=placed.approval_id, request_id=row.id, now=now)


def stored_admission(tenant_id: UUID, request_id: UUID) -> Admission | None:
    """The exact request kept for a held call, or None once it was erased."""
    body = StoredBody.objects.for_tenant(tenant_id).filter(request_id=request_id).first()
    if body is None:
        return None
    plain = unseal(tenant_id=tenant_id, column=BODY_COLUMN, sealed=body.sealed)
    return msgspec.msgpack.decode(plain, type=Admission)


def queue_run(*, tenant_id: UUID, approval_id: UUID, request_id: UUID, now: datetime) -> ApprovedRun:
    """Queue the one run of a granted approval, with its outbox row; a second one raises IntegrityError."""
    run = ApprovedRun.objects.create(tenant_id=tenant_id, approval_id=approval_id, request_id=request_id, queued_at=now)
    enqueue(tenant_id=tenant_id, kind=OutboxKind.RUN_GRANTED, subject=run.pk, now=now)
    return run


def verdict(placed: Placed, entry: Asked, request_id: UUID, *, leaf: bytes, salt: bytes, now: datetime) -> Verdict:
    """What the edge does with an asked call."""
    admission = entry.examined.admission
    pending = refusals.pending(admission=admission, approval_id=placed.approval_id, url=settings.PUBLIC_URL)
    match placed.place:
        case Place.COLLECTED:
            return Verdict(id=request_id, kind=VerdictKind.RESULT, answer=placed.collected)
        case Place.FORWARDED if entry.session is not None:
            return verdicts.forward(entry.examined, session=entry.session, leaf=leaf, salt=salt, now=now)
        case Place.TOLD_TO_RETURN:
            return Verdict(id=request_id, kind=VerdictKind.REFUSE, answer=pending)
        case _:
            return hold_verdict(request_id, placed.approval_id, pending)


def hold_verdict(request_id: UUID, approval_id: UUID, pending: Answer) -> Verdict:
    """Hold the client, with interim responses, until people answered or the hold is over."""
    hold = Hold(
        approval_id=approval_id,
        seconds=settings.HOLD_SECONDS,
        interim_seconds=settings.INTERIM_SECONDS,
        pending=pending,
    )
    return Verdict(id=request_id, kind=VerdictKind.HOLD, hold=hold)
