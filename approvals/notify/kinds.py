"""What people are told of: the closed list of notices, the events each stands for, and who in the tenant reads it.

Events are `audit.kinds`; what a notice says in words is `wording`.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models

from audit.kinds import EventKind
from gateway.tenants.rights import Right


class NoticeKind(models.TextChoices):
    """Stable names: channels subscribe by them, and receivers route by them."""

    APPROVAL_ASKED = "approval.asked"
    APPROVAL_ENDED = "approval.ended"
    KILL_SWITCH = "kill_switch"
    BREAK_GLASS = "break_glass"
    SIGN_IN_CHANGED = "sign_in.changed"
    KEY_ENDING = "key.ending"
    DEVICE = "device"
    ACCESS_REVIEW = "access_review"
    OPERATOR_ACCESS = "operator_access"
    FINDING = "finding"
    UNDELIVERED = "notice.undelivered"
    # Sent to one channel by whoever tries it; no event stands for it.
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """The events of a kind, and the right with which members read it; None: only the person it is about."""

    events: frozenset[EventKind]
    right: Right | None


RULES: dict[NoticeKind, KindRule] = {
    NoticeKind.APPROVAL_ASKED: KindRule(events=frozenset({EventKind.APPROVAL_OPENED}), right=Right.APPROVALS_VOTE),
    NoticeKind.APPROVAL_ENDED: KindRule(
        events=frozenset(
            {
                EventKind.APPROVAL_GRANTED,
                EventKind.APPROVAL_REFUSED,
                EventKind.APPROVAL_EXPIRED,
                EventKind.APPROVAL_REVOKED,
            }
        ),
        right=None,
    ),
    NoticeKind.KILL_SWITCH: KindRule(
        events=frozenset(
            {
                EventKind.AGENT_SUSPENDED,
                EventKind.AGENT_RESUMED,
                EventKind.SERVICE_ACCOUNT_SUSPENDED,
                EventKind.SERVICE_ACCOUNT_RESUMED,
                EventKind.MEMBER_SUSPENDED,
                EventKind.MEMBER_RESUMED,
                EventKind.TENANT_SUSPENDED,
                EventKind.TENANT_RESUMED,
                # Those that suspend one, or lift that; see `wording`.
                EventKind.CONNECTION_CHANGED,
            }
        ),
        right=Right.MEMBERS_READ,
    ),
    NoticeKind.BREAK_GLASS: KindRule(events=frozenset({EventKind.GLASS_BROKEN}), right=Right.MEMBERS_READ),
    NoticeKind.SIGN_IN_CHANGED: KindRule(
        events=frozenset(
            {
                EventKind.PROVIDER_ADDED,
                EventKind.PROVIDER_CHANGED,
                EventKind.SECOND_FACTOR_ENROLLED,
                EventKind.SECOND_FACTOR_REMOVED,
            }
        ),
        right=Right.MEMBERS_SUSPEND,
    ),
    NoticeKind.KEY_ENDING: KindRule(
        events=frozenset({EventKind.API_KEY_ENDING, EventKind.ACCOUNT_CREDENTIAL_ENDING}), right=Right.API_KEYS_WRITE
    ),
    NoticeKind.DEVICE: KindRule(
        events=frozenset({EventKind.DEVICE_ENROLLED, EventKind.DEVICE_REVOKED}), right=Right.MEMBERS_READ
    ),
    NoticeKind.ACCESS_REVIEW: KindRule(
        events=frozenset(
            {EventKind.REVIEW_OPENED, EventKind.REVIEW_REMINDED, EventKind.REVIEW_OVERDUE, EventKind.REVIEW_CLOSED}
        ),
        right=Right.MEMBERS_SUSPEND,
    ),
    NoticeKind.OPERATOR_ACCESS: KindRule(
        events=frozenset(
            {
                EventKind.OPERATOR_ASKED,
                EventKind.OPERATOR_ANSWERED,
                EventKind.OPERATOR_KEY_ISSUED,
                EventKind.OPERATOR_ENDED,
            }
        ),
        right=Right.MEMBERS_READ,
    ),
    NoticeKind.FINDING: KindRule(
        events=frozenset({EventKind.PROMPT_FORGED, EventKind.EDGE_JOURNAL_DAMAGED, EventKind.DECOY_USED}),
        right=Right.EVENTS_READ,
    ),
    NoticeKind.UNDELIVERED: KindRule(
        events=frozenset({EventKind.NOTICE_CHANNEL_FAILING, EventKind.NOTICE_UNDELIVERED, EventKind.NOTICES_DROPPED}),
        right=Right.NOTICES_WRITE,
    ),
}
KIND_OF: dict[EventKind, NoticeKind] = {event: kind for kind, rule in RULES.items() for event in rule.events}
# What a channel may subscribe to. That a channel fails is told inside: by the channel itself it could not be.
SUBSCRIBABLE = tuple(kind for kind in RULES if kind != NoticeKind.UNDELIVERED)
