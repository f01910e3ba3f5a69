"""From an entry to the row and the event that record it. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.kinds import EventKind
from audit.services import NewEvent
from gateway.problems import Problem
from gateway.requests import storable
from gateway.requests.decoys import tag_of
from gateway.requests.draft_rows import DraftRow
from gateway.requests.entries import Refused
from gateway.requests.examine import Examined, issues_decoys, question_record, recorded_arn
from gateway.requests.intent import IntentLink, link_of
from gateway.requests.keyring import KeyFacts
from gateway.requests.models import ProxiedRequest, RequestState
from gateway.requests.refusals import dialect_of
from gateway.terms import Effect
from gateway.wire.contract import Admission

_EVENT_OF = {
    RequestState.ADMITTED: EventKind.REQUEST_ADMITTED,
    RequestState.HELD: EventKind.REQUEST_HELD,
    RequestState.RUNNING: EventKind.REQUEST_RUN,
    RequestState.REFUSED: EventKind.REQUEST_REFUSED,
    RequestState.NOT_SENT: EventKind.REQUEST_NOT_SENT,
    RequestState.COMPLETED: EventKind.REQUEST_COMPLETED,
}


def fingerprint(admission: Admission) -> str:
    """What a resent admission must equal: method, target, headers and body."""
    digest = hashlib.sha256(f"{admission.method}\n{admission.target}\n".encode())
    for name, value in admission.headers:
        digest.update(f"{name}:{value}\n".encode())
    digest.update(hashlib.sha256(admission.body).digest())
    return digest.hexdigest()


def _base(
    admission: Admission,
    key: KeyFacts,
    link: IntentLink,
    *,
    session_id: UUID,
    edge_id: UUID,
    boot_id: UUID,
    now: datetime,
) -> DraftRow:
    text = storable.text
    return DraftRow(
        id=admission.id,
        tenant_id=key.tenant_id,
        session_id=session_id,
        prompt_id=link.prompt_id,
        key_id=key.id,
        tool_use_id=link.tool_use_id,
        link=link.level.value,
        link_reason=link.reason,
        person_id=key.person_id,
        person_label=key.principal.label,
        agent_id=key.principal.agent_id,
        agent_label=key.principal.agent_label or "",
        connection_id=key.connection.id,
        connection_label=key.connection.label,
        edge_id=edge_id,
        boot_id=boot_id,
        source=text(admission.source, 64),
        method=text(admission.method, 10),
        dialect=dialect_of(admission).name,
        fingerprint=fingerprint(admission),
        invocation_id=text(_invocation(admission), 80),
        received_at=storable.moment(admission.received_at, now=now),
        decided_at=now,
    )


def _invocation(admission: Admission) -> str:
    """What an SDK names all attempts at one call by."""
    named = (value for name, value in reversed(admission.headers) if name.lower() == "amz-sdk-invocation-id")
    return next(named, "")


def understood(
    examined: Examined, *, state: RequestState, session_id: UUID, edge_id: UUID, boot_id: UUID, now: datetime
) -> DraftRow:
    """The row of a call that was understood and decided."""
    row = _base(
        examined.admission,
        examined.key,
        examined.link,
        session_id=session_id,
        edge_id=edge_id,
        boot_id=boot_id,
        now=now,
    )
    primary, decision, text = examined.primary, examined.decision, storable.text
    record = question_record(examined.question, examined.candidates, examined.key.detectors)
    row.service, row.operation = text(primary.operation.service, 80), text(primary.operation.name, 120)
    row.region, row.access = text(examined.question.region, 40), primary.access.value
    row.actions = [text(action.name, 160) for action in primary.actions]
    row.resources = [text(recorded_arn(resource.arn, examined.key.detectors)) for resource in primary.resources]
    row.question = record
    row.parameters = record["candidates"][examined.candidates.index(primary)]["parameters"]
    row.effect, row.would_be = decision.effect.value, decision.would_be.value if decision.would_be else ""
    row.rule_ids, row.revision = list(decision.rule_ids), decision.revision
    row.advice, row.reason = decision.advice, text(decision.reason)
    row.state = state
    return row


def refused(entry: Refused, *, session_id: UUID, edge_id: UUID, boot_id: UUID, now: datetime) -> DraftRow:
    """The row of a verified key's call that is not let through."""
    if entry.examined is not None:
        row = understood(
            entry.examined,
            state=RequestState.REFUSED,
            session_id=session_id,
            edge_id=edge_id,
            boot_id=boot_id,
            now=now,
        )
    else:
        link = link_of(entry.key, now=now)
        row = _base(entry.admission, entry.key, link, session_id=session_id, edge_id=edge_id, boot_id=boot_id, now=now)
        row.service, row.region = storable.text(entry.signing_name, 80), storable.text(entry.region, 40)
        row.effect, row.state, row.reason = (
            Effect.DENY.value,
            RequestState.REFUSED,
            storable.text(entry.problem.message),
        )
    row.refusal_code, row.ended_at = entry.problem.code, now
    return row


def event_of(row: DraftRow, *, now: datetime, problem: Problem | None = None, decoy_tag: int | None = None) -> NewEvent:
    """The event that stands for a new row: labels as of now, and everything the decision rested on.

    With a tag, that of the decoys its answer may hold: the ledger itself says whose they are.
    """
    more = {"code": problem.code} if problem else {}
    tag = {"decoy_tag": decoy_tag} if decoy_tag is not None else {}
    return NewEvent(
        kind=_EVENT_OF[RequestState(row.state)],
        at=now,
        subject=row.id,
        session_id=row.session_id,
        data=_call(row) | more | tag,
    )


def run_event_of(row: ProxiedRequest, examined: Examined, *, now: datetime) -> NewEvent:
    """The event of an approved call that is about to be sent: by the policy as of now, not as of when it was asked."""
    decision = examined.decision
    data = _call(row) | {
        "effect": decision.effect.value,
        "rules": list(decision.rule_ids),
        "revision": decision.revision,
        **({"decoy_tag": tag_of(tenant_id=row.tenant_id, request_id=row.pk)} if issues_decoys(examined) else {}),
    }
    return NewEvent(kind=EventKind.REQUEST_RUN, at=now, subject=row.pk, session_id=row.session_id, data=data)


def _call(row: DraftRow | ProxiedRequest) -> dict[str, Any]:
    return {
        "person": row.person_label,
        "agent": row.agent_label,
        "key": str(row.key_id),
        "connection": row.connection_label,
        "service": row.service,
        "operation": row.operation,
        "access": row.access,
        "actions": list(row.actions),
        "resources": list(row.resources),
        "effect": row.effect,
        "would_be": row.would_be,
        "rules": list(row.rule_ids),
        "revision": row.revision,
        "reason": row.reason,
        "link": row.link,
        **({"link_reason": row.link_reason} if row.link_reason else {}),
        "prompt": str(row.prompt_id) if row.prompt_id else None,
        **({"tool_use": str(row.tool_use_id)} if row.tool_use_id else {}),
        "edge": str(row.edge_id),
        "source": row.source,
        "approval": str(row.approval_id) if row.approval_id else None,
        "fingerprint": row.fingerprint,
    }
