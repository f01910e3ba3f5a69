"""What an approval is bound to: a MAC under the tenant's key, found again by the identical call through an index."""

from __future__ import annotations

import hashlib

from django.db import connection

from approvals.models import ApprovalRequest, ApprovalState
from gateway.requests.asking import digest_of
from gateway.requests.examine import call_bytes
from gateway.requests.pins import Pin
from gateway.tenants.scope import in_tenant
from tests.requests.asking import Asking
from tests.requests.examined import examined_of


def test_the_digest_of_a_guessable_call_cannot_be_computed_from_it(asking: Asking) -> None:
    admission = asking.terminate()
    approval = asking.approval(asking.hold(admission))
    guessed = examined_of(asking, "ec2", "terminate_instances", InstanceIds=["i-0123456789abcdef0"])
    assert approval.digest == digest_of(guessed, ())
    assert approval.digest != hashlib.sha256(call_bytes(guessed, [])).hexdigest()


def test_a_pin_is_part_of_the_digest(asking: Asking) -> None:
    call = examined_of(asking, "ec2", "terminate_instances", InstanceIds=["i-0123456789abcdef0"])
    one, other = (digest_of(call, [Pin(name="Version=$Latest", now=now)]) for now in ("1", "2"))
    assert len({one, other, digest_of(call, ())}) == 3


def test_the_kept_result_is_looked_for_through_an_index(asking: Asking) -> None:
    rows = ApprovalRequest.objects.for_tenant(asking.tenant).filter(digest="0" * 64, state=ApprovalState.USED)
    with in_tenant(asking.tenant), connection.cursor() as cursor:
        # The planner of an empty table prefers reading it whole.
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = rows.explain()
    assert "approval_used_by_digest" in plan
