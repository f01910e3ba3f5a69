"""Calls that wait for people: bound to exactly this call, asked once, answered in the client's dialect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from approvals.models import ApprovalRequest
from approvals.services import expire_due, revoke
from gateway.connections.models import Connection
from gateway.identity.models import Agent, GatewayKey, User
from gateway.requests import settle
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, BodyMode, Verdict, VerdictKind
from tests.people import account, caller_of
from tests.races import at_once
from tests.requests.asking import Asking
from tests.requests.world import (
    ASK_TERMINATE,
    EVERYTHING,
    Keys,
    again,
    caught,
    events_of,
    keys_of,
    kinds_of,
    publish_text,
    row_of,
)

ASK_ALL = EVERYTHING + '@id("asks") @effect("ask") @approvers("operators") forbid (principal, action, resource);'


def told(verdict: Verdict) -> str:
    assert verdict.answer is not None
    return verdict.answer.body.decode()


def test_an_asked_call_is_held_and_written_down(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    approval = asking.approval(asking.hold(admission))
    row = row_of(acme, admission)
    assert (row.state, row.effect, row.approval_id) == ("held", "ask", approval.pk)
    assert (approval.operation, approval.asker_label, approval.parameters) == (
        "TerminateInstances",
        "alice",
        row.parameters,
    )
    assert kinds_of(acme, admission) == ["request.held"]
    assert events_of(acme, admission.id)[0][1]["approval"] == str(approval.pk)


def test_the_pending_answer_says_where_to_look_and_is_not_retried(asking: Asking) -> None:
    verdict = asking.edge.admit_one(asking.terminate())
    assert verdict.hold is not None
    body = verdict.hold.pending.body.decode()
    assert "<Code>ApprovalPending</Code>" in body
    assert f"/approvals/{verdict.hold.approval_id}/" in body
    assert verdict.hold.pending.status == 403


# -- what an approval is bound to


def _digest_of(asking: Asking, admission: Admission) -> str:
    return asking.approval(asking.hold(admission)).digest


def test_the_token_an_sdk_makes_anew_does_not_count(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, ASK_ALL)
    first, second = (
        asking.keys.call("ec2", "run_instances", ImageId="ami-1", MinCount=1, MaxCount=1) for _ in range(2)
    )
    assert first.body != second.body
    assert _digest_of(asking, first) == _digest_of(asking, second)


@pytest.mark.parametrize(
    "changed",
    [{"ImageId": "ami-2"}, {"MaxCount": 2}, {"UserData": "rm -rf"}, {"InstanceType": "m5.large"}, {"DryRun": True}],
)
def test_any_other_parameter_counts(asking: Asking, acme: Tenant, changed: dict[str, Any]) -> None:
    publish_text(acme, ASK_ALL)
    plain: dict[str, Any] = {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1}
    first = asking.keys.call("ec2", "run_instances", **plain)
    second = asking.keys.call("ec2", "run_instances", **(plain | changed))
    assert _digest_of(asking, first) != _digest_of(asking, second)


def test_region_person_agent_conversation_and_connection_count(
    asking: Asking, acme: Tenant, alice: User, bob: User, billing_agent: Agent, billing_account: Connection
) -> None:
    others = [
        keys_of(acme, alice, billing_account, conversation="conv-1"),
        keys_of(acme, alice, billing_account, agent=billing_agent, conversation="conv-2"),
        keys_of(acme, bob, billing_account, agent=billing_agent, conversation="conv-1"),
        keys_of(acme, alice, account(acme, "production"), agent=billing_agent, conversation="conv-1"),
    ]
    calls = [keys.call("ec2", "terminate_instances", InstanceIds=["i-1"]) for keys in (asking.keys, *others)]
    calls.append(asking.keys.call("ec2", "terminate_instances", InstanceIds=["i-1"], region="us-east-1"))
    assert len({_digest_of(asking, call) for call in calls}) == len(calls)


def test_new_keys_of_the_same_conversation_ask_the_same(
    asking: Asking, acme: Tenant, alice: User, billing_agent: Agent, billing_account: Connection
) -> None:
    fresh = keys_of(acme, alice, billing_account, agent=billing_agent, conversation="conv-1")
    assert _digest_of(asking, asking.terminate("i-1")) == _digest_of(
        asking, fresh.call("ec2", "terminate_instances", InstanceIds=["i-1"])
    )


def test_identical_calls_join_one_question(asking: Asking, acme: Tenant) -> None:
    first, second = asking.terminate(), asking.terminate()
    assert asking.hold(first) == asking.hold(second)
    assert [kind for kind, _ in events_of(acme)].count("approval.opened") == 1


def test_what_the_approval_does_not_pin_is_on_the_record(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, ASK_ALL)
    admission = asking.keys.call("lambda", "invoke", FunctionName="bill", Qualifier="$LATEST")
    asking.edge.admit_one(admission)
    assert "not pinned: Qualifier=$LATEST" in row_of(acme, admission).reason
    assert "not pinned" in events_of(acme, admission.id)[0][1]["reason"]


# -- how it ends


@pytest.mark.parametrize(
    ("answer", "says"), [("refuse", "refused this call"), ("expire", "in time"), ("revoke", "in time")]
)
def test_a_no_reaches_the_waiting_client_in_its_dialect(asking: Asking, acme: Tenant, answer: str, says: str) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    now = datetime.now(UTC)
    with in_tenant(acme):
        match answer:
            case "expire":
                expire_due(tenant_id=acme.pk, now=now + timedelta(hours=2))
            case "revoke":
                revoke(tenant=acme, approval_id=approval, by=caller_of(acme, asking.approver), now=now)
            case _:
                asking.answer(approval, "refuse")
    [verdict] = asking.feed(admission)
    assert "<Code>UnauthorizedOperation</Code>" in told(verdict)
    assert says in told(verdict)
    assert row_of(acme, admission).state == "not_sent"
    assert kinds_of(acme, admission) == ["request.held", "request.not_sent"]
    assert asking.kept_bodies() == 0
    # The answer may have been lost on the way: asked again, the edge is told the same, and nothing is added.
    assert asking.feed(admission) == [verdict]
    assert len(kinds_of(acme, admission)) == 2


def test_a_call_nobody_holds_ends_with_its_approval_all_the_same(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, EVERYTHING + ASK_TERMINATE.replace("forbid", '@run("approval") forbid'))
    admission = asking.terminate()
    approval = asking.hold(admission)
    asking.leave(admission)
    assert row_of(acme, admission).state == "held"
    asking.answer(approval, "refuse")
    assert settle.end_unanswerable(tenant_id=acme.pk, now=datetime.now(UTC)) == 1
    assert (row_of(acme, admission).state, row_of(acme, admission).error) == ("not_sent", "approval.refused")
    assert asking.kept_bodies() == 0


def test_while_people_think_the_client_waits(asking: Asking) -> None:
    admission = asking.terminate()
    asking.hold(admission)
    assert asking.feed(admission) == []


def test_a_client_that_leaves_ends_its_call_and_its_body_is_erased(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    assert asking.kept_bodies() == 1
    asking.leave(admission)
    assert (row_of(acme, admission).state, row_of(acme, admission).error) == ("not_sent", "approval.pending")
    assert not asking.approval(approval).client_is_waiting
    assert asking.kept_bodies() == 0


def test_somebody_waits_as_long_as_one_of_several_does(asking: Asking) -> None:
    first, second = asking.terminate(), asking.terminate()
    approval = asking.hold(first)
    asking.hold(second)
    asking.leave(first)
    assert asking.approval(approval).client_is_waiting
    asking.leave(second)
    assert not asking.approval(approval).client_is_waiting


def test_a_grant_given_while_nobody_waits_is_used_by_the_call_that_returns(asking: Asking, acme: Tenant) -> None:
    first = asking.terminate(asking.aws.instance())
    approval = asking.hold(first)
    asking.leave(first)
    asking.answer(approval)
    assert asking.take(approval) is None
    second = again(first)
    assert asking.hold(second) == approval
    assert asking.perform(asking.run_of(second).pk) is OutcomeKind.COMPLETED
    assert [verdict.kind for verdict in asking.feed(second)] == [VerdictKind.RESULT]
    assert (len(asking.aws.seen(first.id)), len(asking.aws.seen(second.id))) == (0, 1)


def test_a_grant_is_good_once(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate(asking.aws.instance())
    asking.approved_and_run(admission)
    asking.feed(admission)
    repeated = again(admission)
    approval = asking.hold(repeated)
    assert approval != row_of(acme, admission).approval_id
    assert asking.approval(approval).state == "pending"


def test_of_two_that_wait_one_gets_it_and_the_other_is_told(asking: Asking, acme: Tenant) -> None:
    older, newer = asking.terminate(asking.aws.instance()), None
    newer = again(older, received_at=older.received_at + 1)
    approval = asking.hold(older)
    asking.hold(newer)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    # The newer: an SDK repeats a call whose connection it lost, and then nobody reads the older one's answer.
    assert asking.run_of(newer).pk == run_id
    asking.perform(run_id)
    by_id = {verdict.id: verdict for verdict in asking.feed(older, newer)}
    assert by_id[newer.id].kind is VerdictKind.RESULT
    assert "used by another identical call" in told(by_id[older.id])
    assert row_of(acme, older).error == "approval.spent"
    assert asking.kept_bodies() == 0


def test_suspending_the_agent_ends_its_waiting_calls_and_asks_nobody_for_them(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    approval = asking.hold(admission)
    with in_tenant(acme):
        Agent.objects.for_tenant(acme).update(is_suspended=True)
    [verdict] = asking.feed(admission)
    assert "is suspended" in told(verdict)
    assert row_of(acme, admission).state == "not_sent"
    assert asking.approval(approval).state == "revoked"


def test_revoking_the_key_ends_its_waiting_calls(asking: Asking, acme: Tenant) -> None:
    admission = asking.terminate()
    asking.hold(admission)
    with in_tenant(acme):
        GatewayKey.objects.for_tenant(acme).update(revoked_at=datetime.now(UTC))
    [verdict] = asking.feed(admission)
    assert "expired or were revoked" in told(verdict)


# -- what no worker can run


def _put(keys: Keys, body: bytes = b"words") -> Admission:
    """PutObject over a signed payload, as boto3 sends it to an endpoint without TLS."""
    client = keys.client("s3", s3={"payload_signing_enabled": True}, request_checksum_calculation="when_required")
    admission = caught(lambda: client.put_object(Bucket="b", Key="k", Body=body))
    assert admission.body_mode is BodyMode.PAYLOAD
    return admission


def test_an_upload_is_told_to_return_and_then_forwarded_once(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, ASK_ALL)
    first = _put(asking.keys)
    verdict = asking.edge.admit_one(first)
    assert "ApprovalPending" in told(verdict)
    row = row_of(acme, first)
    assert (row.state, row.error) == ("not_sent", "approval.pending")
    assert row.approval_id is not None
    asking.answer(row.approval_id)
    assert asking.take(row.approval_id) is None
    second = _put(asking.keys)
    forwarded = asking.edge.admit_one(second)
    assert forwarded.kind is VerdictKind.FORWARD
    assert forwarded.upstream is not None
    assert forwarded.upstream.payload_sha256 is not None
    assert row_of(acme, second).state == "admitted"
    # Resent, it has the same permission; as another request it asks anew.
    assert asking.edge.admit_one(second).kind is VerdictKind.FORWARD
    assert "ApprovalPending" in told(asking.edge.admit_one(_put(asking.keys)))


def test_the_grant_of_an_upload_is_for_its_bytes(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, ASK_ALL)
    first = _put(asking.keys)
    asking.edge.admit_one(first)
    approval = row_of(acme, first).approval_id
    assert approval is not None
    asking.answer(approval)
    assert "ApprovalPending" in told(asking.edge.admit_one(_put(asking.keys, b"other words")))


def test_an_upload_without_a_digest_cannot_be_approved(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, ASK_ALL)
    admission = asking.keys.call("s3", "put_object", Bucket="b", Key="k", Body=b"words")
    assert "no digest an approval could be bound to" in told(asking.edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "requests.not_approvable"


def test_parameters_too_large_to_hold_go_through_the_edge_once_granted(asking: Asking, acme: Tenant) -> None:
    publish_text(acme, ASK_ALL)
    call = partial(asking.keys.call, "lambda", "invoke", FunctionName="bill", Payload=b"x" * (1024 * 1024 + 1))
    first = again(call(), can_hold=False)
    assert "ApprovalPending" in told(asking.edge.admit_one(first))
    approval = row_of(acme, first).approval_id
    assert approval is not None
    asking.answer(approval)
    second = again(call(), can_hold=False)
    assert asking.edge.admit_one(second).kind is VerdictKind.FORWARD
    assert asking.kept_bodies() == 0


# -- with real transactions


@pytest.mark.django_db(transaction=True)
def test_a_vote_and_an_identical_call_at_the_same_moment_leave_nobody_waiting_for_nothing(asking: Asking) -> None:
    first = asking.terminate()
    approval = asking.hold(first)
    asking.leave(first)
    second = again(first)

    def call() -> Any:
        return asking.edge.admit_one(second).kind

    acts: list[Callable[[], Any]] = [partial(asking.answer, approval), call]
    assert at_once(acts) == [None, VerdictKind.HOLD]
    run_id = asking.take(approval)
    # Either the task found the call that waits, or the call found the grant: a run is queued for it.
    assert run_id in (None, asking.run_of(second).pk)


@pytest.mark.django_db(transaction=True)
def test_identical_calls_at_once_ask_once(asking: Asking, acme: Tenant) -> None:
    calls = [asking.terminate() for _ in range(4)]
    found = at_once([partial(asking.hold, call) for call in calls])
    assert len(set(found)) == 1
    with in_tenant(acme):
        assert ApprovalRequest.objects.for_tenant(acme).count() == 1
