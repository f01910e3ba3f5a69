"""Admitting a batch: tenant by tenant, read - think - sign in - write down - answer.

Thinking is `examine`, writing is `rows` and `asks`, signing is `verdicts`. One bad item is its own refusal.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError

from approvals.selectors import has_granted
from audit.refusals import count
from gateway.connections.sessions import role_session
from gateway.connections.sts import RoleSession
from gateway.engine import CompiledRevision
from gateway.identity.keys import KeyName, read_access_key_id
from gateway.policy.services import current
from gateway.problems import Problem
from gateway.requests import refusals
from gateway.requests.asks import approvable_body, call_session, session_ask
from gateway.requests.edges import EdgeIdentity
from gateway.requests.entries import Allowed, Asked, Entry, Refused, Untrusted
from gateway.requests.examine import Examined, examine, verified, wire_request
from gateway.requests.keyring import KeyFacts, keys_of
from gateway.requests.problems import UnknownKey
from gateway.requests.resend import verdict_of_known
from gateway.requests.write import Written, write_down
from gateway.tenants.scope import in_tenant
from gateway.terms import Effect
from gateway.wire.contract import Admission, BodyMode, Refusal, Verdict
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import Claim, claim_of

log = logging.getLogger("hoopweb.admissions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One admission whose claim could be read; nothing about it is believed yet."""

    admission: Admission
    request: WireRequest
    claim: Claim
    name: KeyName


def admit(*, edge: EdgeIdentity, boot_id: UUID, items: Sequence[Admission], now: datetime) -> list[Verdict]:
    """Answer every admission of a batch, in the order asked. The edge and its boot are verified already."""
    verdicts: dict[UUID, Verdict] = {}
    untrusted: list[Untrusted] = []
    arrivals: dict[UUID, list[Arrival]] = defaultdict(list)
    for item in items:
        arrival = _arrive(item, edge)
        if isinstance(arrival, Untrusted):
            untrusted.append(arrival)
        else:
            arrivals[arrival.name.tenant_id].append(arrival)
    for tenant_id in sorted(arrivals):
        answered, refused = _admit_for_tenant(tenant_id, arrivals[tenant_id], edge=edge, boot_id=boot_id, now=now)
        verdicts.update(answered)
        untrusted.extend(refused)
    _count(edge, untrusted, now)
    for one in untrusted:
        verdicts[one.admission.id] = refusals.refuse(one.problem, admission=one.admission)
    return [verdicts[item.id] for item in items]


def _arrive(admission: Admission, edge: EdgeIdentity) -> Arrival | Untrusted:
    try:
        request = wire_request(admission)
        claim = claim_of(request)
        name = read_access_key_id(claim.access_key_id)
        # A tenant outside the edge's scope is answered like a key that never was.
        if name is None or name.tenant_id not in edge.tenants:
            raise UnknownKey
    except Problem as problem:
        return Untrusted(admission=admission, problem=problem)
    return Arrival(admission=admission, request=request, claim=claim, name=name)


def _admit_for_tenant(
    tenant_id: UUID, arrivals: Sequence[Arrival], *, edge: EdgeIdentity, boot_id: UUID, now: datetime
) -> tuple[dict[UUID, Verdict], list[Untrusted]]:
    with in_tenant(tenant_id):
        keys = keys_of(tenant_id=tenant_id, access_key_ids={arrival.claim.access_key_id for arrival in arrivals})
        revision = _revision(tenant_id)
    entries: list[Entry] = []
    untrusted: list[Untrusted] = []
    for arrival in arrivals:
        entry = _enter(arrival, keys.get(arrival.claim.access_key_id), revision, now)
        if isinstance(entry, Untrusted):
            untrusted.append(entry)
        else:
            entries.append(entry)
    return _write(tenant_id, entries, edge=edge, boot_id=boot_id, now=now), untrusted


def _revision(tenant_id: UUID) -> CompiledRevision | Problem:
    """The tenant's policy, or why there is none: then each of its calls is refused with that reason."""
    try:
        return current(tenant_id)
    except Problem as problem:
        return problem


def _enter(
    arrival: Arrival, key: KeyFacts | None, revision: CompiledRevision | Problem, now: datetime
) -> Entry | Untrusted:
    try:
        facts = verified(arrival.admission, arrival.request, arrival.claim, key, now)
    except Problem as problem:
        return Untrusted(admission=arrival.admission, problem=problem)
    try:
        return _decided(arrival, facts, revision, now)
    except Problem as problem:
        return _refused(arrival, facts, problem)
    except Exception:
        # The outer edge of one item: what nobody foresaw in it is its own refusal, never its neighbours'.
        log.exception("admission %s could not be examined", arrival.admission.id)
        return _refused(arrival, facts, Problem("The gateway could not examine this call"))


def _refused(arrival: Arrival, key: KeyFacts, problem: Problem, examined: Examined | None = None) -> Refused:
    return Refused(
        admission=arrival.admission,
        key=key,
        problem=problem,
        signing_name=arrival.claim.service,
        region=arrival.claim.region,
        examined=examined,
    )


def _decided(arrival: Arrival, key: KeyFacts, revision: CompiledRevision | Problem, now: datetime) -> Entry:
    if isinstance(revision, Problem):
        raise revision
    examined = examine(
        admission=arrival.admission, request=arrival.request, claim=arrival.claim, key=key, revision=revision, now=now
    )
    try:
        match examined.decision.effect:
            case Effect.DENY:
                raise refusals.of_decision(examined.decision)
            case Effect.ALLOW:
                return Allowed(examined=examined, session=role_session(session_ask(examined), now))
            case Effect.ASK:
                approvable_body(examined)
                return Asked(examined=examined, session=_session_if_granted(examined, now))
    except Problem as problem:
        return _refused(arrival, key, problem, examined)


def _session_if_granted(examined: Examined, now: datetime) -> RoleSession | None:
    """A payload cannot be stored for a worker: once approved, it is forwarded, so its session is fetched here."""
    if examined.admission.body_mode is not BodyMode.PAYLOAD:
        return None
    with in_tenant(examined.key.tenant_id):
        is_granted = has_granted(tenant_id=examined.key.tenant_id, digest=examined.digest, now=now)
    return call_session(examined) if is_granted else None


def _write(
    tenant_id: UUID, entries: Sequence[Entry], *, edge: EdgeIdentity, boot_id: UUID, now: datetime
) -> dict[UUID, Verdict]:
    if not entries:
        return {}
    try:
        return _write_once(tenant_id, entries, edge=edge, boot_id=boot_id, now=now)
    except IntegrityError:
        # A resent batch: some of its ids are known. Those get the answer they had, the rest are written.
        fresh, verdicts = [], {}
        for entry in entries:
            verdict = verdict_of_known(tenant_id, entry, edge_id=edge.id, now=now)
            if verdict is None:
                fresh.append(entry)
            else:
                verdicts[verdict.id] = verdict
        if not verdicts:
            raise
        return verdicts | (_write_once(tenant_id, fresh, edge=edge, boot_id=boot_id, now=now) if fresh else {})


def _write_once(
    tenant_id: UUID, entries: Sequence[Entry], *, edge: EdgeIdentity, boot_id: UUID, now: datetime
) -> dict[UUID, Verdict]:
    with in_tenant(tenant_id):
        written: list[Written] = write_down(tenant_id, entries, edge_id=edge.id, boot_id=boot_id, now=now)
    return {one.id: one.verdict(now) for one in written}


def _count(edge: EdgeIdentity, untrusted: Sequence[Untrusted], now: datetime) -> None:
    if untrusted:
        items = [Refusal(source=one.admission.source, code=one.problem.code, count=1) for one in untrusted]
        count(edge_id=edge.id, items=items, now=now)
