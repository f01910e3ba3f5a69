"""`manage.py edge_scope --tenant SLUG`: let enrolled edges serve one more tenant."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.requests.edges import let_serve
from gateway.requests.models import Edge
from hoopweb.management.tenant_named import tenant_named


class Command(BaseCommand):
    help = "Let edges bring admissions of one more tenant (all live edges, or those named)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--edge", action="append", default=[], help="an edge's name; may be given again")

    def handle(self, *_args: Any, **options: Any) -> None:
        tenant = tenant_named(options["tenant"])
        edges = Edge.objects.filter(revoked_at=None)
        if options["edge"]:
            edges = edges.filter(name__in=options["edge"])
        if not edges:
            raise CommandError("No live edge is enrolled under that name.")
        for edge in edges:
            let_serve(edge=edge, tenant_id=tenant.pk, now=timezone.now())
            self.stdout.write(f"{edge.name} serves {tenant.slug}.")
