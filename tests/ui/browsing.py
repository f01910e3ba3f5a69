"""How the page tests browse: a signed-in person, as the sign-in page would have left him."""

from __future__ import annotations

from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from django.test import Client
from django.utils import timezone

from gateway.identity.door_models import ProofKind, SignIn
from gateway.identity.middleware import SIGN_INS_IN_SESSION, TENANT_IN_SESSION
from gateway.identity.models import Membership, User
from gateway.tenants.models import Tenant
from gateway.tenants.scope import as_user, in_tenant


def browser_of(user: User, *, signed_in_at: datetime | None = None, enforce_csrf: bool = False) -> Client:
    """A browser whose session began at that moment (now, unless told)."""
    client = Client(enforce_csrf_checks=enforce_csrf, raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    now = signed_in_at or timezone.now()
    with as_user(user.pk):
        tenants = list(Tenant.objects.filter(pk__in=Membership.objects.filter(user=user).values("tenant_id")))
    held = {str(tenant.pk): str(_sign_in(tenant, user, now)) for tenant in tenants}
    session = client.session
    session[SIGN_INS_IN_SESSION] = held
    session[TENANT_IN_SESSION] = next(iter(held), None)
    session.save()
    return client


def _sign_in(tenant: Tenant, user: User, now: datetime) -> UUID:
    """A row without an event, so that a test sees exactly the events of its own act."""
    with in_tenant(tenant):
        row = SignIn.objects.create(
            tenant=tenant,
            user=user,
            proof=ProofKind.TOTP,
            opened_at=now,
            proved_at=now,
            last_seen_at=timezone.now(),
            expires_at=timezone.now() + timedelta(hours=8),
        )
    return UUID(str(row.pk))


class Page(HTMLParser):
    """A page as a browser's policy sees it: its text, and every place where script or style stands inline."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._open.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.addresses += [value for name in ("href", "src", "action") if (value := given.get(name))]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(answer: Any) -> Page:
    return Page(answer.content.decode())
