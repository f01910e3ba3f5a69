"""A tenant's live detectors go with its next call: into the record, the question policy sees, and the mask plan."""

from __future__ import annotations

import json

from django.utils import timezone

from gateway.policy import detectors
from gateway.requests.models import ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.world import EdgeLife, Keys

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
