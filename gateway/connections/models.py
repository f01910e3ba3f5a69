"""Connections and the credentials behind them. Access keys of tenants are sealed; role connections need none."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.connections.access_models import ConnectionGrant as ConnectionGrant  # registers its table
from gateway.tenants.models import TenantForeignKey, TenantScoped


class ConnectionState(models.TextChoices):
    DRAFT = "draft"
    ACTIVE = "active"
    SUSPENDED = "suspended"


class OpaquePayloads(models.TextChoices):
    """What becomes of payloads nobody can read (images, archives, encrypted or unknown ones): the contract's words."""

    WITHHOLD = "withhold"
    ASK = "ask"
    PASS = "pass"  # noqa: S105  # a choice, not a password


class Credential(TenantScoped):
    """Sealed access keys the role is assumed with; without one, the installation's own identity is used."""

    name = models.CharField(max_length=80)
    access_key_id = models.CharField(max_length=128)
    sealed_secret = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)


class Connection(TenantScoped):
    """One AWS account, reached through one role. Usable once a test proved it."""

    name = models.SlugField(max_length=80)
    account_id = models.CharField(max_length=12)
    role_arn = models.CharField(max_length=200)
    # Ours, never the tenant's choice: a guessable ExternalId would let another tenant borrow the role.
    external_id = models.CharField(max_length=80)
    regions = ArrayField(models.CharField(max_length=40))
    # Accounts beside its own that its calls and role chains may reach. Reached by roles there, never by its own keys.
    further_accounts = ArrayField(models.CharField(max_length=12), default=list, db_default=[])
    credential = TenantForeignKey(Credential, null=True, related_name="connections")
    state = models.CharField(max_length=12, choices=ConnectionState.choices, default=ConnectionState.DRAFT)
    observe_only = models.BooleanField(default=False)
    opaque_payloads = models.CharField(
        max_length=8,
        choices=OpaquePayloads.choices,
        default=OpaquePayloads.WITHHOLD,
        db_default=OpaquePayloads.WITHHOLD,
    )
    # Who is asked about them: the name of an approval rule.
    opaque_approvers = models.CharField(max_length=80, blank=True, default="", db_default="")
    tested_at = models.DateTimeField(null=True)
    test_report = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_connection_name_per_tenant"),)
