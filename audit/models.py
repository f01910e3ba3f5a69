"""What the record holds: sessions, prompts, events, recordings, refusal counts.

Only its own tables: people, agents and connections appear by id and by their label as of then.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.tenants.models import Tenant, TenantScoped, TenantScopedQuerySet


class Session(TenantScoped):
    """One conversation on one connection; without a conversation, one key on one connection."""

    person_id = models.UUIDField(null=True)
    person_label = models.CharField(max_length=200)
    agent_id = models.UUIDField(null=True)
    agent_label = models.CharField(max_length=200, blank=True)
    connection_id = models.UUIDField()
    connection_label = models.CharField(max_length=200)
    # The conversation, or `key:<id>` where none was named: what makes a session one.
    conversation = models.CharField(max_length=220)
    opened_at = models.DateTimeField()
    # Of the newest call, to the second: it stands in an index, and a busy session's row is to be updated in place.
    last_at = models.DateTimeField()
    calls = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)
    deletes = models.PositiveIntegerField(default=0)
    secrets_masked = models.PositiveIntegerField(default=0)
    bytes_out = models.BigIntegerField(default=0)
    # What it has touched that later calls answer for (`gateway.engine.taint`).
    taint = ArrayField(models.CharField(max_length=20), default=list)
    # Exact up to `sessions.MOST_RESOURCES`, and from there on "at least".
    distinct_resources = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "connection_id", "conversation", "person_id"),
                name="one_session_per_conversation",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=("tenant", "-last_at", "-id"), name="session_newest"),)


class Prompt(TenantScoped):
    """The exact words that set an agent to work: sealed, with a masked copy for reading."""

    person_id = models.UUIDField(null=True)
    person_label = models.CharField(max_length=200)
    agent_id = models.UUIDField(null=True)
    agent_label = models.CharField(max_length=200, blank=True)
    conversation = models.CharField(max_length=200)
    generation = models.CharField(max_length=200)
    source = models.CharField(max_length=20, default="person")
    sealed_text = models.BinaryField()
    sealed_salt = models.BinaryField()
    masked_text = models.TextField()
    commitment = models.CharField(max_length=64)
    characters = models.PositiveIntegerField()
    recorded_at = models.DateTimeField()
    # The device that signed for it; none where it came by an API key.
    device_id = models.UUIDField(null=True)
    device_label = models.CharField(max_length=120, blank=True)
    agent_kind = models.CharField(max_length=40, blank=True)
    agent_version = models.CharField(max_length=80, blank=True)
    attachments = ArrayField(models.TextField(), default=list)
    workspace = models.TextField(blank=True)
    # A sub-agent: with a conversation of its own (`parent_*`), or inside its parent's (`subagent`).
    parent_conversation = models.CharField(max_length=200, blank=True)
    parent_tool_use = models.CharField(max_length=200, blank=True)
    subagent = models.CharField(max_length=200, blank=True)
    # What led to a machine's turn: the prompt before it, or the parent's. The chain ends at a person's words.
    caused_by_id = models.UUIDField(null=True)
    # What stood above the hook, as the device saw it.
    process = models.JSONField(null=True)
    # By the device's own clock: shown, and nothing is decided by it.
    occurred_at = models.DateTimeField(null=True)
    is_late = models.BooleanField(default=False)
    # The most a call linked to it may claim, and why.
    level_cap = models.CharField(max_length=1, default="B")
    cap_reason = models.CharField(max_length=200, blank=True)
    # When its words were erased, since the tenant keeps them no longer.
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "conversation", "generation"), name="one_prompt_per_generation"),
        )
        indexes = (
            models.Index(fields=("tenant", "conversation", "-recorded_at"), name="prompt_by_conversation"),
            # The list of prompts, newest first, page by page.
            models.Index(fields=("tenant", "-recorded_at", "-id"), name="prompt_newest"),
        )


class ToolUse(TenantScoped):
    """One use of a tool by an agent: its exact command sealed, with a masked copy, and when it began and ended."""

    prompt_id = models.UUIDField(null=True)
    person_id = models.UUIDField(null=True)
    device_id = models.UUIDField(null=True)
    agent_kind = models.CharField(max_length=40, blank=True)
    conversation = models.CharField(max_length=200)
    generation = models.CharField(max_length=200, blank=True)
    # The agent's own name for it.
    name = models.CharField(max_length=200)
    tool = models.CharField(max_length=200)
    sealed_command = models.BinaryField()
    sealed_salt = models.BinaryField()
    masked_command = models.TextField()
    commitment = models.CharField(max_length=64)
    cwd = models.TextField(blank=True)
    subagent = models.CharField(max_length=200, blank=True)
    parent_conversation = models.CharField(max_length=200, blank=True)
    parent_tool_use = models.CharField(max_length=200, blank=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    is_late = models.BooleanField(default=False)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "conversation", "generation", "name", "person_id"),
                name="one_tool_use_per_name",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=("tenant", "prompt_id", "began_at"), name="tool_use_by_prompt"),)


class PromptKeeping(TenantScoped):
    """A tenant's choices about prompts: what agents do while we cannot be reached, and how long words are kept."""

    class OnUnreachable(models.TextChoices):
        BLOCK = "block"
        SPOOL = "spool"

    on_unreachable = models.CharField(max_length=5, choices=OnUnreachable.choices, default=OnUnreachable.BLOCK)
    # None keeps them.
    retention_days = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant",), name="one_prompt_keeping_per_tenant"),)


class RecordingPart(models.TextChoices):
    REQUEST = "request"
    RESPONSE = "response"


class Recording(TenantScoped):
    """One masked half of a call, sealed. The salt opens the commitments of the clear halves."""

    request_id = models.UUIDField()
    part = models.CharField(max_length=10, choices=RecordingPart.choices)
    content_type = models.CharField(max_length=120, blank=True)
    sealed_body = models.BinaryField()
    sealed_salt = models.BinaryField()
    byte_count = models.BigIntegerField()
    is_whole = models.BooleanField(default=True)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "request_id", "part"), name="one_recording_per_part"),)


class Event(models.Model):
    """One line of a tenant's ledger. The table is made by migration: partitioned, append-only, without triggers up."""

    pk = models.CompositePrimaryKey("tenant_id", "sequence")
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False)
    sequence = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    at = models.DateTimeField()
    subject = models.UUIDField()
    session_id = models.UUIDField(null=True)
    body = models.BinaryField()
    leaf = models.BinaryField()

    objects: ClassVar[Any] = TenantScopedQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "audit_event"


class LedgerHead(models.Model):
    """The next sequence number of one tenant; its row lock orders the tenant's ledger."""

    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, primary_key=True)
    next_sequence = models.BigIntegerField(default=0)


class RefusalCount(models.Model):
    """Refusals without a verified tenant, counted per source and minute: nobody can flood a tenant's ledger."""

    edge_id = models.UUIDField()
    minute = models.DateTimeField()
    source = models.CharField(max_length=64)
    code = models.CharField(max_length=80)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("edge_id", "minute", "source", "code"), name="one_count_per_minute"),
        )
