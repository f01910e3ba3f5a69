"""`manage.py bootstrap_demo`: the demo tenant, its people and account, and fresh keys in `var/demo.env`.

Runs as the owner role, once before serving and at every start: what is there stays, keys are issued anew.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.utils import timezone

from gateway.requests.edges import invite
from gateway.requests.models import EnrolmentToken
from gateway.tenants.isolation import APP_ROLE
from hoopweb.demo import env_file
from hoopweb.demo.tenant import DemoTenant, Issued, ensure_tenant

# An edge starts within moments of this command; a token left in a file overnight should open nothing.
TOKEN_LIFETIME = timedelta(hours=1)


class Command(BaseCommand):
    help = "Make the demo tenant and write var/demo.env (owner role; only where a stand-in takes AWS's place)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--env-file", type=Path, default=settings.STATE_DIR / "demo.env")
        parser.add_argument("--tenant", default="demo", help="the demo tenant's name; others keep theirs")

    def handle(self, *_: Any, **options: Any) -> None:
        _check_place()
        now = timezone.now()
        demo = ensure_tenant(options["tenant"], folder=settings.STATE_DIR / "secrets", now=now)
        issued = demo.issue_keys(now=now)
        _leave_edge_tokens(demo, now=now)
        env_file.write(options["env_file"], _exports(demo, issued))
        for finding in demo.findings:
            self.stderr.write(finding)
        self.stdout.write(f"The demo tenant is `{demo.tenant.slug}`; its keys are in {options['env_file']}.")


def _check_place() -> None:
    if not settings.UPSTREAM_AWS_URL:
        raise CommandError("The demo is for a stand-in AWS: HOOPWEB_UPSTREAM_AWS_URL is not set.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        if cursor.fetchone()[0] == APP_ROLE:
            raise CommandError("Run this as the owner role (HOOPWEB_DB_USER): the serving role cannot make tenants.")


def _edge_names() -> list[str]:
    return os.environ.get("HOOPWEB_EDGE_NAMES", "edge-1").split(",")


def _leave_edge_tokens(demo: DemoTenant, *, now: datetime) -> None:
    """Leave each edge a one-time token, for all it may serve; tokens of earlier starts that nobody spent are removed."""
    with transaction.atomic():
        EnrolmentToken.objects.filter(used_at=None, tenants=[demo.tenant.pk]).delete()
        for name in _edge_names():
            token = secrets.token_urlsafe(32)
            invite(token=token, tenants=[demo.tenant.pk], until=now + TOKEN_LIFETIME)
            env_file.write_private(settings.STATE_DIR / "secrets" / f"{name}-enrol-token", token)


def _exports(demo: DemoTenant, issued: Issued) -> dict[str, str]:
    """What `demo.env` holds, in the order people read it."""
    key = issued.gateway_key
    return {
        "HOOPWEB_URL": settings.PUBLIC_URL,
        "HOOPWEB_TENANT": demo.tenant.slug,
        "HOOPWEB_ADMIN_USER": demo.username("admin"),
        "HOOPWEB_ADMIN_PASSWORD": demo.password("admin"),
        "HOOPWEB_APPROVER_USER": demo.username("bob"),
        "HOOPWEB_APPROVER_PASSWORD": demo.password("bob"),
        "HOOPWEB_API_KEY": issued.api_keys["auditor"],
        "HOOPWEB_ADMIN_API_KEY": issued.api_keys["admin"],
        "HOOPWEB_APPROVER_API_KEY": issued.api_keys["bob"],
        "HOOPWEB_APPROVER2_API_KEY": issued.api_keys["carol"],
        "HOOPWEB_DEVELOPER_API_KEY": issued.api_keys["alice"],
        "AWS_ENDPOINT_URL": os.environ.get("HOOPWEB_EDGE_URL", "https://localhost:8443"),
        "AWS_CA_BUNDLE": os.environ.get("HOOPWEB_CA_FILE", str(settings.STATE_DIR / "tls" / "ca.pem")),
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.plaintext_secret,
        "AWS_SESSION_TOKEN": key.plaintext_token,
        "AWS_REGION": demo.region,
        # The first generation of the aws CLI reads this one only.
        "AWS_DEFAULT_REGION": demo.region,
        "HOOPWEB_UPSTREAM_AWS_URL": settings.UPSTREAM_AWS_URL,
    }
