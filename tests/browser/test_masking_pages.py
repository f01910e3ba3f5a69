"""Detectors and masking jobs in a real browser under the strict policy: tried, saved, live; a job started and cancelled."""

from __future__ import annotations

import pytest

from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.jobs import tasks
from tests.browser.test_approving import Tab, browser
from tests.browser.test_notices import olga, tab

__all__ = ["browser", "olga", "tab"]


def test_a_detector_is_tried_saved_and_made_live(tab: Tab, olga: User) -> None:
    tab.enter("olga")
    tab.page.get_by_role("link", name="Policy", exact=True).click()
    tab.page.get_by_role("link", name="Detectors").click()
    tab.page.get_by_label("Name").fill("employee-id")
    tab.page.get_by_label("Pattern", exact=True).fill(r"\bEMP-\d{6}\b")
    tab.page.get_by_label("Examples that must match").fill("EMP-004711")
    tab.page.get_by_label("A text to try it on").fill("seen by EMP-123456 at the gate\nand by EMP-12 too")
    tab.page.get_by_role("button", name="Try").click()
    assert tab.page.locator("mark").all_text_contents() == ["EMP-123456"]
    tab.picture("detectors")
    tab.page.get_by_role("button", name="Save a version").click()
    tab.page.get_by_role("button", name="Make live").click()
    assert "Version 1 masks every call" in (tab.page.text_content("main") or "")
    tab.picture("detector")


def test_a_scan_is_started_and_cancelled(
    tab: Tab, olga: User, billing_account: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "queue", lambda *given: None)
    tab.enter("olga")
    tab.page.get_by_role("link", name="Policy", exact=True).click()
    tab.page.get_by_role("link", name="Masking jobs").click()
    tab.page.get_by_label("Bucket", exact=True).fill("reports")
    tab.picture("masking-jobs")
    tab.page.get_by_role("button", name="Scan", exact=True).click()
    assert "s3://reports/" in (tab.page.text_content("main") or "")
    tab.page.get_by_role("button", name="Cancel").click()
    assert "cancelled" in (tab.page.text_content("main") or "")
    tab.picture("masking-job")
