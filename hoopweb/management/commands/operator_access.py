"""`operator_access ask|key TENANT OPERATOR`: the vendor's operator asks a tenant to let him look, and collects his key."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gateway.problems import Problem
from gateway.tenants.scope import in_tenant
from hoopweb.management.tenant_named import tenant_named
from hoopweb.reviews import periods


class Command(BaseCommand):
    help = "Ask a tenant for access (its owner answers at /operator-access/), or collect the key it allowed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("step", choices=("ask", "key"))
        parser.add_argument("tenant")
        parser.add_argument("operator")
        parser.add_argument("--hours", type=int, default=1)
        parser.add_argument("--reason", default="")

    def handle(self, *_: Any, **options: Any) -> None:
        tenant, now = tenant_named(options["tenant"]), timezone.now()
        try:
            with in_tenant(tenant):
                if options["step"] == "key":
                    key = periods.operator_key(tenant=tenant, operator=options["operator"], now=now, random=os.urandom)
                    self.stdout.write(key)
                    return
                asked = periods.ask_access(
                    tenant=tenant,
                    operator=options["operator"],
                    reason=options["reason"],
                    hours=options["hours"],
                    now=now,
                )
                self.stdout.write(f"asked: {asked.pk}")
        except Problem as problem:
            raise CommandError(problem.message) from None
