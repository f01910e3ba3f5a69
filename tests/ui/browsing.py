"""How the page tests browse: a signed-in person, as the sign-in page would have left him."""

from __future__ import annotations

from datetime import datetime
from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.utils import timezone

from gateway.identity.models import User


def browser_of(user: User, *, signed_in_at: datetime | None = None, enforce_csrf: bool = False) -> Client:
    """A browser whose session began at that moment (now, unless told)."""
    client = Client(enforce_csrf_checks=enforce_csrf, raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session["signed_in_at"] = int((signed_in_at or timezone.now()).timestamp())
    session.save()
    return client


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
