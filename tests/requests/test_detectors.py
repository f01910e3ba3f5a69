"""A tenant's live detectors go with its next call: into the record, the question policy sees, and the mask plan."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.utils import timezone

from audit.models import RecordingPart
from audit.recordings import recorded_halves
from gateway.policy import detectors
from gateway.requests.models import ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.asking import Asking
from tests.requests.world import EVERYTHING, EdgeLife, Keys, publish_text, row_of

EMPLOYEE = detectors.Definition(name="employee-id", pattern=r"EMP-\d{6}", must_match=("EMP-004711",))


def live(tenant: Tenant) -> None:
    with in_tenant(tenant):
        made = detectors.save(tenant=tenant, definition=EMPLOYEE, by_label="olga", now=timezone.now())
        detectors.set_live(tenant=tenant, detector_id=made.detector_id, number=1, by_label="olga", now=timezone.now())


def test_the_next_call_carries_them_and_its_record_is_masked_with_them(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    def call() -> bytes:
        verdict = edge.admit_one(keys.call("s3", "get_object", Bucket="reports", Key="staff/EMP-004711.txt"))
        assert verdict.kind is VerdictKind.FORWARD
        assert verdict.mask is not None
        return verdict.mask.detectors

    assert call() == b""
    live(acme)
    assert call() != b""
    with in_tenant(acme):
        before, after = ProxiedRequest.objects.for_tenant(acme).order_by("received_at", "pk")
        rows = {
            json.dumps([one.resources, one.parameters, one.question]).count("EMP-004711") for one in (before, after)
        }
        assert 0 in rows
        assert max(rows) > 0
        masked = next(one for one in (before, after) if "EMP-004711" not in json.dumps(one.question))
        assert masked.resources == ["arn:aws:s3:::reports/staff/[REDACTED:employee-id].txt"]


def test_a_neighbours_detectors_go_with_none_of_ours(
    ready: StrictSts, edge: EdgeLife, keys: Keys, globex: Tenant
) -> None:
    live(globex)
    verdict = edge.admit_one(keys.call("s3", "list_buckets"))
    assert verdict.mask is not None
    assert verdict.mask.detectors == b""


ASK_ITEMS = EVERYTHING + (
    '@id("items-ask") @effect("ask") @approvers("operators") @run("approval") '
    'forbid (principal, action == Action::"dynamodb:GetItem", resource);'
)


@pytest.fixture
def staff(asking: Asking, acme: Tenant) -> Iterator[str]:
    """A table with an employee in it, whose items people are asked about."""
    publish_text(acme, ASK_ITEMS)
    dynamodb = asking.aws.client("dynamodb")
    dynamodb.create_table(
        TableName="approved-staff",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(
        TableName="approved-staff", Item={"id": {"S": "a"}, "badge": {"S": "it is EMP-004711, since May"}}
    )
    yield "approved-staff"
    dynamodb.delete_table(TableName="approved-staff")


def test_the_answer_of_an_approved_call_is_masked_with_them_by_the_worker(
    asking: Asking, acme: Tenant, staff: str
) -> None:
    live(acme)
    admission = asking.keys.call("dynamodb", "get_item", TableName=staff, Key={"id": {"S": "a"}})
    assert asking.approved_and_run(admission) is OutcomeKind.COMPLETED
    assert b"EMP-004711" not in answer_of(asking, admission)
    assert b"it is [REDACTED:employee-id], since May" in answer_of(asking, admission)
    assert row_of(acme, admission).masked["by_rule"] == {"tenant:employee-id@1": 1}
    assert b"EMP-004711" not in kept_answer(acme, admission)


def test_one_made_live_after_the_vote_masks_the_answer_all_the_same(asking: Asking, acme: Tenant, staff: str) -> None:
    admission = asking.keys.call("dynamodb", "get_item", TableName=staff, Key={"id": {"S": "a"}})
    approval = asking.hold(admission)
    asking.answer(approval)
    run_id = asking.take(approval)
    assert run_id is not None
    live(acme)
    asking.perform(run_id)
    assert b"[REDACTED:employee-id]" in answer_of(asking, admission)


def answer_of(asking: Asking, admission: Admission) -> bytes:
    [verdict] = asking.feed(admission)
    assert verdict.answer is not None
    assert verdict.answer.status == 200
    return verdict.answer.body


def kept_answer(tenant: Tenant, admission: Admission) -> bytes:
    with in_tenant(tenant):
        halves = recorded_halves(tenant_id=tenant.pk, request_ids=[admission.id])[admission.id]
        return halves[RecordingPart.RESPONSE].body
