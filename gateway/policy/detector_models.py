"""A tenant's own detectors and their versions. Which are live, packed for the way, is one row a tenant."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.masking.tenant_rules import LONGEST_KEYWORD, LONGEST_NAME, Checksum, TenantRule
from gateway.tenants.models import TenantForeignKey, TenantScoped


class Detector(TenantScoped):
    """One thing to be found. `live` is the version that masks now; None while it is only prepared."""

    name = models.CharField(max_length=LONGEST_NAME)
    live = TenantForeignKey("policy.DetectorVersion", null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_detector_name_per_tenant"),)


class DetectorVersion(TenantScoped):
    """One definition, tried when it was saved. Immutable. Examples are sealed: people paste what must not be seen."""

    detector = TenantForeignKey(Detector, related_name="versions")
    number = models.PositiveIntegerField()
    pattern = models.TextField()
    keywords = ArrayField(models.CharField(max_length=LONGEST_KEYWORD), default=list)
    checksum = models.CharField(max_length=10, choices=[(one.value, one.value) for one in Checksum])
    sealed_examples = models.BinaryField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "detector", "number"), name="one_detector_version"),)

    def rule(self, name: str) -> TenantRule:
        """As masking takes it."""
        return TenantRule(
            name=name,
            version=self.number,
            pattern=self.pattern,
            keywords=tuple(self.keywords),
            checksum=Checksum(self.checksum),
        )


class LiveDetectors(TenantScoped):
    """All live rules of a tenant, packed as mask plans carry them; read with every key."""

    packed = models.BinaryField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant",), name="one_live_set_per_tenant"),)
