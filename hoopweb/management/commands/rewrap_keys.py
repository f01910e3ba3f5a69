"""`manage.py rewrap_keys NEW_KEY_FILE`: put every tenant's data keys under another installation key.

Run it as the database's owner role. Stop what serves before, and set HOOPWEB_KEY_FILE to the new file before it starts again (docs/operations.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from gateway.problems import Problem
from gateway.sealing.services import read_key_file, rewrap
from gateway.tenants.scope import all_tenant_ids, in_tenant


class Command(BaseCommand):
    help = "Wrap all data keys anew under the key of another file. All of them or none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key_file", type=Path, help="32 random bytes in base64, readable by the service alone")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            new_key = read_key_file(options["key_file"])
            with transaction.atomic():
                count = 0
                for tenant_id in all_tenant_ids():
                    with in_tenant(tenant_id):
                        count += rewrap(tenant_id=tenant_id, new_key=new_key)
        except (Problem, OSError) as problem:
            raise CommandError(str(getattr(problem, "message", problem))) from None
        self.stdout.write(
            f"{count} data keys are under the new key. Set HOOPWEB_KEY_FILE to it before you start again."
        )
