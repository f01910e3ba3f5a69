"""The policy page's section on who answers: made and changed by who may publish, shown to who may read."""

from __future__ import annotations

import pytest

from approvals.models import ApprovalRule
from gateway.identity.models import User
from gateway.policy.models import Revision
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.people import member
from tests.ui.browsing import browser_of, page

NEW = "/policies/approval-rules/"


@pytest.fixture
def admin(acme: Tenant) -> User:
    return member(acme, "olga", roles=[Role.SECURITY_ADMIN])


def rules(tenant: Tenant) -> dict[str, str]:
    with in_tenant(tenant):
        return dict(ApprovalRule.objects.for_tenant(tenant).values_list("name", "group"))


def test_an_administrator_makes_a_rule_and_gives_it_another_group(acme: Tenant, admin: User, bob: User) -> None:
    client = browser_of(admin)
    assert "No approval rule yet" in page(client.get("/policies/")).text
    assert client.post(NEW, {"name": "platform", "group": "engineering"}).status_code == 302
    with in_tenant(acme):
        made = ApprovalRule.objects.for_tenant(acme).get()
    assert client.post(f"{NEW}{made.pk}/", {"group": "operators"}).status_code == 302
    assert rules(acme) == {"platform": "operators"}
    assert 'value="operators"' in client.get("/policies/").content.decode()


def test_what_cannot_be_is_told_and_changes_nothing(acme: Tenant, admin: User) -> None:
    answer = browser_of(admin).post(NEW, {"name": "platform", "group": "Not A Group"})
    assert answer.status_code == 400
    assert "cannot have this name or group" in page(answer).text
    assert rules(acme) == {}


def test_a_reader_sees_who_answers_without_a_form(acme: Tenant, approver_rules: None) -> None:
    client = browser_of(member(acme, "ada", roles=[Role.AUDITOR]))
    html = client.get("/policies/").content.decode()
    assert "operators" in html
    assert 'name="group"' not in html
    assert client.post(NEW, {"name": "x", "group": "x"}).status_code == 403


def test_a_page_that_publishes_an_ask_of_nobody_tells_the_name_and_keeps_the_text(acme: Tenant, admin: User) -> None:
    text = '@id("a") @effect("ask") @approvers("night-shift") forbid (principal, action, resource);'
    answer = browser_of(admin).post("/policies/", {"text": text})
    assert answer.status_code == 422
    assert "It asks `night-shift`" in page(answer).text
    assert text in page(answer).text
    with in_tenant(acme):
        assert not Revision.objects.for_tenant(acme).exists()


def test_a_rule_is_made_by_post_with_a_token_of_the_page_alone(acme: Tenant, admin: User) -> None:
    assert browser_of(admin, enforce_csrf=True).post(NEW, {"name": "x", "group": "x"}).status_code == 403
    assert browser_of(admin).get(NEW).status_code == 405
    assert rules(acme) == {}
