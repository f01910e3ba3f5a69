"""Notices and their channels in a real browser under the strict policy: a channel is made, a secret shown once and copied."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from approvals.notify.following import follow
from audit.kinds import EventKind
from audit.services import append
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from hoopweb.reviews.periods import ask_access
from tests.approvals.notify.receiving import Receiver, receiver
from tests.browser.test_approving import PASSWORD, Tab, browser
from tests.identity.counters import forget_guesses
from tests.people import member

__all__ = ["browser"]


@pytest.fixture
def tab(browser: Browser, live_server: LiveServer) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = Tab(context.new_page(), live_server.url)
    yield made
    context.close()
    assert made.complaints == []


@pytest.fixture
def hook(settings: Any) -> Iterator[Receiver]:
    settings.EGRESS_ALLOWED = ["127.0.0.0/8"]
    with receiver() as told:
        yield told


@pytest.fixture
def olga(transactional_db: None, acme: Tenant, settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    forget_guesses()
    made = member(acme, "olga", roles=[Role.OWNER])
    made.set_password(PASSWORD)
    made.save()
    return made


def test_an_owner_is_told_makes_a_channel_and_lets_an_operator_in(
    tab: Tab, acme: Tenant, olga: User, hook: Receiver
) -> None:
    now = datetime.now(UTC)
    with in_tenant(acme):
        append(tenant_id=acme.pk, kind=EventKind.GLASS_BROKEN, at=now, subject=olga.pk, data={"user": "olga"})
        ask_access(tenant=acme, operator="pat", reason="ticket 7", hours=2, now=now)
        follow(tenant_id=acme.pk, now=now)
    tab.enter("olga")
    tab.page.get_by_role("link", name="Notices 2").click()
    tab.picture("notices")
    tab.page.get_by_role("button", name="Mark these seen").click()
    tab.page.get_by_role("link", name="Channels").click()
    tab.page.get_by_label("Name").fill("pager")
    tab.page.get_by_label("Address").fill(hook.url)
    tab.page.get_by_role("button", name="Add").click()
    assert tab.page.locator("#made-secret").inner_text().startswith("whsec_")
    tab.picture("notice-channels")
    tab.page.get_by_role("link", name="pager").click()
    tab.page.get_by_role("button", name="Send a test").click()
    tab.picture("notice-channel")
    tab.open("/operator-access/")
    tab.picture("operators")
    tab.page.get_by_role("button", name="Let in").click()
    assert tab.page.get_by_text("inside", exact=True).is_visible()
    for path, name in (
        ("/human-proof/", "human-proof"),
        ("/second-factor/", "second-factor"),
        ("/access-reviews/", "reviews"),
        ("/access/people/", "people"),
        (f"/members/{olga.pk}/period/", "period"),
    ):
        tab.open(path)
        tab.picture(name)
