"""A grant is good once, until it expires, unless somebody takes it back."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from approvals.models import ApprovalRequest, ApprovalState
from approvals.problems import ApprovalExpired, ApprovalNotFound, NotPending
from approvals.selectors import has_granted
from approvals.services import (
    covers,
    expire_due,
    revoke,
    revoke_all_of,
    set_client_waiting,
    take_granted,
    take_granted_by_id,
)
from audit.services import NewEvent
from gateway.identity.models import User
from gateway.identity.problems import RightMissing
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.approvals.asking import DIGEST, OPERATORS, SECURITY, TWO_OPERATORS, Asking, events_of, kinds_of, state_of
from tests.people import NOW, caller_of, member

CALL = uuid.UUID(int=77)
SOON = NOW + timedelta(minutes=1)


def test_a_grant_is_taken_by_the_identical_call(asking: Asking, acme: Tenant) -> None:
    approval = asking.granted()
    with in_tenant(acme):
        taken = take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=CALL, now=SOON)
    assert taken is not None
    assert (taken.pk, taken.state, taken.used_by_request) == (approval.pk, ApprovalState.USED, CALL)
    assert events_of(acme)[-1] == ("approval.used", approval.pk, {"digest": DIGEST, "request": str(CALL)})


def test_a_grant_is_good_once(asking: Asking, acme: Tenant) -> None:
    asking.granted()
    with in_tenant(acme):
        assert take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=CALL, now=SOON) is not None
        assert take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=uuid.uuid4(), now=SOON) is None
        assert take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=CALL, now=SOON) is None
    assert kinds_of(acme).count("approval.used") == 1


def test_a_grant_is_taken_by_its_id(asking: Asking, acme: Tenant) -> None:
    approval = asking.granted()
    other = asking.granted(digest="e" * 64)
    with in_tenant(acme):
        taken = take_granted_by_id(tenant_id=acme.pk, approval_id=approval.pk, request_id=CALL, now=SOON)
        again = take_granted_by_id(tenant_id=acme.pk, approval_id=approval.pk, request_id=CALL, now=SOON)
    assert taken is not None
    assert taken.pk == approval.pk
    assert again is None
    assert state_of(other) == ApprovalState.GRANTED


def test_an_edited_call_finds_no_grant(asking: Asking, acme: Tenant) -> None:
    asking.granted()
    with in_tenant(acme):
        assert take_granted(tenant_id=acme.pk, digest="0" * 64, request_id=CALL, now=SOON) is None


def test_a_pending_request_is_no_grant(asking: Asking, acme: Tenant) -> None:
    approval = asking.open()
    with in_tenant(acme):
        assert not has_granted(tenant_id=acme.pk, digest=DIGEST, now=SOON)
        assert take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=CALL, now=SOON) is None
        assert take_granted_by_id(tenant_id=acme.pk, approval_id=approval.pk, request_id=CALL, now=SOON) is None


def test_an_expired_grant_cannot_be_taken_even_before_the_sweep(asking: Asking, acme: Tenant) -> None:
    approval = asking.granted()
    with in_tenant(acme):
        late = approval.expires_at
        assert has_granted(tenant_id=acme.pk, digest=DIGEST, now=late - timedelta(microseconds=1))
        assert not has_granted(tenant_id=acme.pk, digest=DIGEST, now=late)
        assert take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=CALL, now=late) is None


def test_another_tenants_grant_is_not_there(asking: Asking, acme: Tenant, globex: Tenant) -> None:
    approval = asking.granted()
    with in_tenant(globex):
        assert take_granted(tenant_id=globex.pk, digest=DIGEST, request_id=CALL, now=SOON) is None
        assert take_granted_by_id(tenant_id=acme.pk, approval_id=approval.pk, request_id=CALL, now=SOON) is None
    assert state_of(approval) == ApprovalState.GRANTED


def test_a_caller_may_append_the_use_with_its_own_events(asking: Asking, acme: Tenant) -> None:
    asking.granted()
    later: list[NewEvent] = []
    with in_tenant(acme):
        take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=CALL, now=SOON, later=later)
    assert [event.kind.value for event in later] == ["approval.used"]
    assert "approval.used" not in kinds_of(acme)


def test_a_grant_answers_the_asks_it_was_given_for_and_fewer(asking: Asking, acme: Tenant) -> None:
    approval = asking.open(TWO_OPERATORS, SECURITY)
    with in_tenant(acme):
        assert covers(approval, [SECURITY, TWO_OPERATORS])
        assert covers(approval, [OPERATORS])
        assert not covers(approval, [replace(TWO_OPERATORS, quorum=3)])
        assert not covers(approval, [replace(OPERATORS, approvers="owners")])
        assert not covers(approval, [SECURITY, replace(OPERATORS, rule_id="another")])


def test_a_grant_under_a_laxer_policy_is_not_taken(asking: Asking, acme: Tenant) -> None:
    approval = asking.granted()
    with in_tenant(acme):
        told: dict[str, Any] = {"tenant_id": acme.pk, "digest": DIGEST, "request_id": CALL, "now": SOON}
        assert take_granted(**told, asks=[TWO_OPERATORS]) is None
        assert take_granted(**told, asks=[OPERATORS, SECURITY]) is None
        taken = take_granted(**told, asks=[OPERATORS])
    assert taken is not None
    assert taken.pk == approval.pk


def test_time_ends_requests_and_unused_grants(asking: Asking, acme: Tenant) -> None:
    pending, granted = asking.open(), asking.granted(digest="e" * 64)
    young = asking.open(digest="f" * 64, now=SOON)
    with in_tenant(acme):
        assert set(expire_due(tenant_id=acme.pk, now=pending.expires_at)) == {pending.pk, granted.pk}
        assert expire_due(tenant_id=acme.pk, now=pending.expires_at) == []
    assert state_of(pending) == state_of(granted) == ApprovalState.EXPIRED
    assert state_of(young) == ApprovalState.PENDING
    ended = {subject: data["state"] for kind, subject, data in events_of(acme) if kind == "approval.expired"}
    assert ended == {pending.pk: "pending", granted.pk: "granted"}


@pytest.mark.parametrize("state", [ApprovalState.USED, ApprovalState.REFUSED, ApprovalState.REVOKED])
def test_time_changes_nothing_that_is_over(asking: Asking, acme: Tenant, state: str) -> None:
    approval = asking.open()
    with in_tenant(acme):
        ApprovalRequest.objects.filter(pk=approval.pk).update(state=state)
        assert expire_due(tenant_id=acme.pk, now=approval.expires_at) == []
    assert state_of(approval) == state


def test_an_approver_takes_a_grant_back(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.granted()
    with in_tenant(acme):
        revoke(tenant=acme, approval_id=approval.pk, by=caller_of(acme, bob), reason="wrong host", now=SOON)
        assert take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=CALL, now=SOON) is None
    assert state_of(approval) == ApprovalState.REVOKED
    assert events_of(acme)[-1] == (
        "approval.revoked",
        approval.pk,
        {"digest": DIGEST, "state": "granted", "by": "bob", "reason": "wrong host"},
    )


def test_the_asker_withdraws_the_question(asking: Asking, acme: Tenant, alice: User) -> None:
    approval = asking.open()
    with in_tenant(acme):
        revoke(tenant=acme, approval_id=approval.pk, by=caller_of(acme, alice), now=SOON)
    assert state_of(approval) == ApprovalState.REVOKED


def test_somebody_else_withdraws_nothing(asking: Asking, acme: Tenant) -> None:
    dave = member(acme, "dave", roles=[Role.DEVELOPER])
    approval = asking.open()
    with in_tenant(acme), pytest.raises(RightMissing):
        revoke(tenant=acme, approval_id=approval.pk, by=caller_of(acme, dave), now=SOON)
    assert state_of(approval) == ApprovalState.PENDING


def test_a_used_grant_cannot_be_taken_back(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.granted()
    with in_tenant(acme):
        take_granted(tenant_id=acme.pk, digest=DIGEST, request_id=CALL, now=SOON)
        with pytest.raises(NotPending):
            revoke(tenant=acme, approval_id=approval.pk, by=caller_of(acme, bob), now=SOON)
        with pytest.raises(ApprovalNotFound):
            revoke(tenant=acme, approval_id=uuid.uuid4(), by=caller_of(acme, bob), now=SOON)
    assert state_of(approval) == ApprovalState.USED


def test_a_grant_past_its_time_cannot_be_taken_back(asking: Asking, acme: Tenant, bob: User) -> None:
    approval = asking.granted()
    with in_tenant(acme), pytest.raises(ApprovalExpired):
        revoke(tenant=acme, approval_id=approval.pk, by=caller_of(acme, bob), now=approval.expires_at)


def test_suspending_an_agent_ends_all_it_asked_for(asking: Asking, acme: Tenant) -> None:
    pending, granted = asking.open(), asking.granted(digest="e" * 64)
    by_hand = asking.open(digest="f" * 64, details=asking.details(agent_id=None, agent_label=""))
    assert asking.agent is not None
    with in_tenant(acme):
        ended = revoke_all_of(
            tenant_id=acme.pk, by="root", reason="agent suspended", now=SOON, agent_id=asking.agent.pk
        )
    assert set(ended) == {pending.pk, granted.pk}
    assert state_of(pending) == state_of(granted) == ApprovalState.REVOKED
    assert state_of(by_hand) == ApprovalState.PENDING
    assert kinds_of(acme)[-2:] == ["approval.revoked", "approval.revoked"]


def test_ending_everything_of_nobody_is_a_mistake(acme: Tenant) -> None:
    with in_tenant(acme), pytest.raises(ValueError, match="needs a person"):
        revoke_all_of(tenant_id=acme.pk, by="root", reason="", now=SOON)


def test_approvers_learn_that_the_client_has_gone(asking: Asking, acme: Tenant) -> None:
    approval = asking.open()
    with in_tenant(acme):
        set_client_waiting(tenant_id=acme.pk, approval_id=approval.pk, is_waiting=False)
        approval.refresh_from_db()
    assert not approval.client_is_waiting
