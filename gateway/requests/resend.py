"""Answering an admission that was written down before: the same answer, and no second event."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings

from audit.services import append_all
from gateway.problems import Problem
from gateway.requests import asks, minting, refusals, rows, settle, verdicts
from gateway.requests.entries import Allowed, Answered, Asked, Entry, Refused
from gateway.requests.models import ApprovedRun, ProxiedRequest, RequestState
from gateway.requests.outcomes import SALT_COLUMN
from gateway.requests.problems import AlreadyEnded, IdReused, RefusedByPolicy
from gateway.requests.resolutions import problem_of
from gateway.sealing.services import unseal
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Answer, Verdict, VerdictKind

# On a request that was answered with what another one's run had brought.
_BROUGHT = (asks.COLLECTED, asks.RUN_AMBIGUOUS)


def verdict_of_known(tenant_id: UUID, entry: Entry, *, edge_id: UUID, now: datetime) -> Verdict | None:
    """Return the answer of an admission already recorded, or None where its id is new.

    What was recorded decides; only a permission is not given again where it would be refused by now.
    """
    admission = entry.admission
    with in_tenant(tenant_id):
        row = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk=admission.id).first()
        if row is None:
            return None
        if row.fingerprint != rows.fingerprint(admission) or row.edge_id != edge_id:
            return refusals.refuse(IdReused(), admission=admission)
        return _again(row, entry, now)


def _collected(row: ProxiedRequest, now: datetime) -> Answer | None:
    if row.approval_id is None:
        return None
    runs = ApprovedRun.objects.for_tenant(row.tenant_id).filter(approval_id=row.approval_id)
    run = runs.select_for_update(no_key=True).first()
    return asks.collect(run, by=row.pk, now=now) if run is not None else None


def _permission(row: ProxiedRequest, entry: Entry, now: datetime) -> Verdict:
    """The permission given before, signed anew, where it would be given now: by policy, or by the grant it spent."""
    is_still = isinstance(entry, Allowed) or (isinstance(entry, Asked) and row.approval_id is not None)
    if isinstance(entry, Refused | Answered) or not is_still or entry.session is None:
        return _withdrawn(row, entry, now)
    salt = unseal(tenant_id=row.tenant_id, column=SALT_COLUMN, sealed=row.sealed_salt or b"")
    leaf = bytes(row.event_leaf or b"")
    return verdicts.forward(entry.examined, session=entry.session, leaf=leaf, salt=salt, now=now)


def _withdrawn(row: ProxiedRequest, entry: Entry, now: datetime) -> Verdict:
    """It was let through, and may not be any more (a key revoked since): nobody has forwarded it, and nobody will."""
    event = settle.end(tenant_id=row.tenant_id, row=row, state=RequestState.NOT_SENT, error=AlreadyEnded.code, now=now)
    append_all(tenant_id=row.tenant_id, events=[event] if event else [])
    problem = entry.problem if isinstance(entry, Refused) else AlreadyEnded()
    return refusals.refuse(problem, admission=entry.admission)


def _again(row: ProxiedRequest, entry: Entry, now: datetime) -> Verdict:
    admission = entry.admission
    match RequestState(row.state):
        case RequestState.ADMITTED:
            return _permission(row, entry, now)
        case RequestState.COMPLETED if isinstance(entry, Answered) and (
            given := minting.verdict_again(row, entry.mint)
        ):
            return given
        case RequestState.COMPLETED | RequestState.NOT_SENT if row.error in _BROUGHT and (
            answer := _collected(row, now)
        ):
            return Verdict(id=row.pk, kind=VerdictKind.RESULT, answer=answer)
        case RequestState.NOT_SENT if row.error == "approval.pending" and row.approval_id is not None:
            pending = refusals.pending(admission=admission, approval_id=row.approval_id, url=settings.PUBLIC_URL)
            return Verdict(id=row.pk, kind=VerdictKind.REFUSE, answer=pending)
        case RequestState.HELD | RequestState.RUNNING if row.approval_id is not None:
            pending = refusals.pending(admission=admission, approval_id=row.approval_id, url=settings.PUBLIC_URL)
            return asks.hold_verdict(row.pk, row.approval_id, pending)
        case RequestState.REFUSED:
            return refusals.refuse(_problem(row, entry), admission=admission)
        case RequestState.NOT_SENT if row.approval_id is not None:
            # Its hold's answer was lost, and people (or the clock) have ended it meanwhile: what they said counts.
            return refusals.refuse(problem_of(row.state, row.error), admission=admission)
        case _:
            return refusals.refuse(AlreadyEnded(), admission=admission)


def _problem(row: ProxiedRequest, entry: Entry) -> Problem:
    if isinstance(entry, Refused) and entry.problem.code == row.refusal_code:
        return entry.problem
    return RefusedByPolicy(row.advice)
