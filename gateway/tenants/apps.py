"""The tenants app; at start it refuses a database role that row-level security does not bind."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register


class TenantsConfig(AppConfig):
    name = "gateway.tenants"
    label = "tenants"

    def ready(self) -> None:
        from gateway.tenants.checks import egress_lists_are_exact, role_is_bound_by_row_security

        register(Tags.database)(role_is_bound_by_row_security)
        register(Tags.security)(egress_lists_are_exact)
