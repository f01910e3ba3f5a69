"""What a notice says: one line, a few facts, and where to look. From an event's facts, and for a call from its approval.

Never more of a call than the approvers' list shows: no parameter, no prompt. Hidden characters are spelled out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from approvals.escaping import visible
from approvals.models import ApprovalRequest, ApprovalRule
from approvals.notify.kinds import KIND_OF, NoticeKind
from audit.kinds import EventKind
from audit.models import Event
from gateway.identity.models import ApiKey, Device

LONGEST_TITLE, LONGEST_LINE = 300, 300
_MOST_RESOURCES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A notice before it is stored. `person_id` is whom it is about, `groups` who is asked, where it is any."""

    title: str
    lines: list[str] = field(default_factory=list)
    path: str = ""
    person_id: UUID | None = None
    groups: list[str] = field(default_factory=list)


def worded(event: Event, facts: Mapping[str, Any]) -> Wording | None:
    """What is said of an event; None where it is no news after all."""
    kind = EventKind(event.kind)
    made = _WORDS[KIND_OF[kind]](kind, event, facts)
    if made is None:
        return None
    return Wording(
        title=visible(made.title)[:LONGEST_TITLE],
        lines=[visible(line)[:LONGEST_LINE] for line in made.lines],
        path=made.path,
        person_id=made.person_id,
        groups=made.groups,
    )


def _approval(event: Event) -> ApprovalRequest | None:
    found: ApprovalRequest | None = ApprovalRequest.objects.for_tenant(event.tenant_id).filter(pk=event.subject).first()
    return found


def _call(approval: ApprovalRequest) -> str:
    return f"{approval.service}:{approval.operation} on {approval.connection_label}"


def _arn_tail(resource: Any) -> str:
    arn = str(resource.get("arn", "")) if isinstance(resource, dict) else str(resource)
    return arn.split(":", 5)[-1] if arn.startswith("arn:") else arn


def _asked(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording | None:
    approval = _approval(event)
    if approval is None:
        return None
    names = [row.approvers for row in approval.requirements.all()]
    rules = ApprovalRule.objects.for_tenant(event.tenant_id).filter(name__in=names)
    agent = f" with {approval.agent_label}" if approval.agent_label else ""
    more = len(approval.resources) - _MOST_RESOURCES
    return Wording(
        title=f"{approval.asker_label}{agent} asks: {_call(approval)}",
        lines=[
            *(_arn_tail(one) for one in approval.resources[:_MOST_RESOURCES]),
            *([f"and {more} more"] if more > 0 else []),
            f"Answer until {approval.expires_at:%Y-%m-%d %H:%M} UTC",
        ],
        path=f"/approvals/{approval.pk}/",
        groups=sorted(rules.values_list("group", flat=True)),
    )


def _ended(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording | None:
    approval = _approval(event)
    if approval is None:
        return None
    word = kind.value.partition(".")[2]
    return Wording(
        title=f"{_call(approval)} was {word}" if word != "expired" else f"{_call(approval)}: nobody answered in time",
        path=f"/approvals/{approval.pk}/",
        person_id=approval.asker_id,
    )


def _switched(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording | None:
    if kind == EventKind.CONNECTION_CHANGED:
        if facts.get("what") not in {"suspended", "suspension lifted"}:
            return None
        is_out, what, path = facts["what"] == "suspended", "connection", f"/connections/{event.subject}/"
    else:
        is_out, what = kind.value.endswith(".suspended"), kind.value.partition(".")[0].replace("_", " ")
        path = "/access/"
    name = facts.get("name") or facts.get("user") or facts.get("agent") or event.subject
    person = event.subject if kind in {EventKind.MEMBER_SUSPENDED, EventKind.MEMBER_RESUMED} else None
    title = f"{facts.get('by', 'somebody')} {'suspended' if is_out else 'let back in'} {what} {name}"
    return Wording(title=title, lines=_reason(facts), path=path, person_id=person)


def _reason(facts: Mapping[str, Any]) -> list[str]:
    return [f"Reason: {facts['reason']}"] if facts.get("reason") else []


def _glass(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording:
    title = f"{facts.get('user')} came in past the organisation's sign-in (break-glass)"
    return Wording(title=title, path="/events/", person_id=event.subject)


def _sign_in(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording:
    if kind == EventKind.SECOND_FACTOR_ENROLLED:
        title = f"{facts.get('user')} enrolled a one-time code"
        return Wording(title=title, path="/second-factor/", person_id=event.subject)
    if kind == EventKind.SECOND_FACTOR_REMOVED:
        title = f"{facts.get('by')} removed the one-time code of {facts.get('user')}"
        return Wording(title=title, path="/second-factor/", person_id=event.subject)
    done = "added" if kind == EventKind.PROVIDER_ADDED else f"changed ({facts.get('result')})"
    return Wording(title=f"{facts.get('by')}: identity provider {facts.get('name')} {done}", path="/events/")


def _key(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording:
    ends, holder = str(facts.get("expires_at"))[:16].replace("T", " "), None
    if kind == EventKind.API_KEY_ENDING:
        holder = ApiKey.objects.for_tenant(event.tenant_id).filter(pk=event.subject).values_list("user_id").first()
        what, path = f"API key {facts.get('name')}", "/api-keys/"
    else:
        what, path = f"A client secret of {facts.get('name')}", "/access/service-accounts/"
    of = f" of {facts['user']}" if facts.get("user") else ""
    return Wording(title=f"{what}{of} ends {ends} UTC", path=path, person_id=holder[0] if holder else None)


def _device(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording:
    device = Device.objects.for_tenant(event.tenant_id).select_related("user").filter(pk=event.subject).first()
    of = f" of {device.user.get_username()}" if device else ""
    name = device.name if device else facts.get("name")
    done = "enrolled" if kind == EventKind.DEVICE_ENROLLED else f"revoked by {facts.get('by')}"
    return Wording(title=f"Device {name}{of} was {done}", path="", person_id=device.user_id if device else None)


def _review(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording:
    told = {
        EventKind.REVIEW_OPENED: "has begun",
        EventKind.REVIEW_REMINDED: "waits for answers",
        EventKind.REVIEW_OVERDUE: "is overdue",
        EventKind.REVIEW_CLOSED: "is complete",
    }
    lines = [f"{facts['count']} lines to answer"] if "count" in facts else []
    due = [f"Due {str(facts['expires_at'])[:10]}"] if facts.get("expires_at") else []
    return Wording(
        title=f"The access review {facts.get('name')} {told[kind]}",
        lines=lines + due,
        path=f"/access-reviews/{event.subject}/",
    )


def _operator(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording:
    match kind:
        case EventKind.OPERATOR_ASKED:
            title = f"{facts.get('by')} asks to look inside for {facts.get('count')} hours"
        case EventKind.OPERATOR_ENDED:
            title = f"{facts.get('by')} ended the access of {facts.get('user')}"
        case EventKind.OPERATOR_ANSWERED:
            title = f"{facts.get('by')}: {facts.get('user')} {facts.get('result')}"
        case _:
            title = f"{facts.get('by')} came in with a key of its own"
    return Wording(title=title, lines=_reason(facts), path="/operator-access/")


def _decoy(event: Event, facts: Mapping[str, Any]) -> Wording:
    """Whose decoy was used: the prompt, person and moment it was handed out for."""
    holder = " with ".join(str(facts[name]) for name in ("issued_person", "issued_agent") if facts.get(name))
    at = str(facts.get("issued_at", ""))[:16].replace("T", " ")
    given = [f"Given to {holder or 'somebody unknown'} at {at} UTC by {facts['issued_operation']}"] if at else []
    used = " ".join(str(facts[name]) for name in ("service", "operation") if facts.get(name))
    return Wording(
        title=f"A decoy was used ({facts.get('where')})",
        lines=[*given, *([f"Used in {used}"] if used else [])],
        path=f"/events/?kind={EventKind.DECOY_USED}",
    )


def _finding(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording:
    if kind == EventKind.DECOY_USED:
        return _decoy(event, facts)
    told = {
        EventKind.PROMPT_FORGED: "A prompt was refused as forged",
        EventKind.EDGE_JOURNAL_DAMAGED: "An edge's journal was found damaged",
    }
    return Wording(title=told[kind], lines=_reason(facts), path="/events/")


def _undelivered(kind: EventKind, event: Event, facts: Mapping[str, Any]) -> Wording:
    told = {
        EventKind.NOTICE_CHANNEL_FAILING: "fails",
        EventKind.NOTICE_UNDELIVERED: "did not take a notice, which is given up",
        EventKind.NOTICES_DROPPED: f"has too many waiting: {facts.get('count')} notices were dropped",
    }
    title = f"The channel {facts.get('name')} {told[kind]}"
    return Wording(title=title, lines=_reason(facts), path=f"/notices/channels/{event.subject}/")


_WORDS: dict[NoticeKind, Callable[[EventKind, Event, Mapping[str, Any]], Wording | None]] = {
    NoticeKind.APPROVAL_ASKED: _asked,
    NoticeKind.APPROVAL_ENDED: _ended,
    NoticeKind.KILL_SWITCH: _switched,
    NoticeKind.BREAK_GLASS: _glass,
    NoticeKind.SIGN_IN_CHANGED: _sign_in,
    NoticeKind.KEY_ENDING: _key,
    NoticeKind.DEVICE: _device,
    NoticeKind.ACCESS_REVIEW: _review,
    NoticeKind.OPERATOR_ACCESS: _operator,
    NoticeKind.FINDING: _finding,
    NoticeKind.UNDELIVERED: _undelivered,
}
