"""The events of an approval request: which facts each carries. Appending them is `audit.services`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from approvals.models import ApprovalRequest, Vote
from audit.kinds import EventKind
from audit.ledger.canonical import timestamp
from audit.services import NewEvent
from gateway.identity.proof import Proof
from gateway.terms import Ask


def _event(approval: ApprovalRequest, kind: EventKind, at: datetime, **data: Any) -> NewEvent:
    return NewEvent(kind=kind, at=at, subject=approval.pk, session_id=approval.session_id, data=data)


def opened(approval: ApprovalRequest, asks: Sequence[Ask]) -> NewEvent:
    """Who asked for what, by which rules, and what would be enough."""
    return _event(
        approval,
        EventKind.APPROVAL_OPENED,
        approval.opened_at,
        person=str(approval.asker_id),
        rules=[ask.rule_id for ask in asks],
        quorum={ask.rule_id: ask.quorum for ask in asks},
        revision=approval.revision,
        digest=approval.digest,
        expires_at=timestamp(approval.expires_at),
        request=str(approval.request_id),
        pins=approval.pins,
        not_pinned=approval.not_pinned,
    )


def voted(approval: ApprovalRequest, vote: Vote, *, proof: Proof | None) -> NewEvent:
    """Whose answer it was, by what proof he was there and how old it was, and the key it came by where no signed-in person gave it."""
    return _event(
        approval,
        EventKind.APPROVAL_VOTED,
        vote.voted_at,
        voter=str(vote.voter_id),
        vote=vote.answer,
        reason=vote.reason,
        key=str(vote.api_key_id) if vote.api_key_id else None,
        digest=approval.digest,
        **(proof.facts if proof else {}),
    )


def granted(approval: ApprovalRequest, at: datetime) -> NewEvent:
    return _event(approval, EventKind.APPROVAL_GRANTED, at, digest=approval.digest, request=str(approval.request_id))


def refused(approval: ApprovalRequest, at: datetime) -> NewEvent:
    return _event(approval, EventKind.APPROVAL_REFUSED, at, digest=approval.digest, request=str(approval.request_id))


def used(approval: ApprovalRequest, at: datetime) -> NewEvent:
    """`request` is the call that spent the grant, which need not be the one that asked."""
    return _event(approval, EventKind.APPROVAL_USED, at, digest=approval.digest, request=str(approval.used_by_request))


def expired(approval: ApprovalRequest, at: datetime, *, was: str) -> NewEvent:
    return _event(
        approval,
        EventKind.APPROVAL_EXPIRED,
        at,
        digest=approval.digest,
        state=was,
        expires_at=timestamp(approval.expires_at),
    )


def revoked(approval: ApprovalRequest, at: datetime, *, was: str, by: str, reason: str) -> NewEvent:
    return _event(approval, EventKind.APPROVAL_REVOKED, at, digest=approval.digest, state=was, by=by, reason=reason)
