"""Which groups a policy is kept for. Who is in them, and what that means, is `gateway.identity.object_rights`."""

from __future__ import annotations

from gateway.identity.object_rights import ObjectGrant
from gateway.tenants.models import TenantForeignKey


class PolicyGrant(ObjectGrant):
    """One group's right to publish under one policy."""

    content_object = TenantForeignKey("policy.Policy", related_name="grants")
