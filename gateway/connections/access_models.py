"""Which groups a connection is kept for. Who is in them, and what that means, is `gateway.identity.object_rights`."""

from __future__ import annotations

from gateway.identity.object_rights import ObjectGrant
from gateway.tenants.models import TenantForeignKey


class ConnectionGrant(ObjectGrant):
    """One group's right to see and use one connection."""

    content_object = TenantForeignKey("connections.Connection", related_name="grants")
