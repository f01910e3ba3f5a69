"""Tenant, the base of every tenant-owned table, and the outbox.

Row-level security itself is laid by migrations through `gateway.tenants.isolation`.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Self, TypeVar

from django.db import models

M = TypeVar("M", bound="TenantScoped")


class Tenant(models.Model):
    """One customer. `slug` is the name people type; suspended tenants are refused everywhere."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(unique=True, max_length=40)
    title = models.CharField(max_length=120)
    keys_may_vote = models.BooleanField(default=False)
    is_suspended = models.BooleanField(default=False)
    # Local passwords open without a second factor: for a demo, never where people work.
    password_alone = models.BooleanField(default=False)
    # How old the proof may be by which a person at a browser votes, or reads a full prompt.
    fresh_proof_minutes = models.PositiveSmallIntegerField(default=15)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug


class TenantScopedQuerySet(models.QuerySet[M]):
    def for_tenant(self, tenant: Tenant | uuid.UUID) -> Self:
        """Say whose rows these are. Row-level security holds as well, should a filter be forgotten."""
        return self.filter(tenant_id=tenant.pk if isinstance(tenant, Tenant) else tenant)


class TenantForeignKey(models.ForeignKey[Any, Any]):
    """A reference inside one tenant: the database constraint is on (tenant_id, id), laid by `isolation.isolate`."""

    def __init__(self, to: Any, on_delete: Any = models.DO_NOTHING, **options: Any) -> None:
        options["db_constraint"] = False
        super().__init__(to, on_delete, **options)


class TenantScoped(models.Model):
    """Base of every tenant-owned model."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, editable=False, related_name="+", db_index=False)

    objects: ClassVar[Any] = TenantScopedQuerySet.as_manager()

    class Meta:
        abstract = True


class OutboxKind(models.TextChoices):
    """What must happen after a commit, whatever dies in between."""

    REQUEST_GRANTED = "request.granted"
    RUN_GRANTED = "run.granted"


class OutboxMessage(TenantScoped):
    """A promise written with the change that made it; published by `gateway.requests.tasks` until done."""

    kind = models.CharField(max_length=40, choices=OutboxKind.choices)
    subject = models.UUIDField()
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = (
            models.Index(
                fields=("tenant", "created_at"), condition=models.Q(published_at=None), name="outbox_unpublished"
            ),
        )
