"""`manage.py edge_scope --tenant SLUG`: let enrolled edges serve one more tenant or connection, or no longer."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.requests.edges import let_serve, release
from gateway.requests.models import Edge
from hoopweb.management.connection_named import connection_named
from hoopweb.management.tenant_named import tenant_named


class Command(BaseCommand):
    help = "Let edges bring admissions of one more tenant (all live edges, or those named)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--connection", default="", help="one connection of the tenant instead of all")
        parser.add_argument("--end", action="store_true", help="end this right instead; it ends within two seconds")
        parser.add_argument("--edge", action="append", default=[], help="an edge's name; may be given again")

    def handle(self, *_args: Any, **options: Any) -> None:
        tenant = tenant_named(options["tenant"])
        edges = Edge.objects.filter(revoked_at=None)
        if options["edge"]:
            edges = edges.filter(name__in=options["edge"])
        if not edges:
            raise CommandError("No live edge is enrolled under that name.")
        connection = connection_named(tenant, options["connection"]) if options["connection"] else None
        for edge in edges:
            told = {"edge": edge, "tenant_id": tenant.pk, "connection_id": connection, "now": timezone.now()}
            self.stdout.write(f"{edge.name} {_changed(told, is_end=options['end'])} {tenant.slug}.")


def _changed(told: dict[str, Any], *, is_end: bool) -> str:
    if is_end:
        return "serves no longer" if release(**told) else "had no such right for"
    let_serve(**told)
    return "serves"
