"""Opening an approval request: one open question a digest, asked of the people policy names now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.models import ApprovalRequest, ApprovalState
from approvals.services import open_or_join, set_client_waiting
from audit.services import NewEvent
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.approvals.asking import DIGEST, OPERATORS, SECURITY, TWO_OPERATORS, Asking, events_of, kinds_of, state_of
from tests.people import NOW


def test_a_call_opens_a_request_with_what_approvers_must_see(asking: Asking, acme: Tenant) -> None:
    details = asking.details()
    approval = asking.open(TWO_OPERATORS, SECURITY, details=details)

    assert approval.state == ApprovalState.PENDING
    assert approval.request_id == details.request_id
    assert approval.parameters == {"InstanceIds": ["i-1"]}
    assert events_of(acme) == [
        (
            "approval.opened",
            approval.pk,
            {
                "person": str(asking.alice.pk),
                "rules": ["terminate-asks", "production-asks"],
                "quorum": {"terminate-asks": 2, "production-asks": 1},
                "revision": "acme@3",
                "digest": DIGEST,
                "expires_at": "2026-11-20T12:15:00.000000Z",
                "request": str(details.request_id),
                "pins": [],
                "not_pinned": [],
            },
        )
    ]


def test_it_stays_open_as_long_as_the_shortest_ask_allows(asking: Asking) -> None:
    assert asking.open(OPERATORS, SECURITY).expires_at == NOW + timedelta(seconds=900)


def test_each_ask_becomes_a_requirement(asking: Asking, acme: Tenant) -> None:
    approval = asking.open(TWO_OPERATORS, SECURITY)
    with in_tenant(acme):
        found = set(approval.requirements.values_list("rule_id", "approvers", "quorum"))
    assert found == {("terminate-asks", "operators", 2), ("production-asks", "security", 1)}


def test_an_identical_call_joins_the_open_request(asking: Asking, acme: Tenant) -> None:
    first = asking.open()
    second = asking.open(now=NOW + timedelta(minutes=5))
    assert second.pk == first.pk
    assert kinds_of(acme) == ["approval.opened"]


def test_joining_says_that_a_client_waits_again(asking: Asking, acme: Tenant) -> None:
    first = asking.open()
    with in_tenant(acme):
        set_client_waiting(tenant_id=acme.pk, approval_id=first.pk, is_waiting=False)
    assert asking.open().client_is_waiting


def test_an_identical_call_joins_a_grant_nobody_used(asking: Asking) -> None:
    granted = asking.granted()
    assert asking.open().pk == granted.pk


def test_another_call_asks_on_its_own(asking: Asking) -> None:
    assert asking.open(digest="e" * 64).pk != asking.open().pk


@pytest.mark.parametrize("over", [ApprovalState.USED, ApprovalState.REFUSED, ApprovalState.REVOKED])
def test_a_request_that_is_over_is_not_joined(asking: Asking, acme: Tenant, over: str) -> None:
    first = asking.open()
    with in_tenant(acme):
        ApprovalRequest.objects.filter(pk=first.pk).update(state=over)
    assert asking.open().pk != first.pk


def test_an_expired_request_ends_before_the_next_opens(asking: Asking, acme: Tenant) -> None:
    first = asking.open()
    second = asking.open(now=first.expires_at)
    assert second.pk != first.pk
    assert state_of(first) == ApprovalState.EXPIRED
    assert kinds_of(acme) == ["approval.opened", "approval.expired", "approval.opened"]


@pytest.mark.parametrize(
    "stricter", [(TWO_OPERATORS,), (OPERATORS, SECURITY), (replace(OPERATORS, approvers="owners"),)]
)
def test_a_grant_under_another_policy_answers_no_new_question(
    asking: Asking, acme: Tenant, stricter: tuple[object, ...]
) -> None:
    granted = asking.granted()
    second = asking.open(*stricter)  # type: ignore[arg-type]  # parametrize widens them
    assert second.pk != granted.pk
    assert second.state == ApprovalState.PENDING
    assert state_of(granted) == ApprovalState.REVOKED
    assert kinds_of(acme) == ["approval.opened", "approval.revoked", "approval.opened"]


def test_a_grant_under_a_stricter_policy_still_answers(asking: Asking, acme: Tenant) -> None:
    approval = asking.open(TWO_OPERATORS, SECURITY)
    with in_tenant(acme):
        ApprovalRequest.objects.filter(pk=approval.pk).update(state=ApprovalState.GRANTED)
    assert asking.open(OPERATORS).pk == approval.pk


def test_an_open_question_does_not_keep_asking_people_policy_let_go(asking: Asking) -> None:
    first = asking.open(OPERATORS, SECURITY)
    second = asking.open(OPERATORS)
    assert second.pk != first.pk
    assert state_of(first) == ApprovalState.REVOKED


def test_a_call_nobody_must_approve_opens_nothing(asking: Asking, acme: Tenant) -> None:
    with in_tenant(acme), pytest.raises(ValueError, match="at least one ask"):
        open_or_join(tenant_id=acme.pk, digest=DIGEST, asks=(), details=asking.details(), now=NOW)


def test_a_caller_may_append_the_events_with_its_own(asking: Asking, acme: Tenant) -> None:
    later: list[NewEvent] = []
    with in_tenant(acme):
        approval = open_or_join(
            tenant_id=acme.pk, digest=DIGEST, asks=(OPERATORS,), details=asking.details(), now=NOW, later=later
        )
    assert [event.subject for event in later] == [approval.pk]
    assert events_of(acme) == []
