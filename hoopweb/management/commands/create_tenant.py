"""`manage.py create_tenant SLUG --title T --owner NAME`: a tenant with its first owner. Run it as the database's owner role."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from approvals.rules import ensure_starting_rules
from gateway.identity.services import create_member, create_tenant
from gateway.problems import Problem
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant


class Command(BaseCommand):
    help = "Make a tenant and its first owner; the password is asked for, or read from standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", help="its short name: lower-case letters, digits and dashes")
        parser.add_argument("--title", required=True, help="the name people see")
        parser.add_argument("--owner", required=True, help="the user name of the first owner")

    def handle(self, *_args: Any, **options: Any) -> None:
        # Never an argument: a command line is every local user's to read.
        password = getpass("Password of the owner: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        try:
            # Both or neither: a tenant without an owner is one nobody can enter.
            with transaction.atomic():
                tenant = create_tenant(slug=options["tenant"], title=options["title"])
                with in_tenant(tenant):
                    create_member(
                        tenant=tenant,
                        username=options["owner"],
                        password=password,
                        roles=[Role.OWNER.value],
                        groups=[],
                        by_label="operator",
                        now=timezone.now(),
                    )
                    # So that the packs to start with can be published: nobody is asked for whom no rule stands.
                    ensure_starting_rules(tenant=tenant, by_label="operator", now=timezone.now())
        except Problem as problem:
            raise CommandError(problem.message) from None
        self.stdout.write(f"{tenant.slug} is there, and {options['owner']} owns it.")
