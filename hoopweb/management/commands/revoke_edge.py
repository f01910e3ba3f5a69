"""`manage.py revoke_edge NAME`: an edge whose key may be known to others is out within two seconds."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.requests.edges import revoke_edge


class Command(BaseCommand):
    help = "Revoke every live edge of this name. A new one enrols with a token of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("edge", help="the edge's name, as in HOOPWEB_EDGE_NAME")

    def handle(self, *_args: Any, **options: Any) -> None:
        count = revoke_edge(name=options["edge"], now=timezone.now())
        if not count:
            raise CommandError(f"No live edge is called {options['edge']!r}.")
        self.stdout.write(f"{count} revoked.")
