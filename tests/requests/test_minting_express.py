"""S3 Express: CreateSession is answered with keys for one bucket, and calls signed with them are the gateway's to sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.connections.models import Connection
from gateway.tenants.models import Tenant
from gateway.wire.contract import VerdictKind
from tests.connections.iam import allows
from tests.connections.strict_sts import StrictSts
from tests.requests.minted import given
from tests.requests.world import EdgeLife, Keys, row_of

BUCKET = "reports--euc1-az1--x-s3"


def test_a_bucket_session_is_answered_with_gateway_keys(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    ready.asked.clear()
    admission = keys.sign(
        method="GET",
        target=f"/{BUCKET}?session",
        headers={"x-amz-create-session-mode": "ReadOnly"},
        body=b"",
        service="s3express",
    )
    found = given(edge.admit_one(admission), acme, "CreateSession", "s3")
    assert found.expires_at - datetime.now(UTC) <= timedelta(minutes=5)
    assert row_of(acme, admission).state == "completed"
    policy = next(one["Policy"] for one in ready.asked if "s3express" in one["Policy"])
    home = {"aws_RequestedRegion": "eu-central-1", "aws_ResourceAccount": billing_account.account_id}
    assert not allows(policy, "s3:PutObject", "arn:aws:s3:::reports/k", **home)


def test_a_call_with_the_buckets_own_token_header_is_verified_and_the_header_goes_no_further(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    asked = keys.sign(method="GET", target=f"/{BUCKET}?session", headers={}, body=b"", service="s3express")
    found = given(edge.admit_one(asked), acme, "CreateSession", "s3")
    mine = Keys(row=found.keys.row, access_key_id=found.keys.access_key_id, secret=found.keys.secret, token="")
    call = mine.sign(
        method="GET",
        target=f"/{BUCKET}/daily.csv",
        headers={"x-amz-s3session-token": found.keys.token},
        body=b"",
        service="s3express",
    )
    verdict = edge.admit_one(call)
    assert verdict.kind is VerdictKind.FORWARD, verdict.answer
    assert verdict.upstream is not None
    sent = dict(verdict.upstream.headers)
    assert "x-amz-s3session-token" not in sent
    assert found.keys.token not in str(verdict)
    assert sent["x-amz-security-token"] == "session-token"
