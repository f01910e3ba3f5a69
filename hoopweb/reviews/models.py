"""Access reviews: each quarter, who has which right on what, kept or removed with a reason; and auditors' periods.

What a removal does is the owning room's service; a period is enforced by the tables' own policies (`hoopweb.period`).
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.tenants.models import TenantForeignKey, TenantScoped


class AccessReview(TenantScoped):
    """One quarter's campaign, with the access of the moment it was opened."""

    quarter = models.CharField(max_length=7)
    opened_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    # When people were last told that lines wait.
    reminded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "quarter"), name="one_access_review_per_quarter"),)


def _reminders() -> list[int]:
    return [14, 7, 1]


class ReviewSchedule(TenantScoped):
    """How a tenant wants its reviews; where there is none, as the defaults say."""

    is_on = models.BooleanField(default=True)
    days_to_answer = models.PositiveSmallIntegerField(default=30)
    # So many days before a review is due, people are reminded.
    remind_days_before = ArrayField(models.PositiveSmallIntegerField(), default=_reminders)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant",), name="one_review_schedule"),)


class HolderKind(models.TextChoices):
    """What may hold a right."""

    MEMBER = "member", "person"
    API_KEY = "api-key", "API key"
    SERVICE_ACCOUNT = "service-account", "service account"
    DEVICE = "device", "device"
    WORKLOAD_RULE = "workload-rule", "workload rule"
    # A group for which a connection or a policy is kept.
    GROUP = "group", "group"


class ReviewAnswer(models.TextChoices):
    KEEP = "keep"
    REMOVE = "remove"


class ReviewItem(TenantScoped):
    """One holder and what it may do, as of the opening; the answer to it, once given."""

    review = TenantForeignKey(AccessReview, related_name="items")
    kind = models.CharField(max_length=20, choices=HolderKind.choices)
    subject = models.UUIDField()
    label = models.CharField(max_length=300)
    access = models.TextField()
    since = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=10, choices=ReviewAnswer.choices, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    answered_by = models.CharField(max_length=150, blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "review", "kind", "subject"), name="one_review_item_per_holder"),
        )


class EvidencePeriod(TenantScoped):
    """A member who sees only the evidence of these days, and is a member no longer once `ends_at` has come."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    set_by = models.CharField(max_length=150)
    set_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "user"), name="one_evidence_period_per_member"),)


class OperatorAccess(TenantScoped):
    """The vendor's operator asking to look inside: opened by the tenant alone, for hours, with every step an event."""

    operator = models.CharField(max_length=80)
    reason = models.CharField(max_length=500)
    hours = models.PositiveSmallIntegerField()
    asked_at = models.DateTimeField()
    is_allowed = models.BooleanField(null=True)
    answered_by = models.CharField(max_length=150, blank=True)
    answered_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
