"""Answering an admission that was written down before: the same answer, and no second event."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings

from gateway.problems import Problem
from gateway.requests import asks, refusals, rows, verdicts
from gateway.requests.entries import Allowed, Entry, Refused
from gateway.requests.models import ProxiedRequest, RequestState
from gateway.requests.problems import AlreadyEnded, IdReused, RefusedByPolicy
from gateway.requests.settle import SALT_COLUMN
from gateway.sealing.services import unseal
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Admission, Verdict


def _admission(entry: Entry) -> Admission:
    return entry.admission if isinstance(entry, Refused) else entry.examined.admission


def verdict_of_known(tenant_id: UUID, entry: Entry, *, edge_id: UUID, now: datetime) -> Verdict | None:
    """Return the answer of an admission already recorded, or None where its id is new.

    What was recorded decides: a policy published since then changes nothing for a call that was answered.
    """
    admission = _admission(entry)
    with in_tenant(tenant_id):
        row = ProxiedRequest.objects.for_tenant(tenant_id).filter(pk=admission.id).first()
        if row is None:
            return None
        if row.fingerprint != rows.fingerprint(admission) or row.edge_id != edge_id:
            return refusals.refuse(IdReused(), admission=admission)
        return _again(row, entry, now)


def _again(row: ProxiedRequest, entry: Entry, now: datetime) -> Verdict:
    admission = _admission(entry)
    match RequestState(row.state):
        case RequestState.ADMITTED if isinstance(entry, Allowed):
            salt = unseal(tenant_id=row.tenant_id, column=SALT_COLUMN, sealed=row.sealed_salt or b"")
            leaf = bytes(row.event_leaf or b"")
            return verdicts.forward(entry.examined, session=entry.session, leaf=leaf, salt=salt, now=now)
        case RequestState.HELD | RequestState.RUNNING if row.approval_id is not None:
            pending = refusals.pending(admission=admission, approval_id=row.approval_id, url=settings.PUBLIC_URL)
            return asks.hold_verdict(row.pk, row.approval_id, pending)
        case RequestState.REFUSED:
            return refusals.refuse(_problem(row, entry), admission=admission)
        case _:
            return refusals.refuse(AlreadyEnded(), admission=admission)


def _problem(row: ProxiedRequest, entry: Entry) -> Problem:
    if isinstance(entry, Refused) and entry.problem.code == row.refusal_code:
        return entry.problem
    return RefusedByPolicy(row.advice)
