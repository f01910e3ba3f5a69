"""Parts that hang, die or refuse: nothing leaves unrecorded, clients hear it in their own protocol, and it passes."""

from __future__ import annotations

import signal

import pytest
from botocore.exceptions import ClientError

from tests.journeys import evidence
from tests.journeys.approving import APPROVER
from tests.journeys.product import Product, Tenant
from tests.journeys.test_approvals import Call, new_instance, pending, state_of, terminate, vote
from tests.running_stack import CONTROL_SECONDS


def refused_retryably(tenant: Tenant) -> None:
    """Both a JSON and an XML client hear that the service is away, and that trying again makes sense."""
    of_json, of_xml = tenant.aws("dynamodb"), tenant.aws("s3", edge=1)
    calls = [Call(of_json.list_tables), Call(of_xml.list_buckets)]
    for call in calls:
        call.start()
    for call in calls:
        call.join(CONTROL_SECONDS + 15)
        assert call.error is not None
        assert call.error.response["Error"]["Code"] == "ServiceUnavailable"
        assert call.error.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def works_again(product: Product, tenant: Tenant) -> None:
    def works() -> bool:
        try:
            return bool(tenant.aws("s3").list_buckets()["Buckets"])
        except ClientError:
            return False

    product.wait(works, seconds=30, told="calls do not work again")
    evidence.check_everything(product)


@pytest.mark.parametrize("part", ["web-edge", "postgres"])
def test_while_a_part_hangs_calls_are_refused_retryably_and_nothing_leaves(
    product: Product, demo: Tenant, part: str
) -> None:
    before = len(product.upstream())
    with product.stopped(part):
        refused_retryably(demo)
        assert len(product.upstream()) == before
    works_again(product, demo)
    # Admissions that were answered too late to be followed did not leave either.
    assert len(evidence.sightings(product, since=before)) == 1


def test_an_event_that_cannot_be_written_keeps_the_call_here(product: Product, demo: Tenant) -> None:
    before = len(product.upstream())
    product.execute("REVOKE INSERT ON audit_event FROM hoopweb_app")
    try:
        refused_retryably(demo)
    finally:
        product.execute("GRANT INSERT ON audit_event TO hoopweb_app")
    assert len(product.upstream()) == before
    works_again(product, demo)


def test_a_killed_database_comes_back_with_everything(product: Product, demo: Tenant) -> None:
    written = product.query("SELECT count(*) FROM audit_event")[0][0]
    product.kill("postgres")
    product.wait_back("postgres")
    works_again(product, demo)
    assert product.query("SELECT count(*) FROM audit_event")[0][0] > written


def test_a_lost_broker_loses_no_approval(product: Product, demo: Tenant) -> None:
    instance = new_instance(product)
    keys = demo.keys_for("broker-lost")
    call = terminate(demo, instance, keys=keys)
    approval = pending(product, demo, instance)
    product.send_signal("valkey", signal.SIGKILL)
    assert vote(demo, approval, "approve").status == 201
    call.join(60)
    product.wait_back("valkey")
    if call.error is not None:
        # The broker came back after the hold was over: then the same command is run again, as its answer says.
        assert call.error.response["Error"]["Code"] == "ApprovalPending"
        again = terminate(demo, instance, keys=keys)
        again.join(60)
        assert again.error is None, again.error
    assert state_of(product, instance) in {"terminated", "shutting-down"}
    assert demo.rest("GET", f"approvals/{approval['id']}/", key=APPROVER).body["state"] == "used"
    evidence.check_everything(product)
