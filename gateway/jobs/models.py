"""Masking jobs and what they found. A job works page by page; its cursor says where the next one begins."""

from __future__ import annotations

from django.db import models

from gateway.tenants.models import TenantForeignKey, TenantScoped

LONGEST_PLACE = 1_200


class JobKind(models.TextChoices):
    REMASK = "remask"
    COPY = "copy"
    SCAN = "scan"


class JobState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.QUEUED, JobState.RUNNING)


class MaskingJob(TenantScoped):
    """One job. `target` says on what (no secret in it), `counts` what came of it so far; both are plain JSON.

    `lease` names the worker that has it; after `lease_until` any other may go on from the cursor. `tries` counts turns since
    anything was done. `progress` is what is being read now, {place, bytes}; `told` the counts that events have told of.
    """

    kind = models.CharField(max_length=10, choices=JobKind.choices)
    connection = TenantForeignKey("connections.Connection", null=True, related_name="+")
    target = models.JSONField()
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    cursor = models.JSONField(null=True)
    counts = models.JSONField(default=dict)
    rules = models.CharField(max_length=80)
    error = models.CharField(max_length=400, blank=True)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    pages = models.PositiveIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    progress = models.JSONField(null=True)
    told = models.JSONField(default=dict)
    started_by = models.CharField(max_length=200)
    reason = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=("tenant", "created_at"), condition=models.Q(state__in=("queued", "running")), name="jobs_open"
            ),
        )


class JobFinding(TenantScoped):
    """What was found in one place of a job: how often by type and by rule, never what. The place is masked itself."""

    job = TenantForeignKey(MaskingJob, related_name="findings")
    place = models.CharField(max_length=LONGEST_PLACE)
    types = models.JSONField()
    rules = models.JSONField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "job", "place"), name="one_finding_per_place"),)
