"""Held calls, from the agent's side and the approvers': once, never by the asker, and again after the hold."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.journeys.product import Product, Tenant
from tests.running_stack import HOLD_SECONDS


class Call(threading.Thread):
    """One call of an agent that may wait; what came of it is `answer` or `error`."""

    def __init__(self, act: Any) -> None:
        super().__init__(daemon=True)
        self._act = act
        self.answer: Any = None
        self.error: ClientError | None = None

    def run(self) -> None:
        try:
            self.answer = self._act()
        except ClientError as error:
            self.error = error


def new_instance(product: Product) -> str:
    ec2 = product.truth("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    return str(ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"])


def state_of(product: Product, instance: str) -> str:
    found = product.truth("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return str(found["State"]["Name"])


def terminate(tenant: Tenant, instance: str, *, keys: dict[str, str] | None = None, edge: int = 0) -> Call:
    ec2 = tenant.aws("ec2", keys=keys, edge=edge)
    call = Call(lambda: ec2.terminate_instances(InstanceIds=[instance]))
    call.start()
    return call


def pending(product: Product, tenant: Tenant, instance: str) -> dict[str, Any]:
    def found() -> Any:
        items = tenant.items("approvals/?state=pending", key="HOOPWEB_APPROVER_API_KEY")
        return next((one for one in items if instance in str(one)), None)

    return dict(product.wait(found, seconds=10, told="no approval request appeared"))


def vote(tenant: Tenant, approval: dict[str, Any], answer: str, *, key: str = "HOOPWEB_APPROVER_API_KEY") -> Any:
    body = {"answer": answer, "reason": "a test decided"}
    return tenant.rest("POST", f"approvals/{approval['id']}/votes/", key=key, body=body)


def terminations(product: Product, instance: str) -> int:
    rows = product.query(
        "SELECT count(*) FROM requests_approvedrun r JOIN requests_proxiedrequest p ON p.id = r.request_id "
        "WHERE r.state = 'completed' AND p.parameters::text LIKE %s",
        f"%{instance}%",
    )
    return int(rows[0][0])


def test_a_refusal_reaches_the_waiting_client_and_nothing_runs(product: Product, demo: Tenant) -> None:
    instance = new_instance(product)
    call = terminate(demo, instance)
    assert vote(demo, pending(product, demo, instance), "refuse").status == 201
    call.join(HOLD_SECONDS)
    assert call.error is not None
    assert "refused" in call.error.response["Error"]["Message"]
    assert state_of(product, instance) == "running"


def test_the_asker_and_another_tenant_cannot_vote(product: Product, demo: Tenant, globex: Tenant) -> None:
    instance = new_instance(product)
    call = terminate(demo, instance)
    approval = pending(product, demo, instance)
    assert vote(demo, approval, "approve", key="HOOPWEB_DEVELOPER_API_KEY").status == 403
    assert vote(demo, approval, "approve", key="HOOPWEB_ADMIN_API_KEY").status == 403
    assert vote(globex, approval, "approve").status == 404
    assert vote(demo, approval, "refuse").status == 201
    call.join(HOLD_SECONDS)
    assert state_of(product, instance) == "running"


def test_after_the_hold_the_call_is_pending_and_the_identical_call_runs_once(product: Product, demo: Tenant) -> None:
    instance = new_instance(product)
    keys = demo.keys_for("comes-back")
    first = terminate(demo, instance, keys=keys)
    approval = pending(product, demo, instance)
    first.join(HOLD_SECONDS + 15)
    assert first.error is not None
    error = first.error.response["Error"]
    assert error["Code"] == "ApprovalPending"
    assert approval["id"] in error["Message"]
    assert first.error.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert vote(demo, approval, "approve").status == 201
    # Nobody waits: by default nothing runs until the client comes back.
    assert state_of(product, instance) == "running"
    second = terminate(demo, instance, keys=keys, edge=1)
    second.join(HOLD_SECONDS + 5)
    assert second.error is None, second.error
    assert second.answer["TerminatingInstances"][0]["InstanceId"] == instance
    assert state_of(product, instance) in {"terminated", "shutting-down"}
    assert terminations(product, instance) == 1


def test_a_grant_is_good_for_exactly_that_call(product: Product, demo: Tenant) -> None:
    instance, other = new_instance(product), new_instance(product)
    call = terminate(demo, instance)
    assert vote(demo, pending(product, demo, instance), "approve").status == 201
    call.join(HOLD_SECONDS + 5)
    assert call.error is None, call.error
    # The same call again, and one with another parameter, ask anew.
    for again in (instance, other):
        asked = terminate(demo, again)
        assert vote(demo, pending(product, demo, again), "refuse").status == 201
        asked.join(HOLD_SECONDS)
        assert asked.error is not None
    assert state_of(product, other) == "running"


def test_two_identical_calls_share_one_approval_and_run_once(product: Product, demo: Tenant) -> None:
    instance = new_instance(product)
    keys = demo.keys_for("twins")
    twins = [terminate(demo, instance, keys=keys, edge=edge) for edge in (0, 1)]
    approval = pending(product, demo, instance)
    product.wait(
        lambda: product.query(
            "SELECT 1 FROM requests_proxiedrequest WHERE approval_id = %s AND state = 'held' OFFSET 1", approval["id"]
        ),
        seconds=10,
        told="the second call did not join",
    )
    assert vote(demo, approval, "approve").status == 201
    for twin in twins:
        twin.join(HOLD_SECONDS + 5)
    assert sorted(twin.error is None for twin in twins) == [False, True]
    assert terminations(product, instance) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_only_a_post_votes(product: Product, demo: Tenant, method: str) -> None:
    instance = new_instance(product)
    call = terminate(demo, instance)
    approval = pending(product, demo, instance)
    path = f"approvals/{approval['id']}/votes/?answer=approve"
    assert demo.rest(method, path, key="HOOPWEB_APPROVER_API_KEY").status == 405 if method != "HEAD" else True
    assert vote(demo, approval, "refuse").status == 201
    call.join(HOLD_SECONDS)
