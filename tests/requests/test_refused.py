"""Calls that are not let through: each its own refusal, in the client's dialect, with its event or its count."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from django.db import connection

from gateway.connections.models import Connection, ConnectionState
from gateway.identity.models import Agent, GatewayKey, Membership, User
from gateway.requests.models import EdgeScope
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Admission, Verdict, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.people import account
from tests.requests.world import (
    EdgeLife,
    Keys,
    again,
    answered_code,
    enrolled,
    events_of,
    is_recorded,
    keys_of,
    kinds_of,
    publish_text,
    refusal_counts,
    row_of,
)

NOTHING = '@id("none") @advice("Read the report instead.") forbid (principal, action, resource);'


def refusal(verdict: Verdict) -> str:
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.upstream is None
    assert verdict.answer is not None
    return verdict.answer.body.decode()


# -- by policy, in every dialect


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("secretsmanager", "get_secret_value", {"SecretId": "s"}, "AccessDeniedException"),
        ("lambda", "list_functions", {}, "AccessDeniedException"),
        ("sts", "get_caller_identity", {}, "AccessDenied"),
        ("ec2", "describe_instances", {}, "UnauthorizedOperation"),
        ("s3", "list_buckets", {}, "AccessDenied"),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, "AccessDenied"),
    ],
)
def test_policys_deny_is_read_by_botocore_as_its_own_error(
    strict_sts: StrictSts,
    edge: EdgeLife,
    keys: Keys,
    acme: Tenant,
    service: str,
    operation: str,
    parameters: dict[str, Any],
    code: str,
) -> None:
    publish_text(acme, NOTHING)
    admission = keys.call(service, operation, **parameters)
    answer = edge.admit_one(admission).answer
    assert answer is not None
    model = keys.client(service).meta.service_model
    parser = create_parser(model.metadata["protocol"])
    shape = model.operation_model("".join(part.title() for part in operation.split("_"))).output_shape
    parsed = parser.parse({"headers": dict(answer.headers), "body": answer.body, "status_code": answer.status}, shape)
    assert parsed["Error"]["Code"] == code
    assert "Read the report instead" in ClientError(parsed, operation).args[0]
    assert row_of(acme, admission).state == "refused"


def test_a_deny_is_recorded_with_rule_and_code_and_tells_the_agent_no_rule(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, NOTHING)
    admission = keys.call("secretsmanager", "list_secrets")
    assert "none" not in refusal(edge.admit_one(admission)).replace("hoopweb", "")
    [(kind, facts)] = events_of(acme, admission.id)
    assert (kind, facts["code"], facts["effect"]) == ("request.refused", "policy.denied", "deny")
    assert facts["rules"]
    assert row_of(acme, admission).refusal_code == "policy.denied"


def test_no_sts_is_asked_for_a_call_that_is_refused(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, NOTHING)
    edge.admit_one(keys.call("secretsmanager", "list_secrets"))
    assert strict_sts.asked == []


def test_without_a_policy_nothing_passes(strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.call("secretsmanager", "list_secrets")
    refusal(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "policy.not_ready"
    assert kinds_of(acme, admission) == ["request.refused"]


# -- nobody's keys: counted, in no tenant's ledger


def _unknown(keys: Keys) -> Keys:
    other = keys.access_key_id[:-26] + ("A" * 26)
    return Keys(row=keys.row, access_key_id=other, secret=keys.secret, token=keys.token)


def _of_aws(keys: Keys) -> Keys:
    return Keys(row=keys.row, access_key_id="AKIAIOSFODNN7EXAMPLE", secret=keys.secret, token=keys.token)


def _wrong_secret(keys: Keys) -> Keys:
    # A dot is in no secret or token of ours: any letter would be the right one in one run of sixty-four.
    return Keys(row=keys.row, access_key_id=keys.access_key_id, secret="." + keys.secret[1:], token=keys.token)


def _wrong_token(keys: Keys) -> Keys:
    return Keys(row=keys.row, access_key_id=keys.access_key_id, secret=keys.secret, token="." + keys.token[1:])


@pytest.mark.parametrize(
    ("broken", "code", "shown"),
    [
        (_unknown, "requests.unknown_key", "UnrecognizedClientException"),
        (_of_aws, "requests.unknown_key", "UnrecognizedClientException"),
        (_wrong_secret, "wire.signature_mismatch", "InvalidSignatureException"),
        (_wrong_token, "requests.token_mismatch", "UnrecognizedClientException"),
    ],
)
def test_keys_nobody_was_given_are_counted(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, broken: Callable[[Keys], Keys], code: str, shown: str
) -> None:
    admission = broken(keys).call("secretsmanager", "list_secrets")
    before = events_of(acme)
    assert answered_code(edge.admit_one(admission)) == shown
    assert refusal_counts() == {code: 1}
    assert events_of(acme) == before
    assert not is_recorded(acme, admission)


def test_an_unsigned_call_is_counted(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    admission = keys.call("secretsmanager", "list_secrets")
    bare = tuple(pair for pair in admission.headers if pair[0] != "Authorization")
    refusal(edge.admit_one(again(admission, headers=bare)))
    assert refusal_counts() == {"wire.unsigned": 1}


def test_a_changed_body_or_target_is_counted(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    admission = keys.call("secretsmanager", "get_secret_value", SecretId="mine")
    refusal(edge.admit_one(again(admission, body=admission.body.replace(b"mine", b"hers"))))
    refusal(edge.admit_one(again(admission, target="/?x=1")))
    assert refusal_counts() == {"wire.signature_mismatch": 2}


def test_a_call_of_long_ago_is_counted(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    admission = keys.call("secretsmanager", "list_secrets")
    refusal(edge.admit_one(admission, datetime.now(UTC) + timedelta(minutes=6)))
    assert refusal_counts() == {"wire.request_expired": 1}


def test_a_key_of_a_tenant_the_edge_does_not_serve_is_unknown(
    ready: StrictSts, globex: Tenant, keys: Keys, acme: Tenant
) -> None:
    other = enrolled(globex, name="edge-of-globex")
    admission = keys.call("secretsmanager", "list_secrets")
    assert answered_code(other.admit_one(admission)) == "UnrecognizedClientException"
    assert not is_recorded(acme, admission)


def test_an_edge_of_one_connection_brings_no_other(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    elsewhere = keys_of(acme, alice, account(acme, "production"))
    with in_tenant(acme):
        EdgeScope.objects.for_tenant(acme).delete()
        EdgeScope.objects.create(tenant=acme, edge_id=edge.identity.id, connection_id=billing_account.pk)
    edge.look_again()
    assert edge.admit_one(keys.call("secretsmanager", "list_secrets")).kind is VerdictKind.FORWARD
    assert answered_code(edge.admit_one(elsewhere.call("secretsmanager", "list_secrets"))) == (
        "UnrecognizedClientException"
    )


# -- a tenant's own keys that may not be used: its event


def _revoke(keys: Keys, acme: Tenant) -> None:
    GatewayKey.objects.for_tenant(acme).filter(pk=keys.row.pk).update(revoked_at=datetime.now(UTC))


def _expire(keys: Keys, acme: Tenant) -> None:
    GatewayKey.objects.for_tenant(acme).filter(pk=keys.row.pk).update(expires_at=datetime.now(UTC))


def _suspend_agent(keys: Keys, acme: Tenant) -> None:
    Agent.objects.for_tenant(acme).update(is_suspended=True)


def _suspend_member(keys: Keys, acme: Tenant) -> None:
    Membership.objects.for_tenant(acme).filter(user__username="alice").update(is_active=False)


def _suspend_person(keys: Keys, acme: Tenant) -> None:
    User.objects.filter(username="alice").update(is_active=False)


def _suspend_connection(keys: Keys, acme: Tenant) -> None:
    Connection.objects.for_tenant(acme).update(state=ConnectionState.SUSPENDED)


def _no_more_member(keys: Keys, acme: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE; DELETE FROM identity_membership; SET ROLE hoopweb_app")


@pytest.mark.parametrize(
    ("act", "code", "says"),
    [
        (_revoke, "requests.key_expired", "expired or were revoked"),
        (_expire, "requests.key_expired", "expired or were revoked"),
        (_suspend_agent, "requests.principal_suspended", "the agent"),
        (_suspend_member, "requests.principal_suspended", "the person"),
        (_suspend_person, "requests.principal_suspended", "the person"),
        (_no_more_member, "requests.principal_suspended", "the person"),
        (_suspend_connection, "requests.principal_suspended", "the connection"),
    ],
)
def test_who_may_not_act_any_more_is_refused_with_an_event(
    ready: StrictSts,
    edge: EdgeLife,
    keys: Keys,
    acme: Tenant,
    act: Callable[[Keys, Tenant], None],
    code: str,
    says: str,
) -> None:
    with in_tenant(acme):
        act(keys, acme)
    admission = keys.call("secretsmanager", "list_secrets")
    assert says in refusal(edge.admit_one(admission))
    [(kind, facts)] = events_of(acme, admission.id)
    assert (kind, facts["code"]) == ("request.refused", code)
    assert refusal_counts() == {}


def test_a_suspended_tenant_is_refused(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, as_owner: Callable[[], Any]
) -> None:
    with as_owner(), in_tenant(acme):
        Tenant.objects.filter(pk=acme.pk).update(is_suspended=True)
    admission = keys.call("secretsmanager", "list_secrets")
    assert "the tenant" in refusal(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "requests.principal_suspended"


# -- calls that are not understood, or not open


def test_a_region_the_connection_is_not_open_for(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.call("secretsmanager", "list_secrets", region="ap-south-1")
    assert "ap-south-1" in refusal(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "connections.region_not_allowed"


def signed(
    keys: Keys, headers: dict[str, str], body: bytes, *, service: str, region: str = "eu-central-1"
) -> Admission:
    """A request no client would make, signed by botocore all the same."""
    return keys.sign(method="POST", target="/", headers=headers, body=body, service=service, region=region)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"SecretId": "a", "SecretId": "b"}', "wire.duplicate_key"),
        (b'{"SecretId": ', "wire.malformed_body"),
        (b"[" * 100_000, "wire.malformed_body"),
        (b'{"SecretId": 7}', "wire.unreadable_parameter"),
    ],
)
def test_a_body_that_reads_two_ways_or_none(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, body: bytes, code: str
) -> None:
    headers = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"}
    admission = signed(keys, headers, body, service="secretsmanager")
    refusal(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == code
    assert events_of(acme, admission.id)[0][1]["code"] == code


def test_an_operation_newer_than_our_tables_is_denied_unless_a_rule_permits_it(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, '@id("all") permit (principal, action, resource);')
    headers = {"X-Amz-Target": "secretsmanager.MakeEverythingNew", "Content-Type": "application/x-amz-json-1.1"}
    admission = signed(keys, headers, b"{}", service="secretsmanager")
    refusal(edge.admit_one(admission))
    row = row_of(acme, admission)
    assert (row.operation, row.refusal_code, row.reason) == ("MakeEverythingNew", "policy.denied", "unmodelled")


def test_a_path_no_model_knows(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.sign(method="POST", target="/no/such/path", headers={}, body=b"{}", service="lambda")
    refusal(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "wire.unknown_operation"


# -- when STS says no


def test_a_role_that_cannot_be_assumed_is_a_retryable_refusal(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    ready.failing_code = "AccessDenied"
    admission = keys.call("secretsmanager", "list_secrets")
    verdict = edge.admit_one(admission)
    assert answered_code(verdict) == "ServiceUnavailable"
    assert verdict.answer is not None
    assert verdict.answer.status == 503
    row = row_of(acme, admission)
    assert (row.state, row.refusal_code) == ("refused", "connections.assume_role_failed")
    # What policy said stays on the record: it was not policy that refused.
    assert row.effect == "allow"


def test_messages_name_no_secret(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    for broken in (_wrong_secret, _wrong_token):
        told = refusal(edge.admit_one(broken(keys).call("secretsmanager", "list_secrets")))
        assert keys.secret[1:] not in told
        assert keys.token[1:] not in told


@pytest.mark.django_db(transaction=True)
def test_an_id_is_not_taken_twice_for_different_calls(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    first = keys.call("secretsmanager", "get_secret_value", SecretId="a")
    edge.admit_one(first)
    other = msgspec.structs.replace(keys.call("secretsmanager", "get_secret_value", SecretId="b"), id=first.id)
    assert "id was used" in refusal(edge.admit_one(other))
    assert row_of(acme, first).parameters == {"SecretId": "a"}
    assert kinds_of(acme, first) == ["request.admitted"]


def test_an_id_of_another_tenants_request_is_refused_and_nothing_of_it_told(
    ready: StrictSts, edge: EdgeLife, keys: Keys, globex: Tenant, mallory: User
) -> None:
    mine = keys.call("secretsmanager", "list_secrets")
    edge.admit_one(mine)
    publish_text(globex, '@id("all") permit (principal, action, resource);')
    theirs = keys_of(globex, mallory, account(globex, "globex"))
    other_edge = enrolled(globex, name="edge-of-globex")
    stolen = msgspec.structs.replace(theirs.call("secretsmanager", "list_secrets"), id=mine.id)
    neighbour = theirs.call("secretsmanager", "list_secrets")
    told, forwarded = other_edge.admit(stolen, neighbour)
    assert "id was used" in refusal(told)
    assert forwarded.kind is VerdictKind.FORWARD


def test_ids_are_the_edges_to_give(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = again(keys.call("secretsmanager", "list_secrets"), id=uuid.UUID(int=7))
    assert edge.admit_one(admission).id == uuid.UUID(int=7)
    assert row_of(acme, admission).pk == uuid.UUID(int=7)
