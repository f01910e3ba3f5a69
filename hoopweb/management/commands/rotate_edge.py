"""`manage.py rotate_edge NAME`: have an edge make itself a new key now; no call is lost on the way."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.requests.edge_keys import ask_for_new_keys


class Command(BaseCommand):
    help = "Have every live edge of this name change its key; it does within seconds. Else each does once a month."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("edge", help="the edge's name, as in HOOPWEB_EDGE_NAME")

    def handle(self, *_args: Any, **options: Any) -> None:
        count = ask_for_new_keys(name=options["edge"])
        if not count:
            raise CommandError(f"No live edge is called {options['edge']!r}.")
        self.stdout.write(f"{count} asked.")
