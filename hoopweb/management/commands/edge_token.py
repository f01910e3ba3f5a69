"""`manage.py edge_token --tenant SLUG`: a one-time token that an edge enrols with. Run it as the database's owner role."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.requests.edges import invite
from hoopweb.management.connection_named import connection_named
from hoopweb.management.tenant_named import tenant_named


class Command(BaseCommand):
    help = "Print a token that one edge may enrol with, once, for these tenants."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", action="append", required=True, help="a tenant's slug; may be given again")
        parser.add_argument(
            "--connection",
            action="append",
            default=[],
            help="only this connection of the one tenant; may be given again",
        )
        parser.add_argument("--minutes", type=int, default=60, help="how long it may be spent (default: 60)")

    def handle(self, *_args: Any, **options: Any) -> None:
        tenants = [tenant_named(slug) for slug in options["tenant"]]
        if options["connection"] and len(tenants) != 1:
            raise CommandError("--connection goes with one --tenant.")
        connections = [connection_named(tenants[0], name) for name in options["connection"]]
        token = secrets.token_urlsafe(32)
        until = timezone.now() + timedelta(minutes=max(options["minutes"], 1))
        invite(token=token, tenants=[tenant.pk for tenant in tenants], connections=connections, until=until)
        self.stdout.write(token)
