"""The doors in a real browser under the strict policy: a one-time code, a provider and back, a machine let in."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from hoopweb.api.oauth import CLIENT_ID
from tests.browser.test_approving import PASSWORD, Tab, browser
from tests.conftest import AsOwner
from tests.identity.openid import OpenIdProvider, described

__all__ = ["browser"]


@pytest.fixture
def tab(browser: Browser, live_server: LiveServer) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = Tab(context.new_page(), live_server.url)
    yield made
    context.close()


@pytest.fixture
def dora(transactional_db: None, acme: Tenant, alice: User, settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()
    alice.set_password(PASSWORD)
    alice.save()
    return alice


def test_a_person_enrols_a_second_factor_and_comes_in(tab: Tab, acme: Tenant, dora: User, as_owner: AsOwner) -> None:
    acme.password_alone = False
    with as_owner(), in_tenant(acme):
        acme.save()
    tab.enter("alice")
    tab.picture("code-enrol")
    picture = tab.page.locator(".picture img")
    assert picture.evaluate("image => image.naturalWidth") > 100
    tab.page.get_by_label("One-time code").fill(pyotp.TOTP(tab.page.locator(".seed").inner_text()).now())
    tab.page.get_by_role("button", name="Go on").click()
    tab.page.wait_for_url("**/sessions/")
    assert tab.complaints == []


def test_a_person_goes_to_the_provider_and_back_and_out_of_both(
    tab: Tab, acme: Tenant, dora: User, live_server: LiveServer, settings: Any
) -> None:
    settings.PUBLIC_URL = live_server.url
    settings.EGRESS_ALLOWED = ["127.0.0.1/32"]
    provider = OpenIdProvider(live_server.url)
    try:
        described(acme, provider.issuer)
        page = tab.page
        tab.open("/sign-in/")
        tab.picture("sign-in")
        page.locator("#organisation").fill("acme")
        page.get_by_role("button", name="Go on").click()
        tab.picture("organisation")
        page.get_by_role("link", name="Sign in with Acme SSO").click()
        page.locator('input[name="login"]').fill("bob")
        page.locator('input[name="password"]').fill("any")
        page.get_by_role("button", name="Sign-in").click()
        page.wait_for_url("**/sessions/")
        assert "bob" in page.get_by_role("banner").inner_text()
        tab.picture("signed-in")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Yes, sign me out").click()
        page.wait_for_url(f"{live_server.url}/sign-in/**")
    finally:
        provider.stop()
    # The provider's own page asks for fonts elsewhere; what matters is that our policy stopped none of the steps.
    assert [one for one in tab.complaints if "Security Policy" in one] == []


def test_a_machine_is_let_in_from_the_page(tab: Tab, acme: Tenant, dora: User) -> None:
    fields = {
        "client_id": CLIENT_ID,
        "organisation": "acme",
        "device_name": "alice's laptop",
        "public_key": base64.b64encode(os.urandom(32)).decode(),
    }
    client = Client()
    started = client.generic(
        "POST", "/oauth/device_authorization", urlencode(fields), content_type="application/x-www-form-urlencoded"
    ).json()
    tab.enter("alice")
    tab.open("/device/")
    tab.picture("device-code")
    tab.page.get_by_label("The code it shows").fill(started["user_code"].lower())
    tab.page.get_by_role("button", name="Go on").click()
    assert tab.page.get_by_role("heading", name="alice's laptop").is_visible()
    tab.picture("device")
    tab.page.get_by_role("button", name="Let it in").click()
    assert tab.page.get_by_text("The machine is let in").is_visible()
    tab.picture("device-done")
    assert tab.complaints == []
