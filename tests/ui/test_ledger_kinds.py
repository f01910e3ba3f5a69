"""The ledger page by kind, as notices lead to it; a decoy's finding links the prompt it was handed out for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.models import User
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from hoopweb.api.pagination import USUAL_PAGE
from tests.people import member
from tests.story import Story
from tests.ui.browsing import browser_of, page


@pytest.fixture
def auditor(acme: Tenant) -> User:
    return member(acme, "ada", roles=[Role.AUDITOR])


def found(story: Story, times: int = 1, **more: Any) -> None:
    facts = {"where": "cloudtrail", "decoy": "word-20:7", "issued_prompt": str(story.prompt.pk), **more}
    with in_tenant(story.tenant):
        for _ in range(times):
            append(
                tenant_id=story.tenant.pk,
                kind=EventKind.DECOY_USED,
                at=datetime.now(UTC),
                subject=story.read.pk,
                session_id=story.session.pk,
                data=facts,
            )


def test_one_kind_is_shown_alone_with_a_way_back_and_to_the_prompt(story: Story, auditor: User) -> None:
    found(story)
    client = browser_of(auditor)
    only, everything = client.get("/events/?kind=decoy.used"), client.get("/events/")
    shown = only.content.decode()
    assert shown.count('<tr id="line-') == 1
    assert everything.content.decode().count('<tr id="line-') > 1
    assert f'href="/prompts/{story.prompt.pk}/"' in shown
    assert 'href="/events/">show all' in shown
    assert "cloudtrail" in page(only).text


@pytest.mark.parametrize("kind", ["no.such", "%3Cscript%3E", "%00", "x" * 500])
def test_a_kind_that_is_none_shows_nothing(story: Story, auditor: User, kind: str) -> None:
    answer = browser_of(auditor).get(f"/events/?kind={kind}")
    assert answer.status_code == 200
    assert "There is no such event." in page(answer).text
    assert "<script>" not in answer.content.decode()


def test_the_next_page_is_of_the_same_kind(story: Story, auditor: User) -> None:
    found(story, times=USUAL_PAGE + 1)
    client = browser_of(auditor)
    first = client.get("/events/?kind=decoy.used").content.decode()
    further = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "kind=decoy.used" in further
    assert client.get(further).content.decode().count('<tr id="line-') == 1
