"""A real browser under the strict policy: sign in, read a timeline, approve, copy; and nothing in the console."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from approvals.models import ApprovalRequest, ApprovalRule
from gateway.connections.models import Connection
from gateway.identity.models import Agent, GatewayKey, Membership, User
from gateway.policy import services as policy
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.identity.counters import forget_guesses
from tests.people import account, gateway_key_of, member
from tests.story import Story, Teller, tell

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "correct horse battery"
# Where a person wants to look at the pages: set this to a folder.
PICTURES = os.environ.get("HOOPWEB_PICTURES", "")


# Of this module alone: until it is closed its event loop runs in this thread, and no other test could run one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright's own event loop runs in this thread; Django would take our queries for async ones.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield made
        made.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Tab:
    """One tab, with everything the console and the network complained about."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.complaints: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", self._threw)
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _threw(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:")):
            self.complaints.append(f"asked {request.url}")

    def open(self, path: str) -> None:
        self.page.goto(self.base + path)

    def enter(self, name: str) -> None:
        self.open("/sign-in/")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def picture(self, name: str) -> None:
        if PICTURES:
            self.page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)


@pytest.fixture(params=["light", "dark"])
def tab(request: pytest.FixtureRequest, browser: Browser, live_server: LiveServer) -> Iterator[Tab]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    made = Tab(context.new_page(), live_server.url)
    yield made
    context.close()
    assert made.complaints == []


@pytest.fixture
def world(transactional_db: None, acme: Tenant, alice: User, settings: Any) -> Story:
    """Acme with a story told, a published policy, and bob, who approves and may read everything."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.UPSTREAM_AWS_URL = "http://127.0.0.1:1"
    forget_guesses()
    bob = member(acme, "bob", roles=[Role.APPROVER, Role.SECURITY_ADMIN], groups=["operators"])
    bob.set_password(PASSWORD)
    bob.save()
    billing: Connection = account(acme, "billing")
    with in_tenant(acme):
        agent: Agent = Agent.objects.create(tenant=acme, name="billing-agent", kind="claude-code", owner=alice)
        ApprovalRule.objects.create(tenant=acme, name="operators", group="operators")
    key: GatewayKey = gateway_key_of(acme, alice, billing, agent=agent)
    with in_tenant(acme):
        policy.publish(
            tenant=acme, packs=["starter", "credential-minting"], text="", by_label="olga", now=timezone.now()
        )
        return tell(Teller(acme, alice, agent, key, billing), timezone.now())


def test_an_approver_signs_in_reads_the_timeline_and_approves(tab: Tab, world: Story) -> None:
    page = tab.page
    tab.enter("bob")
    tab.picture("sessions")
    page.get_by_role("link", name=str(world.session.last_at.strftime("%Y-%m-%d %H:%M:%S"))).click()
    assert "Clean up the old billing instances" in page.locator("blockquote").inner_text()
    page.locator("li.call").first.get_by_text("Response").click()
    assert "[masked:password:0f]" in page.locator("li.call").first.locator("pre:visible").inner_text()
    page.locator("li.call").nth(1).get_by_text("Decision").click()
    assert page.get_by_text("destroys.buckets").is_visible()
    tab.picture("timeline")
    page.get_by_role("link", name="Approvals").click()
    assert "left" in page.locator("[data-until]").inner_text()
    tab.picture("inbox")
    page.get_by_role("link", name="ec2:TerminateInstances").click()
    tab.picture("approval")
    page.get_by_label("Reason").fill("planned for today")
    page.get_by_role("button", name="Approve this call").click()
    page.get_by_text("“planned for today”").wait_for()
    tab.picture("approved")
    with in_tenant(world.tenant):
        assert ApprovalRequest.objects.for_tenant(world.tenant).get().state == "granted"


def test_an_open_timeline_offers_what_is_new(tab: Tab, world: Story) -> None:
    tab.enter("bob")
    tab.open(f"/sessions/{world.session.pk}/")
    notice = tab.page.get_by_text("This session has moved on.")
    assert not notice.is_visible()
    with in_tenant(world.tenant):
        world.held.state = "completed"
        world.held.save()
    notice.wait_for(timeout=10_000)
    tab.page.get_by_role("link", name="Show what is new").click()
    assert tab.page.locator("li.call .tag.held").count() == 0


def test_every_other_page_works_under_the_policy(tab: Tab, world: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOPWEB_AWS_PRINCIPAL_ARN", "arn:aws:iam::999999999999:role/hoopweb")
    page = tab.page
    tab.open("/sign-in/")
    tab.picture("sign-in")
    tab.enter("bob")
    for name in ("connections", "policies", "events"):
        tab.open(f"/{name}/")
        tab.picture(name)
    tab.open(f"/connections/{world.session.connection_id}/")
    page.get_by_role("button", name="Copy").last.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert '"sts:ExternalId"' in page.evaluate("navigator.clipboard.readText()")
    tab.picture("connection")
    tab.open("/api/docs/")
    tab.picture("docs")


def test_the_pages_can_be_worked_by_keyboard_and_stay_narrow_on_a_phone(tab: Tab, world: Story) -> None:
    page = tab.page
    tab.open("/sign-in/")
    # The name field has the focus already.
    page.keyboard.type("bob")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/sessions/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/sessions/", f"/sessions/{world.session.pk}/", f"/approvals/{world.approval.pk}/", "/policies/"):
        tab.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    tab.open(f"/sessions/{world.session.pk}/")
    tab.picture("phone")


def test_a_member_is_shown_only_what_the_role_opens(tab: Tab, world: Story) -> None:
    with in_tenant(world.tenant):
        Membership.objects.for_tenant(world.tenant).filter(user__username="bob").update(roles=["approver"])
    tab.enter("bob")
    assert tab.page.get_by_role("navigation", name="Main").inner_text().split() == [
        "Sessions",
        "Prompts",
        "Approvals",
        "1",
        "API",
        "keys",
        "Notices",
    ]
