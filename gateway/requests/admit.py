"""Admitting a batch: tenant by tenant, read - think - sign in - write down - answer.

Thinking is `examine`, writing is `rows` and `asks`, signing is `verdicts`. One bad item is its own refusal.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DataError, IntegrityError

from audit.refusals import count
from gateway.connections.sessions import role_session
from gateway.engine import CompiledRevision
from gateway.identity.keys import KeyName, read_access_key_id
from gateway.policy.services import compiled
from gateway.problems import Problem
from gateway.requests import minting, refusals, replays, unreadable, unsigned
from gateway.requests.asking import asked, session_ask
from gateway.requests.counters import CountedBefore
from gateway.requests.declared import with_declared
from gateway.requests.decoy_sightings import look_at_key
from gateway.requests.edges import EdgeIdentity
from gateway.requests.entries import Allowed, Answered, Entry, Refused, Untrusted
from gateway.requests.examine import Examined, carried_by, check_decoys, examine, verified, wire_request
from gateway.requests.keyring import KeyFacts, keys_of
from gateway.requests.minting_problems import NotForApproval
from gateway.requests.problems import BootFenced, IdReused, NotExamined, UnknownKey
from gateway.requests.resend import verdict_of_known
from gateway.requests.write import Written, is_one_statement, write_down
from gateway.tenants.scope import in_tenant
from gateway.terms import Effect, SessionCounters
from gateway.wire.contract import Admission, Refusal, Verdict
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
    """Answer every admission of a batch, in the order asked. The edge is verified already.

    Raises BootFenced where this boot of the edge may admit no more.
    """
    verdicts: dict[UUID, Verdict] = {}
    untrusted: list[Untrusted] = []
    arrivals: dict[UUID, list[Arrival]] = defaultdict(list)
    for item in items:
        arrival = _received(item, edge=edge, boot_id=boot_id, now=now)
        if isinstance(arrival, Verdict):
            verdicts[item.id] = arrival
        elif isinstance(arrival, Untrusted):
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


def _unforeseen(admission: Admission) -> Problem:
    """The outer edge of one item: what nobody foresaw in it is its own refusal, never its neighbours'."""
    log.exception("admission %s could not be examined", admission.id)
    return NotExamined()


def _received(
    admission: Admission, *, edge: EdgeIdentity, boot_id: UUID, now: datetime
) -> Arrival | Untrusted | Verdict:
    """Read one admission's claim; a workload that brings a token instead of a signature is answered at once."""
    try:
        request = wire_request(admission)
        parameters = unsigned.parameters_of(request)
        if parameters is None:
            return _arrival(admission, request, edge, now)
        visit = unsigned.visitor(admission, request, parameters, edge=edge, now=now)
        entry = unsigned.entry_of(visit, edge_id=edge.id, boot_id=boot_id, now=now)
    except BootFenced:
        raise
    except Problem as problem:
        return Untrusted(admission=admission, problem=problem)
    except Exception:  # noqa: BLE001  # logged with its cause; see _unforeseen
        return Untrusted(admission=admission, problem=_unforeseen(admission))
    return _write(visit.home.tenant_id, [entry], edge=edge, boot_id=boot_id, now=now)[admission.id]


def _arrival(admission: Admission, request: WireRequest, edge: EdgeIdentity, now: datetime) -> Arrival:
    claim = claim_of(request)
    name = read_access_key_id(claim.access_key_id)
    # A tenant outside the edge's scope is answered like a key that never was.
    if name is None or not edge.serves_tenant(name.tenant_id):
        look_at_key(claim.access_key_id, tenants=edge.tenants, source=admission.source, edge_id=edge.id, now=now)
        raise UnknownKey
    return Arrival(admission=admission, request=request, claim=claim, name=name)


def _admit_for_tenant(
    tenant_id: UUID, arrivals: Sequence[Arrival], *, edge: EdgeIdentity, boot_id: UUID, now: datetime
) -> tuple[dict[UUID, Verdict], list[Untrusted]]:
    names = {arrival.claim.access_key_id for arrival in arrivals}
    keyring = keys_of(tenant_id=tenant_id, access_key_ids=names, edge_id=edge.id, boot_id=boot_id)
    revision = _revision(tenant_id, keyring.revision_id)
    entries: list[Entry] = []
    untrusted: list[Untrusted] = []
    before = CountedBefore()
    for arrival in arrivals:
        key = _served(keyring.keys.get(arrival.claim.access_key_id), edge)
        entry = _enter(arrival, key, before, revision, now)
        if isinstance(entry, Untrusted):
            untrusted.append(entry)
        else:
            before.count(entry)
            entries.append(entry)
    return _write(tenant_id, entries, edge=edge, boot_id=boot_id, now=now), untrusted


def _served(key: KeyFacts | Problem | None, edge: EdgeIdentity) -> KeyFacts | Problem | None:
    """A connection outside the edge's scope is answered like a key that never was, too."""
    if isinstance(key, KeyFacts) and not edge.serves(key.tenant_id, key.connection.id):
        return None
    return key


def _revision(tenant_id: UUID, revision_id: UUID | None) -> CompiledRevision | Problem:
    """The tenant's policy, or why there is none: then each of its calls is refused with that reason."""
    try:
        return compiled(tenant_id, revision_id)
    except Problem as problem:
        return problem


def _enter(
    arrival: Arrival,
    key: KeyFacts | Problem | None,
    before: CountedBefore,
    revision: CompiledRevision | Problem,
    now: datetime,
) -> Entry | Untrusted:
    try:
        facts = verified(arrival.admission, arrival.request, arrival.claim, key, now)
    except Problem as problem:
        return Untrusted(admission=arrival.admission, problem=problem)
    except Exception:  # noqa: BLE001  # logged with its cause; see _unforeseen
        return Untrusted(admission=arrival.admission, problem=_unforeseen(arrival.admission))
    try:
        return _decided(arrival, facts, before.as_of(facts), revision, now)
    except Problem as problem:
        return _refused(arrival, facts, problem)
    except Exception:  # noqa: BLE001  # logged with its cause; see _unforeseen
        return _refused(arrival, facts, _unforeseen(arrival.admission))


def _refused(arrival: Arrival, key: KeyFacts, problem: Problem, examined: Examined | None = None) -> Refused:
    return Refused(
        admission=arrival.admission,
        key=key,
        problem=problem,
        signing_name=arrival.claim.service,
        region=arrival.claim.region,
        examined=examined,
        carried=carried_by(arrival.admission, key) if examined is None else (),
    )


def _decided(
    arrival: Arrival,
    key: KeyFacts,
    counters: SessionCounters,
    revision: CompiledRevision | Problem,
    now: datetime,
) -> Entry:
    if isinstance(revision, Problem):
        raise revision
    examined = examine(
        admission=arrival.admission,
        request=arrival.request,
        claim=arrival.claim,
        key=with_declared(key, arrival.request),
        revision=revision,
        now=now,
        counters=counters,
    )
    try:
        check_decoys(examined)
        examined = unreadable.asked_about(minting.advised(examined), now=now)
        match examined.decision.effect:
            case Effect.DENY:
                raise refusals.of_decision(examined.decision)
            case Effect.ALLOW if minting.is_answered(examined):
                return Answered(examined=examined, mint=minting.mint(examined, now=now))
            case Effect.ALLOW:
                return Allowed(examined=examined, session=role_session(session_ask(examined), now))
            case Effect.ASK if minting.is_answered(examined):
                # A worker would send it to AWS, and have real credentials in its hands.
                raise NotForApproval
            case Effect.ASK:
                return asked(examined, now=now)
    except Problem as problem:
        return _refused(arrival, key, problem, examined)


def _write(
    tenant_id: UUID, entries: Sequence[Entry], *, edge: EdgeIdentity, boot_id: UUID, now: datetime
) -> dict[UUID, Verdict]:
    if not entries:
        return {}
    try:
        return _write_once(tenant_id, entries, edge=edge, boot_id=boot_id, now=now)
    except (IntegrityError, DataError):
        # A resent batch, or an item the database cannot take: each on its own, so that none fails for another.
        verdicts: dict[UUID, Verdict] = {}
        for entry in entries:
            verdicts |= _write_alone(tenant_id, entry, edge=edge, boot_id=boot_id, now=now)
        return verdicts


def _write_alone(
    tenant_id: UUID, entry: Entry, *, edge: EdgeIdentity, boot_id: UUID, now: datetime
) -> dict[UUID, Verdict]:
    """One item: the answer it had where its id is known, else written; refused where it cannot be."""
    admission = entry.admission
    known = verdict_of_known(tenant_id, entry, edge_id=edge.id, now=now)
    if known is not None:
        return {admission.id: known}
    try:
        return _write_once(tenant_id, [entry], edge=edge, boot_id=boot_id, now=now)
    except IntegrityError as error:
        if replays.is_replay(error):
            return _write_once(tenant_id, [replays.refused(entry)], edge=edge, boot_id=boot_id, now=now)
        # The same item came by another post a moment earlier, or the id is another tenant's.
        known = verdict_of_known(tenant_id, entry, edge_id=edge.id, now=now)
        return {admission.id: known or refusals.refuse(IdReused(), admission=admission)}
    except DataError:
        return {admission.id: refusals.refuse(_unforeseen(admission), admission=admission)}


def _write_once(
    tenant_id: UUID, entries: Sequence[Entry], *, edge: EdgeIdentity, boot_id: UUID, now: datetime
) -> dict[UUID, Verdict]:
    with nullcontext() if is_one_statement(entries) else in_tenant(tenant_id):
        written: list[Written] = write_down(tenant_id, entries, edge_id=edge.id, boot_id=boot_id, now=now)
    return {one.id: one.verdict(now) for one in written}


def _count(edge: EdgeIdentity, untrusted: Sequence[Untrusted], now: datetime) -> None:
    if untrusted:
        items = [Refusal(source=one.admission.source, code=one.problem.code, count=1) for one in untrusted]
        count(edge_id=edge.id, items=items, now=now)
