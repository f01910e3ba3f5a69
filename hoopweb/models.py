"""What the API itself must remember: answers already given under an idempotency key."""

from __future__ import annotations

from django.db import models

from gateway.tenants.models import TenantScoped
from hoopweb.reviews.models import AccessReview as AccessReview  # registers that module's tables


class IdempotencyKey(TenantScoped):
    """One write of one caller: the digest of what was asked and the sealed answer (it may show a new key's secret)."""

    caller_id = models.UUIDField()
    key = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    sealed_answer = models.BinaryField(null=True)
    stored_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("tenant", "caller_id", "key"), name="one_write_per_idempotency_key"),
        )
        indexes = (models.Index(fields=("tenant", "stored_at"), name="idempotency_oldest"),)
