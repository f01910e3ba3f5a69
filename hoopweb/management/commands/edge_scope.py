"""`manage.py edge_scope --tenant SLUG`: let enrolled edges serve one more tenant."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.requests.edges import let_serve
from gateway.requests.models import Edge
from gateway.tenants.models import Tenant
from gateway.tenants.scope import all_tenant_ids, in_tenant


class Command(BaseCommand):
    help = "Let edges bring admissions of one more tenant (all live edges, or those named)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--edge", action="append", default=[], help="an edge's name; may be given again")

    def handle(self, *_args: Any, **options: Any) -> None:
        tenant = _tenant(options["tenant"])
        edges = Edge.objects.filter(revoked_at=None)
        if options["edge"]:
            edges = edges.filter(name__in=options["edge"])
        if not edges:
            raise CommandError("No live edge is enrolled under that name.")
        for edge in edges:
            let_serve(edge=edge, tenant_id=tenant.pk, now=timezone.now())
            self.stdout.write(f"{edge.name} serves {tenant.slug}.")


def _tenant(slug: str) -> Tenant:
    for tenant_id in all_tenant_ids():
        with in_tenant(tenant_id):
            found = Tenant.objects.filter(pk=tenant_id, slug=slug).first()
        if found is not None:
            return found
    raise CommandError(f"There is no tenant {slug!r}.")
