"""How people and workloads come in: providers, second factors, what a browser proved, device logins, workload rules.

Who they are once inside is `models`. Everything here belongs to one tenant: no tenant's provider opens another's door.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.tenants.models import TenantForeignKey, TenantScoped


class ProviderKind(models.TextChoices):
    OIDC = "oidc"
    SAML = "saml"


class IdentityProvider(TenantScoped):
    """One tenant's single sign-on. `issuer` is the OIDC issuer or the SAML entity id of the other side.

    `group_map` is {group at the provider: {"roles": [...], "groups": [...]}}; what it does not name is dropped.
    """

    kind = models.CharField(max_length=10, choices=ProviderKind.choices)
    name = models.CharField(max_length=40)
    title = models.CharField(max_length=120)
    issuer = models.CharField(max_length=1000)
    client_id = models.CharField(max_length=300, blank=True)
    # OIDC: the client secret. SAML: our signing key.
    sealed_secret = models.BinaryField()
    endpoints = models.JSONField(default=dict)
    certificates = ArrayField(models.TextField(), default=list)
    own_certificate = models.TextField(blank=True)
    group_claim = models.CharField(max_length=200, default="groups")
    group_map = models.JSONField(default=dict)
    default_roles = ArrayField(models.CharField(max_length=40), default=list)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_provider_name_per_tenant"),)


class ProofKind(models.TextChoices):
    """How a person proved to be there. Evidence of votes names it."""

    PASSWORD = "password", "password alone"
    TOTP = "password+totp", "password and one-time code"
    BREAK_GLASS = "break-glass", "password and one-time code, past the organisation's own sign-in"
    OIDC = "oidc", "the organisation's sign-in (OpenID Connect)"
    SAML = "saml", "the organisation's sign-in (SAML)"


class SignIn(TenantScoped):
    """One browser inside one tenant: when it was opened, by what proof, and whether somebody ended it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sign_ins")
    proof = models.CharField(max_length=20, choices=ProofKind.choices)
    provider = TenantForeignKey("identity.IdentityProvider", null=True, related_name="sign_ins")
    opened_at = models.DateTimeField()
    proved_at = models.DateTimeField()
    # By what the person proved himself again where that is another thing than what opened the browser: "totp", or "".
    renewed_by = models.CharField(max_length=10, blank=True)
    last_seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)
    source = models.CharField(max_length=60, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    # What the provider's own sign-out asks for; personal, so it is sealed like any other secret.
    sealed_hint = models.BinaryField(null=True)

    class Meta:
        indexes = (models.Index(fields=("tenant", "user", "-opened_at"), name="sign_ins_of_person"),)

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.expires_at


class SecondFactor(TenantScoped):
    """One person's TOTP seed in one tenant. `last_step` is the last time step used: a code opens once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="second_factors")
    sealed_seed = models.BinaryField()
    enrolled_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "user"), name="one_second_factor_per_member"),)


class SeenAssertion(TenantScoped):
    """A SAML assertion that was accepted: it opens one door once. Kept until it could not be valid any more."""

    provider = TenantForeignKey("identity.IdentityProvider", related_name="assertions")
    digest = models.BinaryField()
    # What it said, for the browser to collect by its own cookie; emptied when it did.
    sealed_arrival = models.BinaryField(null=True)
    request_id = models.CharField(max_length=100)
    seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "provider", "digest"), name="one_use_per_assertion"),)


class DeviceLogin(TenantScoped):
    """One run of the device flow (RFC 8628): a machine waits, a person in a browser says yes."""

    code_digest = models.BinaryField()
    user_code = models.CharField(max_length=8)
    device_name = models.CharField(max_length=120)
    public_key = models.BinaryField()
    key_storage = models.CharField(max_length=20, default="file")
    source = models.CharField(max_length=60, blank=True)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    polled_at = models.DateTimeField(null=True)
    interval_seconds = models.PositiveSmallIntegerField(default=5)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)
    is_allowed = models.BooleanField(default=False)
    collected_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "user_code"), name="one_login_per_user_code"),)


class AccountSecret(TenantScoped):
    """A service account's client secret. Two may live at once, so that one can be replaced without an outage."""

    service_account = TenantForeignKey("identity.ServiceAccount", related_name="secrets")
    digest = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    warned_at = models.DateTimeField(null=True)

    def is_live(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class WorkloadRule(TenantScoped):
    """Which outside token stands for a service account: issuer, audience, subject and claims must all match."""

    service_account = TenantForeignKey("identity.ServiceAccount", related_name="workload_rules")
    issuer = models.CharField(max_length=1000)
    # Where the issuer's keys are; empty where `jwks` holds them, for an issuer that cannot be reached from here.
    jwks_uri = models.CharField(max_length=1000)
    jwks = models.JSONField(null=True)
    audience = models.CharField(max_length=300)
    # Exact, or with `*` for a run of characters other than `:` and `/`.
    subject = models.CharField(max_length=500)
    claims = models.JSONField(default=dict)
    # What a token exchanged by this rule may do over REST; none, and it is exchanged for AWS keys alone.
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)


class SeenToken(TenantScoped):
    """An outside token that was exchanged: it opens once. Kept until it could not be valid any more."""

    digest = models.BinaryField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "digest"), name="one_exchange_per_token"),)
