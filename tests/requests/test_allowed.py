"""A call that policy allows: written down, signed for exactly this request, and forwarded with our witness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Session
from gateway.connections.models import Connection
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Admission, Upstream, Verdict, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.world import EdgeLife, Keys, again, events_of, kinds_of, publish_text, row_of

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("secretsmanager", "get_secret_value", {"SecretId": "billing/db"}),
    ("sts", "get_caller_identity", {}),
    ("ec2", "describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}),
    ("lambda", "list_functions", {}),
    ("s3", "list_objects_v2", {"Bucket": "billing-reports", "Prefix": "a b/é+(1)"}),
    ("s3", "get_object", {"Bucket": "billing-reports", "Key": "//odd key/é+(1)"}),
    ("s3", "put_object", {"Bucket": "billing-reports", "Key": "x", "Body": b"words"}),
    ("dynamodb", "get_item", {"TableName": "bills", "Key": {"id": {"S": "1"}}}),
    ("cloudwatch", "list_metrics", {}),
]


def upstream_of(verdict: Verdict) -> Upstream:
    assert verdict.kind is VerdictKind.FORWARD
    assert verdict.upstream is not None
    return verdict.upstream


def botocore_signature(upstream: Upstream, admission: Admission) -> str:
    """What botocore itself would put into Authorization for these headers with the role session's secret."""
    headers = {name: value for name, value in upstream.headers if name != "authorization"}
    authorization = dict(upstream.headers)["authorization"]
    signed = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(
        method=upstream.method,
        url=f"https://{upstream.host}{upstream.target}",
        headers={name: value for name, value in headers.items() if name in signed},
        data=admission.body,
    )
    request.context["timestamp"] = headers["x-amz-date"]
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/")
    credentials = Credentials(scope[0], "session-secret", headers["x-amz-security-token"])
    kind = S3SigV4Auth if scope[3] == "s3" else SigV4Auth
    signer = kind(credentials, scope[3], scope[2])
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))


@pytest.mark.parametrize(("service", "operation", "parameters"), CALLS, ids=lambda value: str(value)[:20])
def test_botocore_agrees_with_the_fresh_signature(
    ready: StrictSts, edge: EdgeLife, keys: Keys, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    admission = keys.call(service, operation, **parameters)
    upstream = upstream_of(edge.admit_one(admission))
    authorization = dict(upstream.headers)["authorization"]
    assert authorization.endswith(f"Signature={botocore_signature(upstream, admission)}")
    assert authorization.partition("Credential=")[2].startswith("ASIASESSION")


def test_it_is_written_down_with_its_decision(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.call("secretsmanager", "get_secret_value", SecretId="billing/db")
    edge.admit_one(admission)
    row = row_of(acme, admission)
    assert (row.state, row.effect, row.operation) == ("admitted", "allow", "GetSecretValue")
    assert (row.person_label, row.agent_label, row.connection_label) == ("alice", "billing-agent", "billing")
    assert row.rule_ids == ["main.all"] or row.rule_ids == ["all"]
    assert row.question["candidates"][0]["parameters"] == {"SecretId": "billing/db"}
    [(kind, facts)] = events_of(acme, admission.id)
    assert kind == "request.admitted"
    assert facts["operation"] == "GetSecretValue"
    assert facts["revision"] == row.revision == "main@1"
    assert facts["resources"] == row.resources


def test_the_session_is_opened_once_and_counts(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    for _ in range(2):
        edge.admit_one(keys.call("sts", "get_caller_identity"))
    with in_tenant(acme):
        session = Session.objects.for_tenant(acme).get()
    assert (session.conversation, session.calls, session.refused) == ("conv-1", 2, 0)
    assert [kind for kind, _ in events_of(acme)].count("session.opened") == 1


def test_the_host_comes_from_aws_rules_never_from_the_client(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    upstream = upstream_of(edge.admit_one(keys.call("secretsmanager", "list_secrets")))
    assert upstream.host == "secretsmanager.eu-central-1.amazonaws.com"
    assert dict(upstream.headers)["host"] == upstream.host
    assert "hoopweb.test" not in str(upstream)


def test_the_user_agent_ends_in_our_witness(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.call("secretsmanager", "list_secrets")
    upstream = upstream_of(edge.admit_one(admission))
    leaf = bytes(row_of(acme, admission).event_leaf or b"").hex()
    agents = [value for name, value in upstream.headers if name == "user-agent"]
    assert len(agents) == 1
    assert agents[0].startswith("Boto3/")
    assert agents[0].endswith(f" hoopweb/{admission.id}#{leaf}")


def test_nothing_of_the_clients_credentials_travels_on(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    verdict = edge.admit_one(keys.call("secretsmanager", "list_secrets"))
    for mine in (keys.access_key_id, keys.secret, keys.token):
        assert mine not in str(verdict)
    assert "session-secret" not in str(verdict)


def test_a_streamed_payload_is_bound_to_its_digest(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    admission = keys.call("s3", "put_object", Bucket="b", Key="k", Body=b"words")
    upstream = upstream_of(edge.admit_one(admission))
    sent = dict(upstream.headers)
    assert sent["x-amz-content-sha256"] in {upstream.payload_sha256, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}


def test_the_edge_does_not_say_what_a_body_hashes_to(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    admission = again(keys.call("secretsmanager", "list_secrets"), body_sha256="0" * 64)
    assert "0" * 64 not in str(upstream_of(edge.admit_one(admission)))


def test_a_connection_that_observes_forwards_and_records_what_would_be(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    publish_text(acme, '@id("none") forbid (principal, action, resource);')
    with in_tenant(acme):
        Connection.objects.for_tenant(acme).filter(pk=billing_account.pk).update(observe_only=True)
    admission = keys.call("secretsmanager", "list_secrets")
    assert edge.admit_one(admission).kind is VerdictKind.FORWARD
    assert (row_of(acme, admission).effect, row_of(acme, admission).would_be) == ("allow", "deny")
    assert events_of(acme, admission.id)[0][1]["would_be"] == "deny"


def test_a_revision_counts_for_the_very_next_call(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    assert edge.admit_one(keys.call("secretsmanager", "list_secrets")).kind is VerdictKind.FORWARD
    publish_text(acme, '@id("none") forbid (principal, action, resource);')
    assert edge.admit_one(keys.call("secretsmanager", "list_secrets")).kind is VerdictKind.REFUSE


@pytest.mark.django_db(transaction=True)
def test_a_batch_takes_as_few_statements_as_one_call(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    edge.admit_one(keys.call("secretsmanager", "list_secrets"))
    batch = [keys.call("secretsmanager", "list_secrets") for _ in range(8)]
    for items in (batch[:1], batch[1:]):
        with CaptureQueriesContext(connection) as queries:
            verdicts = edge.admit(*items)
        assert [verdict.id for verdict in verdicts] == [admission.id for admission in items]
        # One that reads the keys with all behind them, one that writes; each is a transaction of its own.
        said = [one["sql"] for one in queries]
        assert len(said) == 2
        assert ["requests_keys(" in said[0], "requests_admit(" in said[1]] == [True, True]


def test_an_edges_clock_gone_wrong_fails_nothing(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    now = datetime.now(UTC)
    for said in (float("nan"), float("inf"), -1e300, 0.0):
        admission = again(keys.call("secretsmanager", "list_secrets"), received_at=said)
        assert edge.admit_one(admission, now).kind is VerdictKind.FORWARD
        assert abs(row_of(acme, admission).received_at - now) < timedelta(seconds=1)


def test_kinds_are_admitted_and_nothing_else(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.call("secretsmanager", "list_secrets")
    edge.admit_one(admission)
    assert kinds_of(acme, admission) == ["request.admitted"]
