"""A tenant's connection by its name, for commands."""

from __future__ import annotations

from uuid import UUID

from django.core.management.base import CommandError

from gateway.connections.models import Connection
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant


def connection_named(tenant: Tenant, name: str) -> UUID:
    """Return its id; raises CommandError where the tenant has none of that name."""
    with in_tenant(tenant):
        found: UUID | None = (
            Connection.objects.for_tenant(tenant).filter(name=name).values_list("id", flat=True).first()
        )
    if found is None:
        raise CommandError(f"{tenant.slug} has no connection called {name!r}.")
    return found
