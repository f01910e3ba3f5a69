"""Approval rules, requests and votes. Running what was approved is `gateway.requests`."""

from __future__ import annotations

from django.db import models

from approvals.notify.models import Notice as Notice  # registers that module's tables
from gateway.identity.models import User
from gateway.tenants.models import TenantForeignKey, TenantScoped


class ApprovalState(models.TextChoices):
    PENDING = "pending"
    GRANTED = "granted"
    USED = "used"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ApprovalRule(TenantScoped):
    """Who may answer where policy says `@approvers("name")`: members of a group, holding the right to vote."""

    name = models.CharField(max_length=80)
    group = models.CharField(max_length=80)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_approval_rule_name"),)


class ApprovalRequest(TenantScoped):
    """One held call, bound to the digest of exactly that call. Good once, until it expires."""

    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=ApprovalState.choices, default=ApprovalState.PENDING)
    # The request that asked; no foreign key, since approvals lies below requests.
    request_id = models.UUIDField()
    session_id = models.UUIDField(null=True)
    prompt_id = models.UUIDField(null=True)
    asker_id = models.UUIDField()
    asker_label = models.CharField(max_length=200)
    agent_id = models.UUIDField(null=True)
    agent_label = models.CharField(max_length=200, blank=True)
    key_id = models.UUIDField()
    connection_id = models.UUIDField()
    connection_label = models.CharField(max_length=200)
    service = models.CharField(max_length=80)
    operation = models.CharField(max_length=120)
    region = models.CharField(max_length=40)
    resources = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    # What moving references in the call were when people were asked, and the names of those nobody could read.
    pins = models.JSONField(default=list)
    not_pinned = models.JSONField(default=list)
    revision = models.CharField(max_length=80)
    runs_at_once = models.BooleanField(default=False)
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    used_by_request = models.UUIDField(null=True)
    client_is_waiting = models.BooleanField(default=True)

    class Meta:
        constraints = (
            # A second identical call joins the open request instead of asking people twice.
            models.UniqueConstraint(
                fields=("tenant", "digest"),
                condition=models.Q(state__in=("pending", "granted")),
                name="one_open_approval_per_digest",
            ),
        )
        indexes = (
            models.Index(fields=("tenant", "-opened_at", "-id"), name="approval_newest"),
            models.Index(
                fields=("tenant", "expires_at"),
                condition=models.Q(state__in=("pending", "granted")),
                name="approval_expiring",
            ),
            # Each asked call looks for the kept result of its like.
            models.Index(fields=("tenant", "digest"), condition=models.Q(state="used"), name="approval_used_by_digest"),
        )


class ApprovalRequirement(TenantScoped):
    """One matched ask rule: each is satisfied separately."""

    approval = TenantForeignKey(ApprovalRequest, related_name="requirements")
    rule_id = models.CharField(max_length=120)
    approvers = models.CharField(max_length=80)
    quorum = models.PositiveSmallIntegerField(default=1)


class VoteAnswer(models.TextChoices):
    APPROVE = "approve"
    REFUSE = "refuse"


class Vote(TenantScoped):
    """One person's answer. One vote a person and request, whatever groups the person is in."""

    approval = TenantForeignKey(ApprovalRequest, related_name="votes")
    voter = models.ForeignKey(User, on_delete=models.PROTECT, related_name="votes")
    voter_label = models.CharField(max_length=200)
    answer = models.CharField(max_length=10, choices=VoteAnswer.choices)
    reason = models.TextField(blank=True)
    # Set where the vote came by a person-bound key instead of a signed-in person: evidence says so.
    api_key_id = models.UUIDField(null=True)
    groups = models.JSONField(default=list)
    voted_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "approval", "voter"), name="one_vote_per_person"),)
