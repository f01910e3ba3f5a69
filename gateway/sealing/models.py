"""Data keys: one live key a tenant, wrapped by the installation's key."""

from __future__ import annotations

from django.db import models

from gateway.tenants.models import TenantScoped


class DataKey(TenantScoped):
    """A tenant's AES-256 key, wrapped. `wrapped_by` names the key file or KMS key that opens it."""

    version = models.PositiveIntegerField()
    wrapped = models.BinaryField()
    wrapped_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "version"), name="datakey_version"),)
