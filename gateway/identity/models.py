"""Who may be answerable for a call, and the keys that say so.

What a key may reach is decided by policy; the connection a gateway key is bound to lives in `gateway.connections`.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.identity import keys
from gateway.identity.door_models import IdentityProvider as IdentityProvider  # registers that module's tables
from gateway.tenants.models import TenantForeignKey, TenantScoped
from gateway.tenants.rights import Right, rights_of


class User(AbstractUser):
    """A person. Not tenant-owned: one person may be a member of several tenants (see Membership)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)


class ExternalIdentity(models.Model):
    """How a provider knows a person. Keyed by (provider, subject): never by e-mail or user name."""

    provider = models.CharField(max_length=300)
    subject = models.CharField(max_length=300)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="external_identities")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("provider", "subject"), name="one_identity_per_subject"),)


class Membership(TenantScoped):
    """One person in one tenant, with roles and the groups policy and approvals speak of."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    roles = ArrayField(models.CharField(max_length=40), default=list)
    groups = ArrayField(models.CharField(max_length=80), default=list)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "user"), name="one_membership_per_tenant"),)

    @property
    def rights(self) -> frozenset[Right]:
        return rights_of(self.roles) if self.is_active else frozenset()


class Agent(TenantScoped):
    """An AI agent acting for a person: Cursor, Claude Code, a script."""

    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=40, default="script")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="agents")
    is_suspended = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_agent_name_per_tenant"),)


class ServiceAccount(TenantScoped):
    """A workload that acts without a person at hand."""

    name = models.CharField(max_length=80)
    is_suspended = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_service_account_name"),)


class Device(TenantScoped):
    """A developer's machine with its own key pair; prompts signed by it reach link level A."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="devices")
    name = models.CharField(max_length=120)
    public_key = models.BinaryField()
    # Where its private key lies (`proving.KeyStorage`), as its client said: what it may prove depends on it.
    key_storage = models.CharField(max_length=20, default="file")
    enrolled_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)
    # When a refusal of it last became an event: a copied request sent a thousand times is told once a minute.
    refusal_told_at = models.DateTimeField(null=True)


class DeviceNonce(TenantScoped):
    """The nonce of a device's signature, good once. Kept as long as the signature would be believed."""

    device = TenantForeignKey(Device, related_name="nonces")
    nonce = models.BinaryField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "device", "nonce"), name="one_use_per_nonce"),)
        indexes = (models.Index(fields=("tenant", "device", "seen_at"), name="nonces_by_age"),)


class ApiKey(TenantScoped):
    """A key for the REST API: shown once, kept as a hash. With a `user` it is person-bound."""

    name = models.CharField(max_length=80)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="api_keys")
    service_account = TenantForeignKey(ServiceAccount, null=True, related_name="api_keys")
    digest = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    # When it was written down that it ends soon (see `ending`).
    warned_at = models.DateTimeField(null=True)
    # The machine the key was issued to: revoking the one ends the other.
    device = TenantForeignKey(Device, null=True, related_name="api_keys")

    @property
    def prefix(self) -> str:
        """How the key begins: the part before its secret, by which a found key is known again."""
        return keys.api_key_prefix(tenant_id=self.tenant_id, key_id=self.pk)

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class GatewayKey(TenantScoped):
    """AWS keys the gateway issues. They are worth nothing at AWS, and open exactly one connection here."""

    access_key_id = models.CharField(max_length=128, unique=True)
    sealed_secret = models.BinaryField()
    token_digest = models.BinaryField()
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="gateway_keys")
    service_account = TenantForeignKey(ServiceAccount, null=True, related_name="gateway_keys")
    agent = TenantForeignKey(Agent, null=True, related_name="gateway_keys")
    # The constraint to connections is laid by that room's migration: identity does not know the table.
    connection_id = models.UUIDField()
    conversation = models.CharField(max_length=200, blank=True)
    generation = models.CharField(max_length=200, blank=True)
    prompt_id = models.UUIDField(null=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    issued_by_key = models.UUIDField(null=True)
    # A key asked of AWS through us (AssumeRole, GetSessionToken, CreateSession): the keys it came from, eldest first.
    # It ends with any of them.
    ancestors = ArrayField(models.UUIDField(), default=list)
    # The device that asked for it, the most its calls may claim (A to C), and why: all empty for keys of the REST API.
    device = TenantForeignKey(Device, null=True, related_name="gateway_keys")
    link_cap = models.CharField(max_length=1, blank=True)
    cap_reason = models.CharField(max_length=200, blank=True)
    # Which roles its calls go through, one hop each after the connection's own (see `gateway.connections.chain`).
    role_chain = models.JSONField(default=list)

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at
