"""What changes an approval request: opening, answering, using, revoking, expiring.

Who may answer is `approvals.voters`; running what was approved is `gateway.requests`. Every function is called
inside the tenant's transaction (`gateway.tenants.scope.in_tenant`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from approvals import facts, voters
from approvals.models import ApprovalRequest, ApprovalRequirement, ApprovalState, Vote, VoteAnswer
from approvals.problems import ApprovalNotFound, ReasonRefused
from approvals.quorum import Standing, standing
from audit.services import NewEvent, append_all
from gateway.identity.caller import Caller
from gateway.identity.problems import RightMissing
from gateway.identity.proof import proof_of
from gateway.tenants.models import OutboxKind, Tenant
from gateway.tenants.outbox import enqueue
from gateway.tenants.rights import Right
from gateway.terms import Ask

OPEN_STATES = (ApprovalState.PENDING, ApprovalState.GRANTED)
LARGEST_REASON = 2_000
# One sweep's share of expired requests, so that no sweep holds many row locks for long.
_LARGEST_SWEEP = 500
# Two identical calls race to open; a third turn is only needed when the winner ended in between.
_TURNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDetails:
    """The call that asks, as approvers will see it: `parameters` with secrets replaced already."""

    request_id: UUID
    asker_id: UUID
    asker_label: str
    key_id: UUID
    connection_id: UUID
    connection_label: str
    service: str
    operation: str
    region: str
    revision: str
    session_id: UUID | None = None
    prompt_id: UUID | None = None
    agent_id: UUID | None = None
    agent_label: str = ""
    resources: Sequence[Any] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pins: Sequence[Mapping[str, str]] = ()
    not_pinned: Sequence[str] = ()
    runs_at_once: bool = False
    client_is_waiting: bool = True

    def columns(self) -> dict[str, Any]:
        """Return the values by column name of ApprovalRequest."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        listed = {name: list(found[name]) for name in ("resources", "pins", "not_pinned")}
        return found | listed | {"parameters": dict(self.parameters)}


def _record(tenant_id: UUID, made: list[NewEvent], later: list[NewEvent] | None) -> None:
    """Append events now, or hand them to the caller, whose transaction appends all of its own at its end."""
    if later is None:
        append_all(tenant_id=tenant_id, events=made)
    else:
        later.extend(made)


def open_or_join(
    *,
    tenant_id: UUID,
    digest: str,
    asks: tuple[Ask, ...],
    details: ApprovalDetails,
    now: datetime,
    later: list[NewEvent] | None = None,
) -> ApprovalRequest:
    """Return the open request of this digest, or open one; people are asked once for one call.

    An open request that has expired, or that asks other people than policy does now, ends first: nobody's old
    yes may answer a stricter question. With `later`, events are added to it instead of appended here; a caller
    that appends more of its own passes it, since the ledger's lock must be taken once and last. A caller that opens
    several goes by ascending digest, so that no two wait for each other.
    """
    if not asks:
        raise ValueError("an approval request needs at least one ask")
    made: list[NewEvent] = []
    for _ in range(_TURNS):
        approval = _join(tenant_id, digest, asks, details, now, made) or _open(
            tenant_id, digest, asks, details, now, made
        )
        if approval is not None:
            _record(tenant_id, made, later)
            return approval
    raise RuntimeError("an approval request of one digest was opened and ended three times in one moment")


def _join(
    tenant_id: UUID, digest: str, asks: tuple[Ask, ...], details: ApprovalDetails, now: datetime, made: list[NewEvent]
) -> ApprovalRequest | None:
    rows = ApprovalRequest.objects.for_tenant(tenant_id).filter(digest=digest, state__in=OPEN_STATES)
    approval: ApprovalRequest | None = rows.select_for_update().first()
    if approval is None:
        return None
    if now >= approval.expires_at:
        made.append(_expire(approval, now))
        return None
    if not _asks_the_same(approval, asks):
        made.append(_revoke(approval, by="system", reason="policy now asks other people", now=now))
        return None
    if details.client_is_waiting and not approval.client_is_waiting:
        approval.client_is_waiting = True
        approval.save(update_fields=["client_is_waiting"])
    return approval


def _open(
    tenant_id: UUID, digest: str, asks: tuple[Ask, ...], details: ApprovalDetails, now: datetime, made: list[NewEvent]
) -> ApprovalRequest | None:
    """Return None where an identical call opened its request a moment earlier."""
    approval = ApprovalRequest(
        tenant_id=tenant_id,
        digest=digest,
        opened_at=now,
        expires_at=now + timedelta(seconds=min(ask.expires_seconds for ask in asks)),
        **details.columns(),
    )
    try:
        # A savepoint: losing the race must not spoil the caller's transaction.
        with transaction.atomic():
            approval.save(force_insert=True)
    except IntegrityError:
        if ApprovalRequest.objects.for_tenant(tenant_id).filter(digest=digest, state__in=OPEN_STATES).exists():
            return None
        raise
    ApprovalRequirement.objects.bulk_create(
        ApprovalRequirement(
            tenant_id=tenant_id, approval=approval, rule_id=ask.rule_id, approvers=ask.approvers, quorum=ask.quorum
        )
        for ask in asks
    )
    made.append(facts.opened(approval, asks))
    return approval


def covers(approval: ApprovalRequest, asks: Sequence[Ask]) -> bool:
    """Say whether a grant answers all of these asks: the same rules and people, in no smaller numbers."""
    asked = {(row.rule_id, row.approvers): row.quorum for row in approval.requirements.all()}
    return all(asked.get((ask.rule_id, ask.approvers), 0) >= ask.quorum for ask in asks)


def _asks_the_same(approval: ApprovalRequest, asks: Sequence[Ask]) -> bool:
    # A grant may answer more than is asked now; an open question must not keep asking people policy let go.
    is_too_much = approval.state == ApprovalState.PENDING and approval.requirements.count() != len(asks)
    return covers(approval, asks) and not is_too_much


def _locked(tenant_id: UUID, approval_id: UUID) -> ApprovalRequest:
    rows = ApprovalRequest.objects.for_tenant(tenant_id).select_for_update()
    approval: ApprovalRequest | None = rows.filter(pk=approval_id).first()
    if approval is None:
        raise ApprovalNotFound
    return approval


def _checked_reason(reason: str) -> str:
    # Neither PostgreSQL nor canonical JSON can hold these; what is merely invisible is escaped where it is shown.
    if len(reason) > LARGEST_REASON or any(c == "\0" or unicodedata.category(c) == "Cs" for c in reason):
        raise ReasonRefused
    return reason


@transaction.atomic
def vote(
    *,
    tenant: Tenant,
    approval_id: UUID,
    caller: Caller,
    answer: VoteAnswer | str,
    reason: str,
    now: datetime,
    signed_in_at: datetime | None = None,
) -> ApprovalRequest:
    """Record one person's answer; one refusal refuses, and the request opens when every quorum is reached.

    `signed_in_at` is when the person behind a browser proved to be there; where given, it must be fresh. Raises
    the problems of this room and RightMissing; a vote that raises has changed nothing.
    """
    answer, reason = VoteAnswer(answer), _checked_reason(reason)
    approval = _locked(tenant.pk, approval_id)
    member = voters.voting_member(tenant, caller, signed_in_at=signed_in_at, now=now)
    voters.must_not_stand_behind(approval, member.user_id, caller.api_key)
    voters.must_be_open(approval, now)
    voters.must_not_have_voted(approval, member.user_id)
    voters.must_be_asked(approval, member, answer)
    cast = Vote.objects.create(
        tenant=tenant,
        approval=approval,
        voter_id=member.user_id,
        voter_label=caller.label,
        answer=answer,
        reason=reason,
        api_key_id=caller.api_key.pk if caller.api_key else None,
        groups=sorted(member.groups),
        voted_at=now,
    )
    proof = proof_of(caller, now)
    append_all(tenant_id=tenant.pk, events=[facts.voted(approval, cast, proof=proof), *_decide(approval, now)])
    return approval


def _decide(approval: ApprovalRequest, now: datetime) -> list[NewEvent]:
    """Move a request that has its answer; runs under the row lock taken by `vote`."""
    match standing(voters.requirements_of(approval), voters.ballots_of(approval)):
        case Standing.REFUSED:
            _end(approval, ApprovalState.REFUSED, now)
            return [facts.refused(approval, now)]
        case Standing.SATISFIED:
            _end(approval, ApprovalState.GRANTED, now)
            enqueue(tenant_id=approval.tenant_id, kind=OutboxKind.REQUEST_GRANTED, subject=approval.pk, now=now)
            return [facts.granted(approval, now)]
        case Standing.PENDING:
            return []


def _end(approval: ApprovalRequest, state: ApprovalState, now: datetime) -> None:
    approval.state, approval.decided_at = state, approval.decided_at or now
    approval.save(update_fields=["state", "decided_at"])


def take_granted(
    *,
    tenant_id: UUID,
    digest: str,
    request_id: UUID,
    now: datetime,
    asks: Sequence[Ask] | None = None,
    later: list[NewEvent] | None = None,
) -> ApprovalRequest | None:
    """Spend the grant of this digest for one request, or return None; of several takers exactly one gets it.

    With `asks`, what policy asks now, a grant that does not answer all of them is not taken.
    """
    rows = ApprovalRequest.objects.for_tenant(tenant_id).filter(digest=digest, state=ApprovalState.GRANTED)
    found: ApprovalRequest | None = rows.first()
    if found is None or (asks is not None and not covers(found, asks)):
        return None
    return take_granted_by_id(tenant_id=tenant_id, approval_id=found.pk, request_id=request_id, now=now, later=later)


def take_granted_by_id(
    *, tenant_id: UUID, approval_id: UUID, request_id: UUID, now: datetime, later: list[NewEvent] | None = None
) -> ApprovalRequest | None:
    """Spend the grant of this approval for one request, or return None; of several takers exactly one gets it."""
    rows = ApprovalRequest.objects.for_tenant(tenant_id).filter(pk=approval_id)
    # One conditional update: a second taker waits for the first one's row, reads `used`, and matches nothing.
    is_taken = rows.filter(state=ApprovalState.GRANTED, expires_at__gt=now).update(
        state=ApprovalState.USED, used_by_request=request_id
    )
    if not is_taken:
        return None
    approval: ApprovalRequest = rows.get()
    _record(tenant_id, [facts.used(approval, now)], later)
    return approval


@transaction.atomic
def revoke(*, tenant: Tenant, approval_id: UUID, by: Caller, reason: str = "", now: datetime) -> ApprovalRequest:
    """Withdraw an open request or an unused grant: its asker may, and whoever may vote or suspend agents."""
    reason = _checked_reason(reason)
    approval = _locked(tenant.pk, approval_id)
    if by.actor_id != approval.asker_id and not {Right.APPROVALS_VOTE, Right.AGENTS_WRITE} & by.rights:
        raise RightMissing(f"The right `{Right.APPROVALS_VOTE}` is missing")
    # A grant nobody used yet can be taken back; a used one cannot.
    voters.must_be_open(approval, now, states=OPEN_STATES)
    append_all(tenant_id=tenant.pk, events=[_revoke(approval, by=by.label, reason=reason, now=now)])
    return approval


def revoke_all_of(
    *,
    tenant_id: UUID,
    by: str,
    reason: str,
    now: datetime,
    asker_id: UUID | None = None,
    agent_id: UUID | None = None,
    key_id: UUID | None = None,
    connection_id: UUID | None = None,
) -> list[UUID]:
    """Revoke every open request of a suspended person, agent, key or connection; what is given must all match."""
    given = {"asker_id": asker_id, "agent_id": agent_id, "key_id": key_id, "connection_id": connection_id}
    named = {name: value for name, value in given.items() if value is not None}
    if not named:
        raise ValueError("revoking needs a person, agent, key or connection")
    rows = ApprovalRequest.objects.for_tenant(tenant_id).filter(state__in=OPEN_STATES, **named)
    # In one order everywhere, so that two sweeps never wait for each other's rows.
    approvals = list(rows.order_by("digest").select_for_update())
    append_all(tenant_id=tenant_id, events=[_revoke(one, by=by, reason=reason, now=now) for one in approvals])
    return [one.pk for one in approvals]


def _revoke(approval: ApprovalRequest, *, by: str, reason: str, now: datetime) -> NewEvent:
    was = approval.state
    _end(approval, ApprovalState.REVOKED, now)
    return facts.revoked(approval, now, was=was, by=by, reason=reason)


def _expire(approval: ApprovalRequest, now: datetime) -> NewEvent:
    was = approval.state
    _end(approval, ApprovalState.EXPIRED, now)
    return facts.expired(approval, now, was=was)


def expire_due(*, tenant_id: UUID, now: datetime) -> list[UUID]:
    """Expire requests and unused grants whose time is up; returns their ids, oldest first.

    Rows another transaction is deciding are left to the next sweep.
    """
    due = ApprovalRequest.objects.for_tenant(tenant_id).filter(state__in=OPEN_STATES, expires_at__lte=now)
    approvals = list(due.order_by("expires_at", "id").select_for_update(skip_locked=True)[:_LARGEST_SWEEP])
    append_all(tenant_id=tenant_id, events=[_expire(one, now) for one in approvals])
    return [one.pk for one in approvals]


def set_client_waiting(*, tenant_id: UUID, approval_id: UUID, is_waiting: bool) -> None:
    """Note whether the asking client is still there; approvers see it. Unknown ids change nothing."""
    ApprovalRequest.objects.for_tenant(tenant_id).filter(pk=approval_id).update(client_is_waiting=is_waiting)
