"""`manage.py resume_tenant SLUG --reason TEXT`: lift a tenant's suspension where nobody inside is left who could."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.identity.standing import resume_as_operator
from gateway.problems import Problem
from gateway.tenants.scope import in_tenant
from hoopweb.management.tenant_named import tenant_named


class Command(BaseCommand):
    help = "Lift the suspension of a tenant; its ledger says that the operator did, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", help="the tenant's slug")
        parser.add_argument("--reason", required=True, help="kept as evidence")

    def handle(self, *_args: Any, **options: Any) -> None:
        tenant = tenant_named(options["tenant"])
        try:
            with in_tenant(tenant):
                resume_as_operator(tenant=tenant, reason=options["reason"], now=timezone.now())
        except Problem as problem:
            raise CommandError(problem.message) from None
        self.stdout.write(f"{tenant.slug} is resumed.")
