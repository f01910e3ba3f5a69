"""`/approval-rules/`, and publishing that needs them: no policy asks somebody whom the tenant does not have."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from approvals.models import ApprovalRule
from audit.kinds import EventKind
from audit.models import Event
from audit.selectors import facts_of
from gateway.identity.models import User
from gateway.policy.models import Revision
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.people import member

READ_WRITE = (Right.POLICIES_READ, Right.POLICIES_WRITE)
ASKING = '@id("writes") @effect("ask") @approvers("{}") forbid (principal, action in Action::"class:Write", resource);'
PLATFORM = {"name": "platform", "group": "operators"}


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return api_of(acme, None, *READ_WRITE)


def events(tenant: Tenant, kind: EventKind) -> list[Event]:
    return list(Event.objects.for_tenant(tenant).filter(kind=kind))


def test_a_rule_is_made_listed_and_read_and_says_how_many_could_vote(
    acme: Tenant, admin: Api, alice: User, bob: User, carol: User
) -> None:
    member(acme, "dan", roles=[Role.DEVELOPER], groups=["operators"])
    made = admin.post("approval-rules/", PLATFORM)
    assert made.status_code == 201
    # bob and carol: dan is in the group without the right to vote.
    assert made.json() == {"id": made.json()["id"], **PLATFORM, "people": 2}
    assert admin.get("approval-rules/").json()["items"] == [made.json()]
    assert admin.get(f"approval-rules/{made.json()['id']}/").json() == made.json()
    [event] = events(acme, EventKind.APPROVAL_RULE_CREATED)
    assert (str(event.subject), facts_of(event)["name"], facts_of(event)["what"]) == (
        made.json()["id"],
        "platform",
        "operators",
    )


def test_another_group_answers_from_now_on(acme: Tenant, admin: Api, bob: User, carol: User) -> None:
    made = admin.post("approval-rules/", PLATFORM).json()
    changed = admin.patch(f"approval-rules/{made['id']}/", {"group": "security"})
    assert (changed.status_code, changed.json()) == (200, {**made, "group": "security", "people": 1})
    assert [facts_of(event)["what"] for event in events(acme, EventKind.APPROVAL_RULE_CHANGED)] == ["security"]


def test_a_change_to_what_it_is_already_leaves_no_event(acme: Tenant, admin: Api) -> None:
    made = admin.post("approval-rules/", PLATFORM).json()
    assert admin.patch(f"approval-rules/{made['id']}/", {"group": "operators"}).status_code == 200
    assert events(acme, EventKind.APPROVAL_RULE_CHANGED) == []


def test_a_name_is_taken_once_a_tenant(acme: Tenant, globex: Tenant, admin: Api) -> None:
    assert admin.post("approval-rules/", PLATFORM).status_code == 201
    assert is_problem(admin.post("approval-rules/", PLATFORM), 409, "approval.rule_name_taken")
    assert api_of(globex, None, *READ_WRITE).post("approval-rules/", PLATFORM).status_code == 201


def test_the_same_idempotency_key_makes_it_once(acme: Tenant, admin: Api) -> None:
    first, again = (admin.post("approval-rules/", PLATFORM, idempotency_key="one") for _ in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert len(events(acme, EventKind.APPROVAL_RULE_CREATED)) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "api.malformed"),
        ({"name": "platform"}, "api.malformed"),
        ({**PLATFORM, "quorum": 2}, "api.malformed"),
        ({**PLATFORM, "name": ["platform"]}, "api.malformed"),
        ({**PLATFORM, "name": "x" * 81}, "api.malformed"),
        ({**PLATFORM, "name": " platform"}, "approval.rule_refused"),
        ({**PLATFORM, "name": "plat\u202eform"}, "approval.rule_refused"),
        ({**PLATFORM, "name": "two\nlines"}, "approval.rule_refused"),
        ({**PLATFORM, "group": "The Operators"}, "approval.rule_refused"),
        ({**PLATFORM, "group": "operators\n"}, "approval.rule_refused"),
    ],
)
def test_what_cannot_be_a_rule_is_refused(acme: Tenant, admin: Api, body: dict[str, Any], code: str) -> None:
    assert is_problem(admin.post("approval-rules/", body), 400, code)
    assert not ApprovalRule.objects.for_tenant(acme).exists()


@pytest.mark.parametrize("body", [{}, {"group": ""}, {"group": "A b"}, {"group": "x", "name": "y"}, {"group": None}])
def test_a_malformed_change_changes_nothing(acme: Tenant, admin: Api, body: dict[str, Any]) -> None:
    made = admin.post("approval-rules/", PLATFORM).json()
    assert admin.patch(f"approval-rules/{made['id']}/", body).status_code == 400
    assert ApprovalRule.objects.for_tenant(acme).get().group == "operators"


def test_another_tenants_rule_is_not_there(acme: Tenant, globex: Tenant, admin: Api) -> None:
    made = admin.post("approval-rules/", PLATFORM).json()
    stranger = api_of(globex, None, *Right)
    for path in (f"approval-rules/{made['id']}/", f"approval-rules/{uuid.uuid4()}/"):
        assert is_problem(stranger.get(path), 404, "approval.rule_unknown")
        assert is_problem(stranger.patch(path, {"group": "theirs"}), 404, "approval.rule_unknown")
    assert stranger.get("approval-rules/").json()["items"] == []


def test_who_reads_policy_does_not_change_who_answers(acme: Tenant, admin: Api, bob: User) -> None:
    made = admin.post("approval-rules/", PLATFORM).json()
    reader = api_of(acme, None, Right.POLICIES_READ)
    assert is_problem(reader.post("approval-rules/", PLATFORM), 403, "identity.right_missing")
    assert is_problem(reader.patch(f"approval-rules/{made['id']}/", {"group": "mine"}), 403, "identity.right_missing")


def test_a_policy_that_asks_nobody_is_not_published_and_the_name_is_told(acme: Tenant, admin: Api) -> None:
    answer = admin.post("policies/", {"text": ASKING.format("night-shift"), "packs": ["delegated"]})
    assert is_problem(answer, 422, "policy.approval_rule_missing")
    assert answer.json()["detail"] == "It asks `night-shift`, `platform`"
    assert not Revision.objects.for_tenant(acme).exists()
    assert events(acme, EventKind.REVISION_PUBLISHED) == []


def test_the_same_policy_is_published_once_the_rules_are_there(admin: Api) -> None:
    for name in ("night-shift", "platform"):
        admin.post("approval-rules/", {"name": name, "group": "operators"})
    body = {"text": ASKING.format("night-shift"), "packs": ["delegated"]}
    assert admin.post("policies/", body).status_code == 201


def test_the_next_revision_is_checked_as_the_first_and_the_current_one_goes_on(acme: Tenant, admin: Api) -> None:
    admin.post("approval-rules/", PLATFORM)
    assert admin.post("policies/", {"text": ASKING.format("platform")}).status_code == 201
    (policy,) = admin.get("policies/").json()["items"]
    answer = admin.post(f"policies/{policy['id']}/revisions/", {"text": ASKING.format("Platform")})
    assert is_problem(answer, 422, "policy.approval_rule_missing")
    assert admin.get("policies/").json()["items"] == [policy]


def test_a_neighbours_rule_answers_for_nobody_here(globex: Tenant, admin: Api) -> None:
    with in_tenant(globex):
        ApprovalRule.objects.create(tenant=globex, name="platform", group="platform")
    answer = admin.post("policies/", {"text": ASKING.format("platform")})
    assert is_problem(answer, 422, "policy.approval_rule_missing")
