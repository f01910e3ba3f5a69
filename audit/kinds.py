"""The closed list of event kinds, with the facts each may carry and those that may be redacted in exports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """Stable codes: they are in every export, and never change their meaning."""

    REQUEST_ADMITTED = "request.admitted"
    REQUEST_REFUSED = "request.refused"
    REQUEST_HELD = "request.held"
    REQUEST_RUN = "request.run"
    REQUEST_COMPLETED = "request.completed"
    REQUEST_FAILED = "request.failed"
    REQUEST_NOT_SENT = "request.not_sent"
    REQUEST_AMBIGUOUS = "request.ambiguous"
    REQUEST_CORRECTED = "request.corrected"
    PROMPT_RECORDED = "prompt.recorded"
    PROMPT_FORGED = "prompt.forged"
    PROMPT_ERASED = "prompt.erased"
    DECOY_USED = "decoy.used"
    TOOL_USE_BEGAN = "tool_use.began"
    TOOL_USE_ENDED = "tool_use.ended"
    SESSION_OPENED = "session.opened"
    APPROVAL_OPENED = "approval.opened"
    APPROVAL_VOTED = "approval.voted"
    APPROVAL_GRANTED = "approval.granted"
    APPROVAL_REFUSED = "approval.refused"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_USED = "approval.used"
    APPROVAL_REVOKED = "approval.revoked"
    APPROVAL_RULE_CREATED = "approval_rule.created"
    APPROVAL_RULE_CHANGED = "approval_rule.changed"
    KEY_ISSUED = "key.issued"
    KEY_REVOKED = "key.revoked"
    API_KEY_ISSUED = "api_key.issued"
    API_KEY_REVOKED = "api_key.revoked"
    AGENT_CREATED = "agent.created"
    AGENT_SUSPENDED = "agent.suspended"
    AGENT_RESUMED = "agent.resumed"
    SERVICE_ACCOUNT_CREATED = "service_account.created"
    SERVICE_ACCOUNT_SUSPENDED = "service_account.suspended"
    SERVICE_ACCOUNT_RESUMED = "service_account.resumed"
    MEMBER_ADDED = "member.added"
    MEMBER_SUSPENDED = "member.suspended"
    MEMBER_RESUMED = "member.resumed"
    TENANT_SUSPENDED = "tenant.suspended"
    TENANT_RESUMED = "tenant.resumed"
    TENANT_CHANGED = "tenant.changed"
    CONNECTION_CREATED = "connection.created"
    CONNECTION_TESTED = "connection.tested"
    CONNECTION_CHANGED = "connection.changed"
    REVISION_PUBLISHED = "revision.published"
    DETECTOR_SAVED = "detector.saved"
    DETECTOR_LIVE = "detector.live"
    DETECTOR_TAKEN_BACK = "detector.taken_back"
    DETECTOR_TRIED = "detector.tried"
    JOB_STARTED = "job.started"
    JOB_WORKED = "job.worked"
    JOB_ENDED = "job.ended"
    RECORDING_REMASKED = "recording.remasked"
    EDGE_ENROLLED = "edge.enrolled"
    EDGE_FENCED = "edge.fenced"
    EDGE_KEY_ROTATED = "edge.key_rotated"
    EDGE_RELEASED = "edge.released"
    EDGE_REVOKED = "edge.revoked"
    EDGE_JOURNAL_DAMAGED = "edge.journal_damaged"
    SIGNED_IN = "person.signed_in"
    SIGN_IN_REFUSED = "person.sign_in_refused"
    SIGNED_OUT = "person.signed_out"
    PROVED_AGAIN = "person.proved_again"
    GLASS_BROKEN = "person.broke_glass"
    SECOND_FACTOR_ENROLLED = "person.second_factor_enrolled"
    SECOND_FACTOR_REFUSED = "person.second_factor_refused"
    SECOND_FACTOR_REMOVED = "person.second_factor_removed"
    PROVIDER_ADDED = "provider.added"
    PROVIDER_CHANGED = "provider.changed"
    PROVIDER_ANSWER_REFUSED = "provider.answer_refused"
    MEMBER_CHANGED = "member.changed"
    DEVICE_ENROLLED = "device.enrolled"
    DEVICE_REVOKED = "device.revoked"
    DEVICE_REQUEST_REFUSED = "device.request_refused"
    ACCOUNT_CREDENTIAL_ISSUED = "service_account.secret_issued"
    ACCOUNT_CREDENTIAL_REVOKED = "service_account.secret_revoked"
    WORKLOAD_RULE_ADDED = "workload_rule.added"
    WORKLOAD_RULE_REVOKED = "workload_rule.revoked"
    ACCESS_CHANGED = "access.changed"
    API_KEY_ENDING = "api_key.ending"
    ACCOUNT_CREDENTIAL_ENDING = "service_account.secret_ending"
    WORKLOAD_TOKEN_REFUSED = "workload_token.refused"  # noqa: S105  # the name of an event
    REVIEW_OPENED = "access_review.opened"
    REVIEW_ANSWERED = "access_review.answered"
    REVIEW_CLOSED = "access_review.closed"
    REVIEW_REMINDED = "access_review.reminded"
    REVIEW_OVERDUE = "access_review.overdue"
    NOTICE_CHANNEL_ADDED = "notice_channel.added"
    NOTICE_CHANNEL_CHANGED = "notice_channel.changed"
    NOTICE_CHANNEL_REMOVED = "notice_channel.removed"
    NOTICE_CHANNEL_FAILING = "notice_channel.failing"
    NOTICE_UNDELIVERED = "notice.undelivered"
    NOTICES_DROPPED = "notice.dropped"
    PERIOD_SET = "member.period_set"
    OPERATOR_ASKED = "operator_access.asked"
    OPERATOR_ANSWERED = "operator_access.answered"
    OPERATOR_KEY_ISSUED = "operator_access.key_issued"
    OPERATOR_ENDED = "operator_access.ended"
    EVIDENCE_READ = "evidence.read"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """`facts` are the only data members an event of the kind may have; `redactable` may be withheld in exports."""

    facts: frozenset[str]
    redactable: frozenset[str] = frozenset()


# What a device's hook tells beside the words.
_HOOK = frozenset({"device", "late", "link", "occurred_at", "parent", "subagent"})
_CALLER = frozenset({"person", "agent", "key"})
_CALL = _CALLER | {
    "connection",
    "service",
    "operation",
    "access",
    "actions",
    "resources",
    "effect",
    "would_be",
    "rules",
    "revision",
    "reason",
    "link",
    "link_reason",
    "prompt",
    "tool_use",
    "edge",
    "source",
    "fingerprint",
    "code",
    "approval",
    "decoy_tag",
}
_OUTCOME = frozenset(
    {
        "status",
        "aws_request_id",
        "error",
        "bytes_up",
        "bytes_down",
        "bytes_scanned",
        "bytes_unscanned",
        "bytes_unread",
        "masked",
        "mask_rules",
        "request_commitment",
        "response_commitment",
        "was",
    }
)
_APPROVAL = frozenset({"person", "rules", "revision", "digest", "quorum", "expires_at", "request", "voter", "vote"}) | {
    "pins",
    "not_pinned",
    "proof",
    "proof_age_seconds",
    "reason",
    "key",
    "state",
    "by",
}
_ADMIN = frozenset(
    {"by", "key", "name", "what", "connection", "agent", "user", "roles", "scopes", "expires_at", "result", "reason"}
    # How a device found the prompt it asked keys for, in its own words.
    | {"link_reason"}
    # By what the person was there, where that had to be fresh.
    | {"proof", "proof_age_seconds"}
    # An edge's fenced life: which boot, and the calls nobody can tell about.
    | {"edge", "boot", "requests", "count"}
)

# A decoy's use: the response it was made for, and the call or CloudTrail record that carried it.
_DECOY = _CALLER | {
    "where",
    "decoy",
    "issued_request",
    "issued_at",
    "issued_session",
    "issued_prompt",
    "issued_link",
    "issued_person",
    "issued_agent",
    "issued_connection",
    "issued_operation",
    "connection",
    "service",
    "operation",
    "link",
    "prompt",
    "source",
    "edge",
    "code",
    "record",
    "account",
    "principal",
    "at",
}

RULES: dict[EventKind, KindRule] = {
    kind: KindRule(facts=facts, redactable=redactable)
    for kinds, facts, redactable in (
        (
            (
                EventKind.REQUEST_ADMITTED,
                EventKind.REQUEST_REFUSED,
                EventKind.REQUEST_HELD,
                EventKind.REQUEST_RUN,
            ),
            _CALL,
            frozenset({"resources", "source", "reason"}),
        ),
        (
            (
                EventKind.REQUEST_COMPLETED,
                EventKind.REQUEST_FAILED,
                EventKind.REQUEST_NOT_SENT,
                EventKind.REQUEST_AMBIGUOUS,
                EventKind.REQUEST_CORRECTED,
            ),
            _OUTCOME | _CALL,
            frozenset({"resources", "source", "reason"}),
        ),
        (
            (EventKind.PROMPT_RECORDED,),
            frozenset({"person", "agent", "conversation", "generation", "commitment", "source", "characters"})
            | _HOOK
            | {"attachments", "agent_version", "caused_by"},
            frozenset({"conversation", "generation"}),
        ),
        (
            (EventKind.PROMPT_FORGED,),
            frozenset({"person", "agent", "conversation", "generation", "reason", "process"}) | _HOOK,
            frozenset({"conversation", "generation"}),
        ),
        ((EventKind.DECOY_USED,), _DECOY, frozenset({"source"})),
        ((EventKind.PROMPT_ERASED,), frozenset({"by", "recorded_before", "count", "commitment"}), frozenset()),
        (
            (EventKind.TOOL_USE_BEGAN, EventKind.TOOL_USE_ENDED),
            frozenset({"person", "agent", "conversation", "generation", "commitment", "tool", "name", "prompt"})
            | _HOOK,
            frozenset({"conversation", "generation"}),
        ),
        ((EventKind.SESSION_OPENED,), _CALLER | {"connection", "conversation"}, frozenset({"conversation"})),
        (
            (
                EventKind.APPROVAL_OPENED,
                EventKind.APPROVAL_VOTED,
                EventKind.APPROVAL_GRANTED,
                EventKind.APPROVAL_REFUSED,
                EventKind.APPROVAL_EXPIRED,
                EventKind.APPROVAL_USED,
                EventKind.APPROVAL_REVOKED,
            ),
            _APPROVAL,
            frozenset({"reason"}),
        ),
        (
            (
                EventKind.KEY_ISSUED,
                EventKind.KEY_REVOKED,
                EventKind.API_KEY_ISSUED,
                EventKind.API_KEY_REVOKED,
                EventKind.AGENT_CREATED,
                EventKind.AGENT_SUSPENDED,
                EventKind.AGENT_RESUMED,
                EventKind.SERVICE_ACCOUNT_CREATED,
                EventKind.SERVICE_ACCOUNT_SUSPENDED,
                EventKind.SERVICE_ACCOUNT_RESUMED,
                EventKind.MEMBER_ADDED,
                EventKind.MEMBER_SUSPENDED,
                EventKind.MEMBER_RESUMED,
                EventKind.TENANT_SUSPENDED,
                EventKind.TENANT_RESUMED,
                EventKind.TENANT_CHANGED,
                EventKind.CONNECTION_CREATED,
                EventKind.CONNECTION_TESTED,
                EventKind.CONNECTION_CHANGED,
                EventKind.REVISION_PUBLISHED,
                EventKind.DETECTOR_SAVED,
                EventKind.DETECTOR_LIVE,
                EventKind.DETECTOR_TAKEN_BACK,
                EventKind.DETECTOR_TRIED,
                EventKind.JOB_STARTED,
                EventKind.JOB_WORKED,
                EventKind.JOB_ENDED,
                EventKind.RECORDING_REMASKED,
                EventKind.APPROVAL_RULE_CREATED,
                EventKind.APPROVAL_RULE_CHANGED,
                EventKind.EDGE_ENROLLED,
                EventKind.EDGE_FENCED,
                EventKind.EDGE_KEY_ROTATED,
                EventKind.EDGE_RELEASED,
                EventKind.EDGE_REVOKED,
                EventKind.EDGE_JOURNAL_DAMAGED,
                EventKind.SIGNED_IN,
                EventKind.SIGN_IN_REFUSED,
                EventKind.SIGNED_OUT,
                EventKind.PROVED_AGAIN,
                EventKind.GLASS_BROKEN,
                EventKind.SECOND_FACTOR_ENROLLED,
                EventKind.SECOND_FACTOR_REFUSED,
                EventKind.SECOND_FACTOR_REMOVED,
                EventKind.PROVIDER_ADDED,
                EventKind.PROVIDER_CHANGED,
                EventKind.PROVIDER_ANSWER_REFUSED,
                EventKind.MEMBER_CHANGED,
                EventKind.DEVICE_ENROLLED,
                EventKind.DEVICE_REVOKED,
                EventKind.DEVICE_REQUEST_REFUSED,
                EventKind.ACCOUNT_CREDENTIAL_ISSUED,
                EventKind.ACCOUNT_CREDENTIAL_REVOKED,
                EventKind.WORKLOAD_RULE_ADDED,
                EventKind.WORKLOAD_RULE_REVOKED,
                EventKind.WORKLOAD_TOKEN_REFUSED,
                EventKind.ACCESS_CHANGED,
                EventKind.API_KEY_ENDING,
                EventKind.ACCOUNT_CREDENTIAL_ENDING,
                EventKind.REVIEW_OPENED,
                EventKind.REVIEW_ANSWERED,
                EventKind.REVIEW_CLOSED,
                EventKind.REVIEW_REMINDED,
                EventKind.REVIEW_OVERDUE,
                EventKind.NOTICE_CHANNEL_ADDED,
                EventKind.NOTICE_CHANNEL_CHANGED,
                EventKind.NOTICE_CHANNEL_REMOVED,
                EventKind.NOTICE_CHANNEL_FAILING,
                EventKind.NOTICE_UNDELIVERED,
                EventKind.NOTICES_DROPPED,
                EventKind.PERIOD_SET,
                EventKind.OPERATOR_ASKED,
                EventKind.OPERATOR_ANSWERED,
                EventKind.OPERATOR_KEY_ISSUED,
                EventKind.OPERATOR_ENDED,
                EventKind.EVIDENCE_READ,
            ),
            _ADMIN,
            frozenset({"name", "reason"}),
        ),
    )
    for kind in kinds
}
