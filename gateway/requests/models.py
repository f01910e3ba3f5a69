"""Proxied requests, the runs of approved calls, and the edges that bring them.

Rows are locked in one order, several of a kind by ascending id, approvals by digest: run, request, approval, session,
ledger head. Nothing is waited for once the head is held. Locks leave references alone (`no_key`): a reference is
checked at the commit, when its writer may already hold the head.
"""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from audit.models import Prompt, Session
from gateway.identity.models import GatewayKey
from gateway.tenants.models import TenantForeignKey, TenantScoped


class RequestState(models.TextChoices):
    """`held`, `admitted` and `running` are on their way; every other state is final."""

    REFUSED = "refused"
    HELD = "held"
    ADMITTED = "admitted"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    NOT_SENT = "not_sent"
    AMBIGUOUS = "ambiguous"


OPEN_STATES = (RequestState.HELD, RequestState.ADMITTED, RequestState.RUNNING)


class ProxiedRequest(TenantScoped):
    """One call as it was asked, decided and ended. `id` is the admission's own, so a resent batch finds it."""

    session = TenantForeignKey(Session, related_name="requests", db_index=False)
    prompt = TenantForeignKey(Prompt, null=True, related_name="requests")
    key = TenantForeignKey(GatewayKey, related_name="requests", db_index=False)
    # The one tool use that was open when the call came (`audit.ToolUse`); none where several were, or none was told.
    tool_use_id = models.UUIDField(null=True)
    link = models.CharField(max_length=1)
    link_reason = models.CharField(max_length=200)
    person_id = models.UUIDField(null=True)
    person_label = models.CharField(max_length=200)
    agent_id = models.UUIDField(null=True)
    agent_label = models.CharField(max_length=200, blank=True)
    connection_id = models.UUIDField()
    connection_label = models.CharField(max_length=200)
    edge_id = models.UUIDField()
    boot_id = models.UUIDField()
    source = models.CharField(max_length=64)
    method = models.CharField(max_length=10)
    # The protocol an answer of ours must speak; `s3` is REST XML with S3's own error shape.
    dialect = models.CharField(max_length=20)
    # What a resent admission must equal: SHA-256 over method, target, signature and body digest.
    fingerprint = models.CharField(max_length=64)
    service = models.CharField(max_length=80)
    operation = models.CharField(max_length=120)
    region = models.CharField(max_length=40)
    access = models.CharField(max_length=30)
    actions = ArrayField(models.CharField(max_length=160), default=list)
    resources = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    question = models.JSONField(default=dict)
    effect = models.CharField(max_length=8)
    would_be = models.CharField(max_length=8, blank=True)
    rule_ids = ArrayField(models.CharField(max_length=160), default=list)
    revision = models.CharField(max_length=80)
    advice = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    refusal_code = models.CharField(max_length=120, blank=True)
    approval_id = models.UUIDField(null=True)
    invocation_id = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, choices=RequestState.choices)
    received_at = models.DateTimeField()
    decided_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    event_sequence = models.BigIntegerField(null=True)
    event_leaf = models.BinaryField(null=True)
    sealed_salt = models.BinaryField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    aws_request_id = models.CharField(max_length=120, blank=True)
    error = models.CharField(max_length=120, blank=True)
    bytes_up = models.BigIntegerField(default=0)
    bytes_down = models.BigIntegerField(default=0)
    bytes_scanned = models.BigIntegerField(default=0)
    bytes_unscanned = models.BigIntegerField(default=0)
    masked = models.JSONField(default=dict)

    class Meta:
        indexes = (
            models.Index(fields=("tenant", "-received_at", "-id"), name="request_newest"),
            models.Index(fields=("tenant", "session", "received_at"), name="request_by_session"),
            models.Index(
                fields=("tenant", "boot_id"),
                condition=models.Q(state__in=("held", "admitted", "running")),
                name="request_open_by_boot",
            ),
        )


class StoredBody(TenantScoped):
    """The exact request a worker may run after approval: sealed, and erased when it has run or lapsed."""

    request = TenantForeignKey(ProxiedRequest, related_name="stored_bodies")
    sealed = models.BinaryField()
    stored_at = models.DateTimeField()


class RunState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    NOT_SENT = "not_sent"
    AMBIGUOUS = "ambiguous"


class ApprovedRun(TenantScoped):
    """One approved call, run at most once: a conditional update takes it, a lease says until when."""

    approval_id = models.UUIDField()
    request = TenantForeignKey(ProxiedRequest, related_name="runs")
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    sealed_result = models.BinaryField(null=True)
    collected_at = models.DateTimeField(null=True)
    collected_by_request = models.UUIDField(null=True)
    result_until = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "approval_id"), name="one_run_per_approval"),)
        indexes = (
            models.Index(
                fields=("tenant", "state"), condition=models.Q(state__in=("queued", "running")), name="run_open"
            ),
        )


class Sighting(TenantScoped):
    """A signature that let a change through, as long as anybody would believe it again."""

    request_id = models.UUIDField()
    signature = models.BinaryField()
    occurrence = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("tenant", "signature"), name="sighting_signature"),)


class IssuedDecoys(TenantScoped):
    """A response in which values may have been written as decoys; all of them carry its tag."""

    tag = models.BigIntegerField()
    request_id = models.UUIDField()
    issued_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "request_id"), name="one_decoy_tag_per_request"),)
        indexes = (models.Index(fields=("tenant", "tag"), name="decoys_by_tag"),)


class DecoySighting(TenantScoped):
    """A use of a decoy that was told of once, and is not again: a record of CloudTrail, a key id tried over and over."""

    name = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_finding_per_sighting"),)


class Edge(models.Model):
    """An enrolled edge: not tenant-owned, since one edge may serve several (see EdgeScope)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80)
    public_key = models.BinaryField()
    # Offered and not used yet; the first call it signs makes it the key. The one before it is good a little longer.
    next_public_key = models.BinaryField(null=True)
    previous_public_key = models.BinaryField(null=True)
    previous_until = models.DateTimeField(null=True)
    key_since = models.DateTimeField(auto_now_add=True)
    is_key_due = models.BooleanField(default=False)
    # Whose data key the keys of its journals come from; set once, for older journals must open later too.
    journal_tenant_id = models.UUIDField(null=True)
    enrolled_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)


class EnrolmentToken(models.Model):
    """A one-time invitation for an edge: kept as a hash, spent by a conditional update."""

    digest = models.BinaryField(unique=True)
    tenants = ArrayField(models.UUIDField())
    # Empty: all of the tenants' connections. Else these alone, of the one tenant named.
    connections = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class EdgeScope(TenantScoped):
    """One tenant (or one of its connections) an edge may bring admissions for."""

    edge = models.ForeignKey(Edge, on_delete=models.PROTECT, related_name="scopes")
    connection_id = models.UUIDField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "edge", "connection_id"), name="one_edge_scope", nulls_distinct=False
            ),
        )


class EdgeBoot(models.Model):
    """One life of an edge process. Fenced, it may bring no more admissions; its open requests are settled."""

    id = models.UUIDField(primary_key=True, editable=False)
    edge = models.ForeignKey(Edge, on_delete=models.PROTECT, related_name="boots")
    version = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    fenced_at = models.DateTimeField(null=True)
    # What the next boot's journal says may have left; null where no journal ever spoke.
    sending = ArrayField(models.UUIDField(), null=True)
    # How many records its journal has had, as far as it told: a file found with fewer was cut.
    journal_records = models.PositiveBigIntegerField(default=0)
    is_settled = models.BooleanField(default=False)

    class Meta:
        indexes = (models.Index(fields=("edge", "-started_at"), name="boot_newest"),)
