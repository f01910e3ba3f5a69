"""Reading requests: lists, one call with its halves, and a session's calls beside the prompts that caused them.

Nothing here changes a row; that reading was evidence is written down by whoever shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from approvals.models import ApprovalRequest, Vote
from audit.models import Prompt, Session
from audit.recordings import RecordedHalf, recorded_halves
from gateway.masking.replacement import value_commitment
from gateway.requests.models import ApprovedRun, ProxiedRequest
from gateway.requests.outcomes import SALT_COLUMN
from gateway.sealing.services import unseal
from gateway.tenants.models import Tenant

# What a list shows; the question and the parameters are large and belong to the detail.
_HEAVY = ("question", "parameters", "sealed_salt")
# A conversation rarely has more prompts between two of its calls; the page stays bounded if it has.
MOST_PROMPTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call with all that is known of it: approval with votes, run, masked halves."""

    request: ProxiedRequest
    prompt: Prompt | None
    approval: ApprovalRequest | None
    run: ApprovedRun | None
    halves: Mapping[str, RecordedHalf]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A prompt and the calls it led to, oldest first. Without a prompt: calls no prompt was named for."""

    prompt: Prompt | None
    calls: tuple[Call, ...]

    @property
    def at(self) -> datetime:
        first: datetime = self.prompt.recorded_at if self.prompt else self.calls[0].request.received_at
        return first


def listed(
    *,
    tenant: Tenant,
    state: str | None = None,
    service: str | None = None,
    operation: str | None = None,
    effect: str | None = None,
    session_id: UUID | None = None,
    prompt_id: UUID | None = None,
) -> QuerySet[ProxiedRequest]:
    """Return a tenant's requests that match every filter given. The caller orders and pages them."""
    filters: dict[str, object] = {"state": state, "service": service, "operation": operation, "effect": effect}
    filters |= {"session_id": session_id, "prompt_id": prompt_id}
    given = {name: value for name, value in filters.items() if value is not None}
    rows: QuerySet[ProxiedRequest] = ProxiedRequest.objects.for_tenant(tenant).filter(**given).defer(*_HEAVY)
    return rows


def calls_of_session(*, tenant: Tenant, session_id: UUID) -> QuerySet[ProxiedRequest]:
    """Return one session's requests, parameters included."""
    rows: QuerySet[ProxiedRequest] = ProxiedRequest.objects.for_tenant(tenant).filter(session_id=session_id)
    return rows.defer("question", "sealed_salt")


def calls_of_prompt(*, tenant: Tenant, prompt_id: UUID) -> QuerySet[ProxiedRequest]:
    """Return the requests one prompt caused, parameters included."""
    rows: QuerySet[ProxiedRequest] = ProxiedRequest.objects.for_tenant(tenant).filter(prompt_id=prompt_id)
    return rows.defer("question", "sealed_salt")


def detail(*, tenant: Tenant, request_id: UUID) -> Call:
    """Return one call; raises ProxiedRequest.DoesNotExist for another tenant's."""
    request = ProxiedRequest.objects.for_tenant(tenant).select_related("prompt").get(pk=request_id)
    return told(tenant=tenant, requests=[request])[0]


def held_masked_value(*, tenant: Tenant, request_id: UUID, plaintext_value: str) -> tuple[ProxiedRequest, bool]:
    """Whether the masked answer of this call held the very value; only the first values of an answer are known.

    Raises ProxiedRequest.DoesNotExist. Every question is a guess: whoever calls this leaves an event.
    """
    row = ProxiedRequest.objects.for_tenant(tenant).get(pk=request_id)
    known = row.masked.get("values", []) if isinstance(row.masked, dict) else []
    if row.sealed_salt is None or not known:
        return row, False
    salt = unseal(tenant_id=tenant.pk, column=SALT_COLUMN, sealed=row.sealed_salt)
    return row, value_commitment(salt, plaintext_value) in known


def told(*, tenant: Tenant, requests: Sequence[ProxiedRequest], prompts: Iterable[Prompt] = ()) -> list[Call]:
    """Join requests with their approvals, runs and halves: one query each, however many requests."""
    approvals = _approvals(tenant, {one.approval_id for one in requests if one.approval_id})
    runs = {run.request_id: run for run in _runs(tenant, [one.pk for one in requests])}
    halves = recorded_halves(tenant_id=tenant.pk, request_ids=[one.pk for one in requests])
    known = {prompt.pk: prompt for prompt in prompts}
    return [
        Call(
            request=one,
            prompt=(known.get(one.prompt_id) if one.prompt_id else None) or _loaded_prompt(one),
            approval=approvals.get(one.approval_id),
            run=runs.get(one.pk),
            halves=halves.get(one.pk, {}),
        )
        for one in requests
    ]


def _loaded_prompt(request: ProxiedRequest) -> Prompt | None:
    # Only what was selected with it: following the reference would be one query a row.
    return request.prompt if "prompt" in request._state.fields_cache else None


def _runs(tenant: Tenant, request_ids: Sequence[UUID]) -> QuerySet[ApprovedRun]:
    rows: QuerySet[ApprovedRun] = ApprovedRun.objects.for_tenant(tenant).filter(request_id__in=request_ids)
    return rows.defer("sealed_result")


def _approvals(tenant: Tenant, ids: set[UUID]) -> dict[UUID | None, ApprovalRequest]:
    if not ids:
        return {}
    votes = Prefetch("votes", queryset=Vote.objects.for_tenant(tenant).order_by("voted_at"))
    rows = ApprovalRequest.objects.for_tenant(tenant).filter(pk__in=ids).prefetch_related(votes, "requirements")
    return {row.pk: row for row in rows}


def prompts_beside(
    *, tenant: Tenant, session: Session, requests: Sequence[ProxiedRequest], is_oldest: bool, is_newest: bool
) -> list[Prompt]:
    """Return the prompts to show with one page of a session's calls, oldest first.

    Those the calls name, and those of the conversation spoken within the page's time, whether or not a call followed.
    """
    named = Q(pk__in={one.prompt_id for one in requests if one.prompt_id})
    spoken = Q(conversation=session.conversation, person_id=session.person_id)
    times = [one.received_at for one in requests]
    if times and not is_oldest:
        spoken &= Q(recorded_at__gte=min(times))
    if times and not is_newest:
        spoken &= Q(recorded_at__lte=max(times))
    rows = Prompt.objects.for_tenant(tenant).filter(named | spoken).defer("sealed_text", "sealed_salt")
    return sorted(rows.order_by("-recorded_at")[:MOST_PROMPTS], key=_when)


def _when(prompt: Prompt) -> Any:
    return prompt.recorded_at


def turns(*, calls: Sequence[Call], prompts: Sequence[Prompt]) -> list[Turn]:
    """Group calls, oldest first, under their prompts; a prompt no call followed is a turn of its own. Pure."""
    made: list[tuple[Prompt | None, list[Call]]] = []
    for call in sorted(calls, key=lambda one: (one.request.received_at, one.request.pk)):
        if not made or made[-1][0] != call.prompt:
            made.append((call.prompt, []))
        made[-1][1].append(call)
    followed = {prompt.pk for prompt, _ in made if prompt}
    silent = [Turn(prompt=prompt, calls=()) for prompt in prompts if prompt.pk not in followed]
    return sorted([*(Turn(prompt=one, calls=tuple(some)) for one, some in made), *silent], key=_time_of)


def _time_of(turn: Turn) -> datetime:
    # A prompt may be resumed after another: its place is where its calls are.
    return turn.calls[0].request.received_at if turn.calls else turn.at
