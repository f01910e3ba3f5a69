"""Running approved calls, at most once: take the grant, ask policy again, sign afresh, send, mask, keep the answer.

The database decides who runs: a conditional update takes a run, a lease says until when, and what a crash leaves
between is `ambiguous`, shown to a person and never silently run again. Sending is `gateway.requests.sending`.
"""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.db import DatabaseError, connection
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from approvals.models import ApprovalRequest, ApprovalState
from approvals.services import covers, take_granted_by_id
from audit.services import NewEvent, append_all
from gateway.connections.sts import RoleSession
from gateway.policy.services import compiled
from gateway.problems import Problem
from gateway.requests import outcomes, rows, settle, unreadable, verdicts
from gateway.requests.asking import call_session, digest_of, session_ask
from gateway.requests.asks import RESULT_COLUMN, RESULT_KEPT, queue_run, stored_admission
from gateway.requests.declared import with_declared
from gateway.requests.decoys import keep_issued
from gateway.requests.examine import Examined, check_decoys, examine, issues_decoys, plan_of, wire_request
from gateway.requests.keyring import keys_of
from gateway.requests.models import ApprovedRun, ProxiedRequest, RequestState, RunState
from gateway.requests.pins import Pin, changed, pin, restored
from gateway.requests.problems import ApprovalLapsed, KeyExpired, ReferenceChanged, RefusedByPolicy, RunFailed
from gateway.requests.refusals import answer_in, dialect_named
from gateway.requests.sending import Sent, must_read_names, send
from gateway.sealing.services import seal, unseal
from gateway.tenants.scope import in_tenant
from gateway.terms import Effect, OutcomeKind
from gateway.wire.contract import Upstream
from gateway.wire.sigv4 import claim_of

log = logging.getLogger("hoopweb.runs")
# A live worker renews its lease while it sends; what a dead one left is found this soon.
LEASE = timedelta(seconds=15)
RENEW_SECONDS = 4.0
# A run nobody took for this long has lost its message.
STALE = timedelta(seconds=20)
# A queued run that no worker began by then ends: an answer for now is not one for some day.
BEGIN_WITHIN = timedelta(minutes=15)
# A collected result stays this long, for the edge that did not hear the answer and asks again.
RESULT_REPEATED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A run this worker holds: nobody else can take it, and its event is written."""

    run_id: UUID
    fence: int
    tenant_id: UUID
    request_id: UUID
    upstream: Upstream
    body: bytes = field(repr=False)
    examined: Examined
    salt: bytes = field(repr=False)


def open_run(*, tenant_id: UUID, approval_id: UUID, now: datetime) -> UUID | None:
    """A grant was given: spend it for the call that waits, and queue its run. Returns the run's id.

    Nobody waiting (and the rule does not run at once): the grant stays for the identical call that returns.
    """
    with in_tenant(tenant_id):
        held = ProxiedRequest.objects.for_tenant(tenant_id).filter(approval_id=approval_id, state=RequestState.HELD)
        waiting = list(held.select_for_update(no_key=True).order_by("id"))
        if not waiting:
            return None
        row = max(waiting, key=_claim_to_grant)
        events: list[NewEvent] = []
        granted = take_granted_by_id(
            tenant_id=tenant_id, approval_id=approval_id, request_id=row.pk, now=now, later=events
        )
        if granted is None:
            return None
        # Others that waited for the same grant: it is good once, so they are told to ask anew.
        for other in waiting:
            if other.pk != row.pk:
                ended = settle.end(
                    tenant_id=tenant_id, row=other, state=RequestState.NOT_SENT, error="approval.spent", now=now
                )
                events.extend([ended] if ended else [])
        run = queue_run(tenant_id=tenant_id, approval_id=approval_id, request_id=row.pk, now=now)
        append_all(tenant_id=tenant_id, events=events)
    return run.pk


def _claim_to_grant(row: ProxiedRequest) -> tuple[bool, datetime, UUID]:
    """Who of several identical calls gets the grant: one whose client waits, and the newest of those.

    The newest, since an SDK repeats a call when its connection was lost: then the older one's client has gone unheard.
    """
    return row.error != settle.CLIENT_GONE, row.received_at, row.pk


def perform(*, tenant_id: UUID, run_id: UUID, worker: str, now: datetime) -> OutcomeKind | None:
    """Run one queued run; None where another worker has it or had it. Never sends twice."""
    ready = _ready(tenant_id, run_id, now)
    if ready is None:
        return None
    if isinstance(ready, Problem):
        return _not_sent(tenant_id, run_id, ready, now)
    examined = ready.examined
    try:
        must_read_names(plan_of(examined))
        session = call_session(examined)
        # The last thing before it is taken: what people were shown must still be what the call names.
        _must_hold(ready)
    except Problem as problem:
        return _not_sent(tenant_id, run_id, problem, now)
    # Not as of the start: STS may have taken longer than a lease lasts.
    taken = _take(tenant_id, run_id, examined, session, worker=worker, now=timezone.now())
    if taken is None:
        return None
    with _lease_kept(taken):
        sent = send(taken.upstream, taken.body, plan=plan_of(examined), request_id=taken.request_id, salt=taken.salt)
    _finish(taken, sent)
    return sent.outcome.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """An approved call as of now, and what its references were when people were asked."""

    examined: Examined
    pins: tuple[Pin, ...]


def _must_hold(ready: _Ready) -> None:
    """Raise ReferenceChanged unless every pinned reference still is what it was."""
    if not ready.pins:
        return
    moved = changed(ready.pins, pin(ready.examined, session=session_ask(ready.examined)))
    if moved:
        raise ReferenceChanged("; ".join(moved))


def _ready(tenant_id: UUID, run_id: UUID, now: datetime) -> _Ready | Problem | None:
    """The stored call, examined as of now: keys, standing and policy are asked again."""
    with in_tenant(tenant_id):
        run = ApprovedRun.objects.for_tenant(tenant_id).filter(pk=run_id, state=RunState.QUEUED).first()
        if run is None:
            return None
        admission = stored_admission(tenant_id, run.request_id)
        approval = ApprovalRequest.objects.for_tenant(tenant_id).get(pk=run.approval_id)
        if admission is None or approval.state != ApprovalState.USED:
            return ApprovalLapsed()
        request = wire_request(admission)
        claim = claim_of(request)
        keyring = keys_of(tenant_id=tenant_id, access_key_ids=[claim.access_key_id])
        key = keyring.keys.get(claim.access_key_id)
        try:
            revision = compiled(tenant_id, keyring.revision_id)
        except Problem as problem:
            return problem
    if key is None or isinstance(key, Problem):
        return key or KeyExpired()
    try:
        # The signature was verified when the call arrived; its date may be outside the window by now.
        examined = examine(
            admission=admission,
            request=request,
            claim=claim,
            key=with_declared(key, request),
            revision=revision,
            now=now,
        )
        check_decoys(examined)
    except Problem as problem:
        return problem
    examined = unreadable.asked_about(examined, now=now)
    with in_tenant(tenant_id):
        is_answered = covers(approval, examined.decision.asks)
    return _still_approved(examined, approval, is_answered=is_answered)


def _still_approved(examined: Examined, approval: ApprovalRequest, *, is_answered: bool) -> _Ready | Problem:
    """Policy as of now may be stricter than when people answered: then their answer is not enough."""
    pins = restored(approval.pins)
    is_same = hmac.compare_digest(digest_of(examined, pins), approval.digest)
    if examined.decision.effect is Effect.DENY or not is_answered or not is_same:
        return RefusedByPolicy("Policy has changed since this call was approved")
    return _Ready(examined=examined, pins=pins)


def _take(
    tenant_id: UUID, run_id: UUID, examined: Examined, session: RoleSession, *, worker: str, now: datetime
) -> Taken | None:
    """Take the run and write down that it runs; after the commit it may be sent, and only by this worker."""
    with in_tenant(tenant_id):
        queued = ApprovedRun.objects.for_tenant(tenant_id).filter(pk=run_id, state=RunState.QUEUED)
        # One conditional update: of two workers with the same message, one changes a row.
        if not queued.update(
            state=RunState.RUNNING, worker=worker[:120], lease_until=now + LEASE, started_at=now, fence=F("fence") + 1
        ):
            return None
        run = ApprovedRun.objects.for_tenant(tenant_id).get(pk=run_id)
        row = ProxiedRequest.objects.for_tenant(tenant_id).select_for_update(no_key=True).get(pk=run.request_id)
        if row.state != RequestState.HELD:
            ApprovedRun.objects.for_tenant(tenant_id).filter(pk=run_id).update(state=RunState.NOT_SENT, ended_at=now)
            return None
        row.state, row.started_at = RequestState.RUNNING, now
        if issues_decoys(examined):
            # Policy may ask for them only now; known already where it did when the call came.
            keep_issued(tenant_id=tenant_id, request_ids=[row.pk], now=now)
        event = append_all(tenant_id=tenant_id, events=[rows.run_event_of(row, examined, now=now)])[0]
        row.event_sequence, row.event_leaf = event.sequence, event.leaf
        row.save(update_fields=("state", "started_at", "event_sequence", "event_leaf"))
        salt = unseal(tenant_id=tenant_id, column=outcomes.SALT_COLUMN, sealed=row.sealed_salt or b"")
    upstream = verdicts.upstream(examined, session=session, leaf=event.leaf, now=now)
    return Taken(
        run_id=run_id,
        fence=run.fence,
        tenant_id=tenant_id,
        request_id=row.pk,
        upstream=upstream,
        body=examined.admission.body,
        examined=examined,
        salt=salt,
    )


@contextmanager
def _lease_kept(taken: Taken) -> Iterator[None]:
    """Renew the lease for as long as the send lasts. A worker that is killed renews nothing, and that is how one knows."""
    sent = threading.Event()
    renewing = threading.Thread(target=_renew_until, args=(taken, sent), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        sent.set()
        renewing.join()


def _renew_until(taken: Taken, sent: threading.Event) -> None:
    """Renew every few seconds, on a connection of this thread's own."""
    while not sent.wait(RENEW_SECONDS):
        try:
            with in_tenant(taken.tenant_id):
                mine = ApprovedRun.objects.for_tenant(taken.tenant_id).filter(
                    pk=taken.run_id, state=RunState.RUNNING, fence=taken.fence
                )
                mine.update(lease_until=timezone.now() + LEASE)
        except DatabaseError as error:
            # Not renewed in time, the run ends as ambiguous, and its outcome corrects that.
            log.warning("the lease of run %s was not renewed: %s", taken.run_id, type(error).__name__)
        finally:
            connection.close()


def _finish(taken: Taken, sent: Sent) -> None:
    """Write the outcome and keep the masked answer; a lease that was lost leaves both to the sweep's finding."""
    state = RunState(sent.outcome.kind.value)
    with in_tenant(taken.tenant_id):
        plain = msgspec.msgpack.encode(sent.answer)
        sealed = seal(tenant_id=taken.tenant_id, column=RESULT_COLUMN, plaintext=plain)
        # Ambiguous, where the lease was lost meanwhile: what really came is better, unless the doubt was told already.
        mine = ApprovedRun.objects.for_tenant(taken.tenant_id).filter(
            pk=taken.run_id, state__in=(RunState.RUNNING, RunState.AMBIGUOUS), fence=taken.fence, collected_at=None
        )
        mine.update(state=state, ended_at=sent.ended_at, sealed_result=sealed, result_until=sent.ended_at + RESULT_KEPT)
        outcomes.store_run_outcome(tenant_id=taken.tenant_id, outcome=sent.outcome)


def _not_sent(tenant_id: UUID, run_id: UUID, problem: Problem, now: datetime) -> OutcomeKind:
    """Refused on the way: nothing was sent, and the run is over."""
    with in_tenant(tenant_id):
        run = ApprovedRun.objects.for_tenant(tenant_id).select_for_update(no_key=True).get(pk=run_id)
        if run.state == RunState.QUEUED:
            run.state, run.ended_at = RunState.NOT_SENT, now
            run.save(update_fields=("state", "ended_at"))
            row = ProxiedRequest.objects.for_tenant(tenant_id).get(pk=run.request_id)
            event = settle.end(tenant_id=tenant_id, row=row, state=RequestState.NOT_SENT, error=problem.code, now=now)
            told = [replace(event, data={**event.data, "reason": problem.message})] if event else []
            append_all(tenant_id=tenant_id, events=told)
    return OutcomeKind.NOT_SENT


def settle_lost(*, tenant_id: UUID, now: datetime) -> int:
    """End runs no worker will end; returns how many.

    One whose worker died after taking it may have been sent: ambiguous. One that nobody began in time was not sent;
    whoever approved it approved it for then.
    """
    runs = ApprovedRun.objects.for_tenant(tenant_id)
    lost = runs.filter(state=RunState.RUNNING, lease_until__lt=now)
    never_begun = runs.filter(state=RunState.QUEUED, queued_at__lt=now - BEGIN_WITHIN)
    with in_tenant(tenant_id):
        ends = [
            *_ended_runs(tenant_id, lost, RunState.AMBIGUOUS, "worker.lost", now),
            *_ended_runs(tenant_id, never_begun, RunState.NOT_SENT, "run.never_begun", now),
        ]
        append_all(tenant_id=tenant_id, events=[event for event in ends if event])
    return len(ends)


def _ended_runs(
    tenant_id: UUID, runs: QuerySet[ApprovedRun], state: RunState, error: str, now: datetime
) -> list[NewEvent | None]:
    ends = []
    for run in runs.select_for_update(skip_locked=True, no_key=True).order_by("id"):
        row = ProxiedRequest.objects.for_tenant(tenant_id).get(pk=run.request_id)
        run.state, run.ended_at = state, now
        if state is RunState.AMBIGUOUS:
            run.sealed_result, run.result_until = _doubt(row, error), now + RESULT_KEPT
        run.save(update_fields=("state", "ended_at", "sealed_result", "result_until"))
        ends.append(settle.end(tenant_id=tenant_id, row=row, state=RequestState(state.value), error=error, now=now))
    return ends


def _doubt(row: ProxiedRequest, error: str) -> bytes:
    """The answer of a call nobody can tell about: kept like a result, so that whoever repeats the call hears it first."""
    dialect = dialect_named(row.dialect, method=row.method, request_id=row.pk)
    answer = answer_in(dialect, RunFailed(f"It may have run ({error})"))
    return seal(tenant_id=row.tenant_id, column=RESULT_COLUMN, plaintext=msgspec.msgpack.encode(answer))


def erase_results(*, tenant_id: UUID, now: datetime) -> int:
    """Erase kept results that were collected or that nobody came for; returns how many."""
    with in_tenant(tenant_id):
        kept = ApprovedRun.objects.for_tenant(tenant_id).filter(sealed_result__isnull=False)
        over = kept.filter(Q(result_until__lt=now) | Q(collected_at__lt=now - RESULT_REPEATED))
        return int(over.update(sealed_result=None))
