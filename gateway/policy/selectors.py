"""Reading policies and revisions for pages, always inside their tenant's transaction."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from gateway.policy.models import Policy, Revision
from gateway.policy.problems import RevisionUnknown
from gateway.tenants.models import Tenant


def policies(tenant: Tenant) -> QuerySet[Policy]:
    """All policies with the revision that decides, by name."""
    found: QuerySet[Policy] = Policy.objects.for_tenant(tenant).select_related("current").order_by("name")
    return found


def revisions(tenant: Tenant, *, policy_name: str = "main") -> QuerySet[Revision]:
    """All revisions of one policy, newest first, without their compiled texts."""
    found: QuerySet[Revision] = Revision.objects.for_tenant(tenant).filter(policy__name=policy_name)
    return found.select_related("policy").defer("compiled_text").order_by("-number")


def revision(tenant: Tenant, revision_id: UUID) -> Revision:
    """One revision; raises RevisionUnknown, for another tenant's as for none."""
    found: Revision | None = Revision.objects.for_tenant(tenant).select_related("policy").filter(pk=revision_id).first()
    if found is None:
        raise RevisionUnknown
    return found
