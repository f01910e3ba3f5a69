"""`manage.py resume_tenant SLUG --reason TEXT`: lift a tenant's suspension where nobody inside is left who could."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.identity.standing import resume_as_operator
from gateway.problems import Problem
from gateway.tenants.models import Tenant
from gateway.tenants.scope import all_tenant_ids, in_tenant


class Command(BaseCommand):
    help = "Lift the suspension of a tenant; its ledger says that the operator did, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", help="the tenant's slug")
        parser.add_argument("--reason", required=True, help="kept as evidence")

    def handle(self, *_args: Any, **options: Any) -> None:
        for tenant_id in all_tenant_ids():
            with in_tenant(tenant_id):
                tenant = Tenant.objects.filter(pk=tenant_id, slug=options["tenant"]).first()
                if tenant is None:
                    continue
                try:
                    resume_as_operator(tenant=tenant, reason=options["reason"], now=timezone.now())
                except Problem as problem:
                    raise CommandError(problem.message) from None
            self.stdout.write(f"{tenant.slug} is resumed.")
            return
        raise CommandError(f"There is no tenant {options['tenant']!r}.")
