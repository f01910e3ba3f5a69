"""Finding a tenant by its slug, for commands of the operator."""

from __future__ import annotations

from django.core.management.base import CommandError

from gateway.tenants.models import Tenant
from gateway.tenants.scope import all_tenant_ids, in_tenant


def tenant_named(slug: str) -> Tenant:
    """Return the tenant; raises CommandError where there is none of that name."""
    for tenant_id in all_tenant_ids():
        with in_tenant(tenant_id):
            found = Tenant.objects.filter(pk=tenant_id, slug=slug).first()
        if found is not None:
            return found
    raise CommandError(f"There is no tenant {slug!r}.")
