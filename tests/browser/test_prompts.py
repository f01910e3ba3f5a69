"""A real browser at the prompt's pages: search, what it caused, and proving oneself before the full words."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from gateway.identity.door_models import SignIn
from gateway.tenants.scope import in_tenant
from tests.browser.test_approving import PASSWORD, Tab, browser, tab, world
from tests.story import SECRET, Story

__all__ = ["browser", "tab", "world"]


def test_a_prompt_is_found_read_and_opened_in_full_after_a_fresh_proof(tab: Tab, world: Story) -> None:
    page = tab.page
    tab.enter("bob")
    page.get_by_role("link", name="Prompts").click()
    page.get_by_role("searchbox").fill("billing inst")
    page.get_by_role("button", name="Search").click()
    tab.picture("prompts")
    page.locator("a.row").first.click()
    assert page.locator("li.call").count() == 3
    tab.picture("prompt")
    with in_tenant(world.tenant):
        SignIn.objects.for_tenant(world.tenant).update(proved_at=timezone.now() - timedelta(hours=1))
    page.get_by_role("button", name="Read the full prompt").click()
    tab.picture("prove")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="It is me").click()
    page.get_by_role("button", name="Read the full prompt").click()
    assert SECRET in page.locator("blockquote").inner_text()
    tab.open("/access-reviews/")
    page.get_by_role("button", name="Begin the review of").click()
    tab.picture("review")
    assert page.get_by_text("Unanswered").is_visible()
