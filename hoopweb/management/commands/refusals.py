"""`manage.py refusals`: refusals of callers nobody could name, per source and minute. They are the installation's own.

No tenant sees them: an edge may serve several, and an address that tried one tenant's keys is no other's business.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from audit.selectors import refusal_counts


class Command(BaseCommand):
    help = "Show refusals without a verified tenant, newest minute first: minute, count, source, code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--minutes", type=int, default=60, help="how far back to look (default: 60)")
        parser.add_argument("--most", type=int, default=200, help="how many lines (default: 200)")

    def handle(self, *_args: Any, **options: Any) -> None:
        since = timezone.now() - timedelta(minutes=max(options["minutes"], 1))
        for row in refusal_counts(since=since)[: max(options["most"], 1)]:
            self.stdout.write(f"{row.minute:%Y-%m-%dT%H:%MZ}  {row.count:>8}  {row.source:<40}  {row.code}")
