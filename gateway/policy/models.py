"""Policies and their revisions. A published revision never changes; publishing makes a new one current."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.policy.access_models import PolicyGrant as PolicyGrant  # registers its table
from gateway.policy.detector_models import Detector as Detector  # and these theirs
from gateway.tenants.models import TenantForeignKey, TenantScoped


class Policy(TenantScoped):
    """A tenant's policy text over time; `current` is the revision that decides."""

    name = models.CharField(max_length=80)
    current = TenantForeignKey("policy.Revision", null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_policy_name_per_tenant"),)


class Revision(TenantScoped):
    """One text with the packs it stood on, compiled at publish. Immutable once published."""

    policy = TenantForeignKey(Policy, related_name="revisions")
    number = models.PositiveIntegerField()
    packs = ArrayField(models.CharField(max_length=80), default=list)
    text = models.TextField()
    # The packs' text and our own, joined as compiled: a later product version cannot change what decided then.
    compiled_text = models.TextField()
    sha256 = models.CharField(max_length=64)
    published_at = models.DateTimeField()
    published_by = models.CharField(max_length=200)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "policy", "number"), name="one_revision_number"),)
