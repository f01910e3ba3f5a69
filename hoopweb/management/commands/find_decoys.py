"""`manage.py find_decoys --tenant TENANT FILE...`: decoys that were used where CloudTrail saw it become findings."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gateway.requests.decoy_sightings import Sighted, in_trail
from gateway.wire.cloudtrail import NotCloudTrail, Source, records
from hoopweb.management.tenant_named import tenant_named


class Command(BaseCommand):
    help = (
        "Look for a tenant's decoys in CloudTrail's files (JSON or JSON.gz; a folder stands for all in it, - for standard"
        " input). Each record that carries one becomes an event decoy.used, once. Ends with 1 where a file is broken."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True)
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *_: Any, **options: Any) -> None:
        tenant = tenant_named(options["tenant"])
        self._read = self._found = self._new = 0
        broken = [name for given in options["files"] for name in _named(given) if not self._look(name, tenant.pk)]
        self.stdout.write(f"{self._read} records read, {self._found} carry a decoy, {self._new} of those told of now")
        if broken:
            raise CommandError(f"{len(broken)} files could not be read to their end")

    def _look(self, name: str, tenant_id: UUID) -> bool:
        """Go through one file; False, and a line that says why, where it cannot be read to its end."""
        try:
            with ExitStack() as opened:
                file: Source = sys.stdin.buffer if name == "-" else opened.enter_context(Path(name).open("rb"))
                for one in in_trail(tenant_id=tenant_id, records=self._counted(file), now=timezone.now()):
                    self._tell(one)
        except (NotCloudTrail, OSError) as fault:
            said = fault.strerror if isinstance(fault, OSError) else str(fault)
            self.stderr.write(f"{name}: {said}")
            return False
        return True

    def _counted(self, file: Source) -> Iterator[Mapping[str, Any]]:
        for record in records(file):
            self._read += 1
            yield record

    def _tell(self, one: Sighted) -> None:
        self._found += 1
        self._new += one.is_new
        issued = one.issued
        given = (
            f"given to {issued['issued_person']} {issued['issued_agent']} at {issued['issued_at']}"
            f" for prompt {issued['issued_prompt']} by request {issued['issued_request']}"
            if issued
            else "of no response known here"
        )
        self.stdout.write(f"{one.record}: {one.decoy}, {given}{'' if one.is_new else ' (told of before)'}")


def _named(given: str) -> list[str]:
    """The files a name stands for; raises CommandError for a folder that holds none."""
    path = Path(given)
    if given == "-" or not path.is_dir():
        return [given]
    found = sorted(
        str(each) for each in path.rglob("*") if each.is_file() and each.name.endswith((".json", ".json.gz"))
    )
    if not found:
        raise CommandError(f"{given}: no file in it ends with .json or .json.gz")
    return found
