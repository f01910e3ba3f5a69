"""Storing how forwarded calls ended, as edges and workers tell it: what just was admitted in one statement.

Every end is one conditional write and one event, so a request ends once however often it is told. Ends nobody tells
(holds, fenced boots) are `gateway.requests.settle`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from audit.kinds import EventKind
from audit.models import RecordingPart
from audit.recordings import SealedHalf, sealed_half, store
from audit.services import NewEvent, append_all, as_json
from audit.sessions import Added, bump_counters
from gateway.masking.decoy_watch import MOST_FOUND, read_found
from gateway.masking.replacement import MOST_COMMITTED_VALUES
from gateway.requests import decoys, settle, storable
from gateway.requests.models import OPEN_STATES, ProxiedRequest, RequestState
from gateway.sealing.services import unseal
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import LARGEST_RECORDED_HEAD, Outcome

# No admission takes this long to commit: its database statement would have timed out before.
UNKNOWN_FOR = timedelta(seconds=60)
SALT_COLUMN = "requests_proxiedrequest.sealed_salt"
# More types or rules than any masker knows.
MOST_COUNTS = 256
LARGEST_COUNT = 1_000_000
_COUNTS = ("bytes_up", "bytes_down", "bytes_scanned", "bytes_unscanned", "bytes_unread")
_COMMITMENT = re.compile(r"[0-9a-f]{64}")
_VALUE = re.compile(r"[0-9a-f]{32}")
_STATE_OF = {
    OutcomeKind.COMPLETED: RequestState.COMPLETED,
    OutcomeKind.FAILED: RequestState.FAILED,
    OutcomeKind.NOT_SENT: RequestState.NOT_SENT,
    OutcomeKind.AMBIGUOUS: RequestState.AMBIGUOUS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What is known of a request an edge brought, as of now: whose it is, and how far it has come."""

    id: UUID
    tenant_id: UUID
    state: RequestState
    session_id: UUID
    approval_id: UUID | None
    sealed_salt: bytes | None = field(repr=False)


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The columns an outcome fills on its request's row."""

    id: UUID
    state: str
    started_at: datetime | None
    ended_at: datetime
    status: int | None
    error: str
    aws_request_id: str
    bytes_up: int
    bytes_down: int
    bytes_scanned: int
    bytes_unscanned: int
    masked: dict[str, Any]


_FILLED = tuple(name for name in End.__struct_fields__ if name != "id")


def brought_by(*, edge_id: UUID, request_ids: Collection[UUID]) -> dict[UUID, Brought]:
    """Return by id those of the requests this edge brought itself, of whichever tenant."""
    if not request_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, tenant_id, state, session_id, approval_id, sealed_salt FROM requests_of_edge(%s, %s::uuid[])",
            [edge_id, list(request_ids)],
        )
        return {
            id_: Brought(
                id=id_,
                tenant_id=tenant_id,
                state=RequestState(state),
                session_id=session_id,
                approval_id=approval_id,
                sealed_salt=salt,
            )
            for id_, tenant_id, state, session_id, approval_id, salt in cursor.fetchall()
        }


def store_outcomes(*, edge_id: UUID, outcomes: Iterable[Outcome], now: datetime) -> list[UUID]:
    """Store what an edge reports; returns every id that needs no second report.

    A young outcome whose admission is not known stays unacknowledged: the admission may be committing at this
    moment. An old one was never recorded, so it is acknowledged: it could only block the edge's journal.
    """
    by_id = {outcome.id: _sane(outcome, now) for outcome in outcomes}
    brought = brought_by(edge_id=edge_id, request_ids=by_id.keys())
    for tenant_id in sorted({one.tenant_id for one in brought.values()}):
        mine = [(one, by_id[id_]) for id_, one in brought.items() if one.tenant_id == tenant_id]
        simple = [(one, outcome) for one, outcome in mine if _is_simple(one, outcome)]
        is_done = _complete_at_once(tenant_id, simple) if simple else True
        rest = [outcome for one, outcome in mine if not (is_done and _is_simple(one, outcome))]
        if rest:
            with in_tenant(tenant_id):
                _store_for_tenant(tenant_id, rest, now)
    is_late = (now - UNKNOWN_FOR).timestamp()
    return [id_ for id_, outcome in by_id.items() if id_ in brought or outcome.ended_at < is_late]


def _is_simple(one: Brought, outcome: Outcome) -> bool:
    """A call that was let through, asked nobody, met no decoy, and has not ended: nearly all of them."""
    return one.state is RequestState.ADMITTED and one.approval_id is None and not outcome.decoys


def _complete_at_once(tenant_id: UUID, told: Sequence[tuple[Brought, Outcome]]) -> bool:
    """Write the ends of calls just admitted, in one statement; False, and nothing, where one of them moved on."""
    halves = [_half(tenant_id, outcome, one.sealed_salt) for one, outcome in told]
    events = [_event(outcome, one.session_id, settle.EVENT_OF[_STATE_OF[outcome.kind]]) for one, outcome in told]
    written = (
        [_end_of(outcome) for _, outcome in told],
        [half for half in halves if half is not None],
        _added((one.session_id, outcome) for one, outcome in told),
        [as_json(tenant_id=tenant_id, event=event) for event in events],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT requests_complete(%s, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb)",
            [tenant_id, *(msgspec.json.encode(part).decode() for part in written)],
        )
        return bool(cursor.fetchone()[0])


def _added(told: Iterable[tuple[UUID, Outcome]]) -> list[Added]:
    by_session: dict[UUID, list[Outcome]] = {}
    for session_id, outcome in told:
        by_session.setdefault(session_id, []).append(outcome)
    return [
        Added(
            id=session_id,
            now=max(_moment(outcome.ended_at) for outcome in outcomes),
            secrets_masked=sum(sum(outcome.masked_by_type.values()) for outcome in outcomes),
            bytes_out=sum(outcome.bytes_down for outcome in outcomes),
        )
        for session_id, outcomes in by_session.items()
    ]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


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
        masked_values=tuple(one for one in outcome.masked_values if _VALUE.fullmatch(one))[:MOST_COMMITTED_VALUES],
        mask_rules=storable.text(outcome.mask_rules, 80),
        request_commitment=_sane_commitment(outcome.request_commitment),
        response_commitment=_sane_commitment(outcome.response_commitment),
        head=outcome.head[:LARGEST_RECORDED_HEAD],
        head_is_whole=outcome.head_is_whole and len(outcome.head) <= LARGEST_RECORDED_HEAD,
        decoys=tuple(str(one) for text in outcome.decoys[:MOST_FOUND] if (one := read_found(text)) is not None),
    )


def _sane_counts(counts: Mapping[str, int]) -> dict[str, int]:
    kept = sorted(counts.items())[:MOST_COUNTS]
    return {storable.text(name, 80): storable.number(count, LARGEST_COUNT) for name, count in kept}


def _sane_commitment(commitment: str) -> str:
    return commitment if _COMMITMENT.fullmatch(commitment) else ""


def _end_of(outcome: Outcome) -> End:
    return End(
        id=outcome.id,
        state=_STATE_OF[outcome.kind].value,
        started_at=_moment(outcome.started_at) if outcome.started_at else None,
        ended_at=_moment(outcome.ended_at),
        status=outcome.status,
        error=outcome.error,
        aws_request_id=outcome.aws_request_id,
        bytes_up=outcome.bytes_up,
        bytes_down=outcome.bytes_down,
        bytes_scanned=outcome.bytes_scanned,
        bytes_unscanned=outcome.bytes_unscanned,
        masked={
            "by_type": dict(outcome.masked_by_type),
            "by_rule": dict(outcome.masked_by_rule),
            "rules": outcome.mask_rules,
            "values": list(outcome.masked_values),
            "bytes_unread": outcome.bytes_unread,
        },
    )


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
        "bytes_unread": outcome.bytes_unread,
        "mask_rules": outcome.mask_rules,
        "masked": dict(outcome.masked_by_type),
        "request_commitment": outcome.request_commitment,
        "response_commitment": outcome.response_commitment,
    }


def _event(outcome: Outcome, session_id: UUID, kind: EventKind, *, was: RequestState | None = None) -> NewEvent:
    data = outcome_data(outcome) | ({"was": was.value} if was else {})
    return NewEvent(kind=kind, at=_moment(outcome.ended_at), subject=outcome.id, session_id=session_id, data=data)


def _half(tenant_id: UUID, outcome: Outcome, sealed_salt: bytes | memoryview | None) -> SealedHalf | None:
    """The masked answer for the session's timeline, where there is one."""
    if not outcome.head or sealed_salt is None:
        return None
    return sealed_half(
        tenant_id=tenant_id,
        request_id=outcome.id,
        part=RecordingPart.RESPONSE,
        body=outcome.head,
        content_type=outcome.content_type,
        salt=unseal(tenant_id=tenant_id, column=SALT_COLUMN, sealed=sealed_salt),
        is_whole=outcome.head_is_whole,
        byte_count=outcome.bytes_down,
        now=_moment(outcome.ended_at),
    )


def _store_for_tenant(tenant_id: UUID, outcomes: list[Outcome], now: datetime) -> None:
    found = settle.locked(tenant_id, [outcome.id for outcome in outcomes])
    ends = [outcome.id for outcome in outcomes if found[outcome.id].state == RequestState.HELD]
    # A held call was never let through: all an edge can say of it is that nobody waits any more.
    events = settle.end_held(tenant_id, [found[id_] for id_ in sorted(ends)], "admission.unanswered", now)
    told = [one for one in outcomes if found[one.id].state not in (RequestState.HELD, RequestState.RUNNING)]
    events += _apply_all(tenant_id, found, [one for one in told if one.id not in ends])
    append_all(tenant_id=tenant_id, events=events)


def _apply_all(tenant_id: UUID, rows: Mapping[UUID, ProxiedRequest], outcomes: Iterable[Outcome]) -> list[NewEvent]:
    """Write outcomes on their locked rows; returns the events, for the caller to append."""
    events, told = [], []
    for outcome in outcomes:
        event = _apply(tenant_id, rows[outcome.id], outcome)
        if event is not None:
            events.append(event)
            told.append((rows[outcome.id], outcome))
    findings = [event for row, outcome in told for event in _decoys(row, outcome)]
    bump_counters(tenant_id=tenant_id, added=_added((row.session_id, outcome) for row, outcome in told))
    settle.erase_bodies(tenant_id=tenant_id, rows=[row for row, _ in told])
    return [*findings, *events]


def _decoys(row: ProxiedRequest, outcome: Outcome) -> list[NewEvent]:
    """The findings of decoys that the edge met in what it sent."""
    found = [one for text in outcome.decoys if (one := read_found(text)) is not None]
    at = _moment(outcome.ended_at)
    return decoys.found_in_call(found, row, where="upload", now=at, code=outcome.error) if found else []


def _apply(tenant_id: UUID, row: ProxiedRequest, outcome: Outcome) -> NewEvent | None:
    """Write one outcome on its row; None when the row already says the same."""
    was, state = RequestState(row.state), _STATE_OF[outcome.kind]
    is_correction = was not in OPEN_STATES
    if is_correction and was not in {RequestState.AMBIGUOUS, RequestState.NOT_SENT}:
        return None
    if was is state:
        return None
    end = _end_of(outcome)
    for name in _FILLED:
        setattr(row, name, getattr(end, name))
    row.save(update_fields=_FILLED)
    half = _half(tenant_id, outcome, row.sealed_salt)
    store(tenant_id=tenant_id, halves=[half] if half else [])
    if is_correction:
        return _event(outcome, row.session_id, EventKind.REQUEST_CORRECTED, was=was)
    return _event(outcome, row.session_id, settle.EVENT_OF[state])


def store_run_outcome(*, tenant_id: UUID, outcome: Outcome) -> None:
    """Store how a worker's run of an approved call ended. Call inside the tenant's transaction."""
    told = _sane(outcome, _moment(outcome.ended_at))
    append_all(tenant_id=tenant_id, events=_apply_all(tenant_id, settle.locked(tenant_id, [told.id]), [told]))
