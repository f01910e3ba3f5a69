"""S3 Express: CreateSession is answered with keys for one bucket, and calls signed with them are the gateway's to sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway.connections.models import Connection
from gateway.connections.session_policies import for_call, for_class
from gateway.tenants.models import Tenant
from gateway.terms import AccessClass
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


ZONE_HOST = f"{BUCKET}.s3express-euc1-az1.eu-central-1.amazonaws.com"
CONTROL_HOST = "s3express-control.eu-central-1.amazonaws.com"
ROUTES = [
    ("GET", f"/{BUCKET}/a/b", ZONE_HOST, "/a/b"),
    ("GET", f"/{BUCKET}?list-type=2&prefix=a%2F", ZONE_HOST, "/?list-type=2&prefix=a%2F"),
    ("HEAD", f"/{BUCKET}", ZONE_HOST, "/"),
    ("DELETE", f"/{BUCKET}/k", ZONE_HOST, "/k"),
    ("POST", f"/{BUCKET}/k?uploads", ZONE_HOST, "/k?uploads"),
    ("GET", f"/{BUCKET}?policy", CONTROL_HOST, f"/{BUCKET}?policy"),
    ("DELETE", f"/{BUCKET}", CONTROL_HOST, f"/{BUCKET}"),
    ("GET", "/", CONTROL_HOST, "/"),
]


@pytest.mark.parametrize(("method", "target", "host", "sent"), ROUTES)
def test_a_call_goes_to_its_zone_or_to_the_control_endpoint(
    ready: StrictSts, edge: EdgeLife, keys: Keys, method: str, target: str, host: str, sent: str
) -> None:
    verdict = edge.admit_one(keys.sign(method=method, target=target, headers={}, body=b"", service="s3express"))
    assert verdict.upstream is not None, verdict.answer
    assert (verdict.upstream.host, verdict.upstream.target) == (host, sent)
    assert "/eu-central-1/s3express/aws4_request" in dict(verdict.upstream.headers)["authorization"]


def test_a_bucket_before_the_gateways_name_is_routed_the_same(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    admission = keys.sign(
        method="GET",
        target="/daily.csv",
        headers={"Host": f"{BUCKET}.localhost:8443"},
        body=b"",
        service="s3express",
    )
    hosts = tuple(pair for pair in admission.headers if pair[1] != "aws.hoopweb.test")
    verdict = edge.admit_one(msgspec.structs.replace(admission, headers=hosts))
    assert verdict.upstream is not None, verdict.answer
    assert (verdict.upstream.host, verdict.upstream.target) == (ZONE_HOST, "/daily.csv")


@pytest.mark.parametrize(
    "bucket", ["reports", "reports--x-s3", "Reports--euc1-az1--x-s3", "reports--euc1-az1--x-s3-old"]
)
def test_any_other_bucket_is_none_of_express(ready: StrictSts, edge: EdgeLife, keys: Keys, bucket: str) -> None:
    verdict = edge.admit_one(keys.sign(method="GET", target=f"/{bucket}/k", headers={}, body=b"", service="s3"))
    assert verdict.upstream is not None, verdict.answer
    assert verdict.upstream.host == "s3.eu-central-1.amazonaws.com"


def test_a_zone_that_awss_rules_do_not_know_is_refused(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    target = "/reports--a-zone-of-nowhere-at-all--x-s3/k"
    admission = keys.sign(method="GET", target=target, headers={}, body=b"", service="s3express")
    assert edge.admit_one(admission).kind is VerdictKind.REFUSE
    assert row_of(acme, admission).refusal_code == "connections.endpoint_unknown"


def test_aws_lets_a_reader_read_and_not_write(
    ready: StrictSts, edge: EdgeLife, keys: Keys, billing_account: Connection
) -> None:
    policy = for_class(AccessClass.READ, account=billing_account.account_id, regions=["eu-central-1"]).policy_json
    arn = f"arn:aws:s3express:eu-central-1:{billing_account.account_id}:bucket/{BUCKET}"
    home = {"aws_RequestedRegion": "eu-central-1", "aws_ResourceAccount": billing_account.account_id}
    assert allows(policy, "s3express:CreateSession", arn, **home, s3express_SessionMode="ReadOnly")
    assert not allows(policy, "s3express:CreateSession", arn, **home, s3express_SessionMode="ReadWrite")
    assert not allows(policy, "s3express:CreateSession", arn, **home)


def test_an_approved_call_may_reach_its_own_bucket_alone(billing_account: Connection) -> None:
    named = f"arn:aws:s3:::{BUCKET}/k"
    account = billing_account.account_id
    policy = for_call(["s3:DeleteObject"], [named], account=account, regions=["eu-central-1"]).policy_json
    home = {"aws_RequestedRegion": "eu-central-1", "aws_ResourceAccount": account}
    place = f"arn:aws:s3express:eu-central-1:{account}:bucket/"
    assert allows(policy, "s3express:CreateSession", place + BUCKET, **home)
    assert not allows(policy, "s3express:CreateSession", f"{place}other--euc1-az1--x-s3", **home)
