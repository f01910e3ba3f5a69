"""Writing a tenant's entries down: sessions, requests and events in one transaction, the head lock last.

Nothing here waits for a network or thinks about policy; what a verdict says is settled by what was written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from audit.recordings import SealedHalf, spelled, store
from audit.services import NewEvent
from audit.sessions import Added, opened_event, session_for
from gateway.problems import Problem
from gateway.requests import asks, decoys, minting, refusals, replays, rows, verdicts
from gateway.requests.counters import is_delete, resources, taints
from gateway.requests.draft_rows import DraftRow
from gateway.requests.entries import Allowed, Answered, Asked, Entry, Refused
from gateway.requests.examine import issues_decoys
from gateway.requests.insertion import insert
from gateway.requests.keyring import KeyFacts
from gateway.requests.models import RequestState
from gateway.requests.outcomes import SALT_COLUMN
from gateway.sealing.services import seal
from gateway.wire.contract import Verdict

SALT_BYTES = 32
_STATES = {Allowed: RequestState.ADMITTED, Answered: RequestState.COMPLETED, Asked: RequestState.HELD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One request as recorded; `verdict` is made after the commit, since only then may anything leave."""

    id: UUID
    verdict: Callable[[datetime], Verdict]


@dataclass(slots=True, kw_only=True)
class Draft:
    """A row on its way into the ledger."""

    row: DraftRow
    entry: Entry
    salt: bytes = field(repr=False, default=b"")
    problem: Problem | None = None
    hold: asks.Placed | None = None
    half: SealedHalf | None = None


def write_down(
    tenant_id: UUID, entries: Sequence[Entry], *, edge_id: UUID, boot_id: UUID, now: datetime
) -> list[Written]:
    """Record the entries in order; an id known already raises IntegrityError.

    Call inside the tenant's transaction, unless `is_one_statement`.
    """
    sessions, opened = _sessions(tenant_id, [key_of(entry) for entry in entries], now)
    drafts = [_draft(entry, sessions[key_of(entry).id], edge_id=edge_id, boot_id=boot_id, now=now) for entry in entries]
    before = [*opened, *_place(drafts, now)]
    for draft in drafts:
        # Before the ledger's lock; the reference to the request is checked at the commit.
        if draft.hold is not None and isinstance(draft.entry, Asked):
            asks.keep(draft.hold, draft.entry, draft.row, now=now)
    before += _keep_minted(drafts, now)
    before += _decoys(tenant_id, drafts, now)
    store(tenant_id=tenant_id, halves=[draft.half for draft in drafts if draft.half is not None])
    events = [*before, *(_event(draft, now) for draft in drafts)]
    rows_ = [draft.row for draft in drafts]
    seen = replays.seen(entries)
    leaves = insert(tenant_id=tenant_id, rows=rows_, events=events, added=_added(drafts, now), seen=seen)
    return [Written(id=one.row.id, verdict=_verdict(one, leaf)) for one, leaf in zip(drafts, leaves, strict=True)]


def _event(draft: Draft, now: datetime) -> NewEvent:
    row = draft.row
    tag = decoys.tag_of(tenant_id=row.tenant_id, request_id=row.id) if _may_issue(draft.entry) else None
    return rows.event_of(row, now=now, problem=draft.problem, decoy_tag=tag)


def is_one_statement(entries: Iterable[Entry]) -> bool:
    """Whether nothing is to be opened or asked for these, so that one statement writes all there is to write."""
    return all(
        not isinstance(entry, Asked | Answered) and key_of(entry).session_id is not None and not _has_decoys(entry)
        for entry in entries
    )


def _has_decoys(entry: Entry) -> bool:
    """Whether it carries decoys, or its answer may."""
    return bool(entry.decoys) or _may_issue(entry)


def _may_issue(entry: Entry) -> bool:
    return isinstance(entry, Allowed | Asked) and issues_decoys(entry.examined)


def _decoys(tenant_id: UUID, drafts: Sequence[Draft], now: datetime) -> list[NewEvent]:
    """Keep which answers may hold decoys; returns the findings of those that calls carry."""
    issuing = [draft.row.id for draft in drafts if _may_issue(draft.entry)]
    if issuing:
        decoys.keep_issued(tenant_id=tenant_id, request_ids=issuing, now=now)
    carrying = ((draft.row, draft.entry.decoys) for draft in drafts if draft.entry.decoys)
    return [event for row, found in carrying for event in decoys.found_in_call(found, row, where="request", now=now)]


def _place(drafts: Sequence[Draft], now: datetime) -> list[NewEvent]:
    """Find each asked call its place; returns the events of the approvals, to be appended before the calls'."""
    events: list[NewEvent] = []
    asked = [(draft.entry.digest, draft) for draft in drafts if isinstance(draft.entry, Asked)]
    # In the order of their digests: two batches that ask for the same calls must lock their approvals alike.
    for _, draft in sorted(asked, key=lambda pair: pair[0]):
        if isinstance(draft.entry, Asked):
            draft.hold = asks.place(draft.entry, draft.row, now=now, later=events)
    return events


def _keep_minted(drafts: Sequence[Draft], now: datetime) -> list[NewEvent]:
    """Keep the keys that calls are answered with; returns their events."""
    minted = [draft.entry for draft in drafts if isinstance(draft.entry, Answered)]
    return [minting.keep(entry.mint, entry.examined, now=now) for entry in minted]


def key_of(entry: Entry) -> KeyFacts:
    """The key behind an entry."""
    return entry.key if isinstance(entry, Refused) else entry.examined.key


def _draft(entry: Entry, session_id: UUID, *, edge_id: UUID, boot_id: UUID, now: datetime) -> Draft:
    if isinstance(entry, Refused):
        row = rows.refused(entry, session_id=session_id, edge_id=edge_id, boot_id=boot_id, now=now)
        return Draft(row=row, entry=entry, problem=entry.problem)
    state = _STATES[type(entry)]
    row = rows.understood(entry.examined, state=state, session_id=session_id, edge_id=edge_id, boot_id=boot_id, now=now)
    salt = os.urandom(SALT_BYTES)
    row.sealed_salt = spelled(seal(tenant_id=row.tenant_id, column=SALT_COLUMN, plaintext=salt))
    if not isinstance(entry, Answered):
        return Draft(row=row, entry=entry, salt=salt)
    minting.end(row, entry.mint, now=now)
    return Draft(row=row, entry=entry, salt=salt, half=minting.half(row, entry.mint, salt=salt, now=now))


def _sessions(tenant_id: UUID, keys: Iterable[KeyFacts], now: datetime) -> tuple[dict[UUID, UUID], list[NewEvent]]:
    """Return key id -> session id, opening those that do not exist yet, and the events of the opened."""
    known: dict[UUID, UUID] = {}
    opened: list[NewEvent] = []
    # In one order: two batches that open the same sessions must wait for each other's rows alike.
    for key in sorted({key.id: key for key in keys}.values(), key=lambda one: str(one.session_name)):
        if key.session_id is not None:
            known[key.id] = key.session_id
            continue
        session, is_new = session_for(
            tenant_id=tenant_id,
            person_id=key.person_id,
            person_label=key.principal.label,
            agent_id=key.principal.agent_id,
            agent_label=key.principal.agent_label or "",
            connection_id=key.connection.id,
            connection_label=key.connection.label,
            conversation=key.conversation,
            key_id=key.root_id,
            now=now,
        )
        known[key.id] = session.pk
        opened.extend([opened_event(session, key_id=key.id)] if is_new else [])
    return known, opened


def _added(drafts: Sequence[Draft], now: datetime) -> list[Added]:
    by_session: dict[UUID, list[Draft]] = {}
    for draft in drafts:
        by_session.setdefault(draft.row.session_id, []).append(draft)
    return [
        Added(
            id=session_id,
            now=now,
            calls=len(mine),
            refused=sum(draft.row.state == RequestState.REFUSED for draft in mine),
            held=sum(draft.row.state == RequestState.HELD for draft in mine),
            deletes=sum(draft.row.state != RequestState.REFUSED and is_delete(draft.row.operation) for draft in mine),
            taint=tuple(sorted({taint for draft in mine for taint in taints(draft.entry)})),
            resources=tuple(sorted({digest for draft in mine for digest in resources(draft.entry)})),
        )
        for session_id, mine in by_session.items()
    ]


def _verdict(draft: Draft, leaf: bytes) -> Callable[[datetime], Verdict]:
    entry, row = draft.entry, draft.row
    if isinstance(entry, Refused):
        problem = entry.problem
        return lambda _now: refusals.refuse(problem, admission=entry.admission)
    if isinstance(entry, Allowed):
        return lambda now: verdicts.forward(entry.examined, session=entry.session, leaf=leaf, salt=draft.salt, now=now)
    if isinstance(entry, Answered):
        given = entry.mint
        return lambda _now: minting.verdict(row.id, given)
    placed = draft.hold
    if placed is None:
        raise AssertionError("an asked entry was not placed")
    return lambda now: asks.verdict(placed, entry, row.id, leaf=leaf, salt=draft.salt, now=now)
