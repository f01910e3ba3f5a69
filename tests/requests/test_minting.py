"""AssumeRole and GetSessionToken are answered here: gateway keys in AWS's own shape, bound, bounded and recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.recordings import recorded_halves
from gateway.connections.models import Connection
from gateway.identity.models import GatewayKey, User
from gateway.identity.services import revoke_gateway_key
from gateway.policy.services import publish
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Admission, Verdict, VerdictKind
from tests.connections.iam import allows
from tests.connections.strict_sts import StrictSts
from tests.requests.minted import Given, given
from tests.requests.world import EVERYTHING, EdgeLife, Keys, again, events_of, keys_of, publish_text, row_of

READER = "reader"


def role(connection: Connection, name: str = READER) -> str:
    return f"arn:aws:iam::{connection.account_id}:role/{name}"


def assume(keys: Keys, arn: str, **parameters: Any) -> Admission:
    return keys.call("sts", "assume_role", **({"RoleArn": arn, "RoleSessionName": "nightly"} | parameters))


@pytest.fixture
def assumed(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection) -> Given:
    return given(edge.admit_one(assume(keys, role(billing_account))), acme, "AssumeRole")


def refused(verdict: Verdict) -> str:
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    return verdict.answer.body.decode()


def test_the_answer_has_the_shape_of_sts(assumed: Given, billing_account: Connection) -> None:
    user = assumed.answer["AssumedRoleUser"]
    assert user["Arn"] == f"arn:aws:sts::{billing_account.account_id}:assumed-role/{READER}/nightly"
    assert user["AssumedRoleId"].endswith(":nightly")
    assert assumed.answer["SourceIdentity"] == "alice"
    left = assumed.expires_at - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)


def test_the_keys_are_the_same_persons_agents_and_conversations(assumed: Given, keys: Keys) -> None:
    row = assumed.keys.row
    mine = (row.user_id, row.agent_id, row.connection_id, row.conversation, row.generation, row.prompt_id)
    theirs = keys.row
    assert mine == (
        theirs.user_id,
        theirs.agent_id,
        theirs.connection_id,
        theirs.conversation,
        theirs.generation,
        theirs.prompt_id,
    )
    assert row.ancestors == [theirs.pk]


def test_the_call_ends_as_completed_with_its_key_event_and_nothing_is_forwarded(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    admission = assume(keys, role(billing_account))
    found = given(edge.admit_one(admission), acme, "AssumeRole")
    row = row_of(acme, admission)
    assert (row.state, row.effect, row.status, row.operation) == ("completed", "allow", 200, "AssumeRole")
    assert row.ended_at is not None
    [(kind, facts)] = [one for one in events_of(acme, admission.id) if one[0] != "key.issued"]
    assert (kind, facts["operation"]) == ("request.completed", "AssumeRole")
    [issued] = [facts for kind, facts in events_of(acme, found.keys.row.pk) if kind == "key.issued"]
    assert (issued["by"], issued["what"]) == ("alice", f"AssumeRole {role(billing_account)}")


def test_the_recording_shows_the_answer_and_none_of_its_secrets(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    admission = assume(keys, role(billing_account))
    found = given(edge.admit_one(admission), acme, "AssumeRole")
    with in_tenant(acme):
        half = recorded_halves(tenant_id=acme.pk, request_ids=[admission.id])[admission.id]["response"]
    assert found.keys.access_key_id in half.text
    for secret in (found.keys.secret, found.keys.token):
        assert secret not in half.text
        assert secret not in str(events_of(acme))
    assert half.text.count("[REDACTED:bearer]") == 2


def test_a_call_with_the_keys_is_signed_by_the_assumed_role(
    assumed: Given, ready: StrictSts, edge: EdgeLife, billing_account: Connection
) -> None:
    ready.asked.clear()
    verdict = edge.admit_one(assumed.keys.call("s3", "put_object", Bucket="b", Key="k", Body=b"words"))
    assert verdict.kind is VerdictKind.FORWARD
    [asked] = [one for one in ready.asked if one["RoleArn"] == role(billing_account)]
    assert (asked["RoleSessionName"], asked["SourceIdentity"]) == ("nightly", "alice")
    assert {asked[f"Tags.member.{n}.Key"] for n in (1, 2)} == {"hoopweb:tenant", "hoopweb:connection"}
    assert "ExternalId" not in asked
    assert any("iam:*" in one.get("NotAction", ()) for one in json.loads(asked["Policy"])["Statement"])
    assert verdict.upstream is not None
    assert "Credential=ASIASESSION" in dict(verdict.upstream.headers)["authorization"]


def test_the_way_to_the_role_may_do_nothing_else(
    ready: StrictSts, edge: EdgeLife, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    fresh = keys_of(acme, alice, billing_account)
    arn = role(billing_account, "never-assumed-before")
    assert edge.admit_one(assume(fresh, arn)).kind is VerdictKind.RESULT
    [way] = [one for one in ready.asked if arn in one["Policy"]]
    assert way["RoleArn"] == billing_account.role_arn
    allowed = [one for one in json.loads(way["Policy"])["Statement"] if one["Effect"] == "Allow"]
    assert [(one["Action"], one["Resource"]) for one in allowed] == [
        (["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], [arn])
    ]


def test_roles_are_chained(assumed: Given, ready: StrictSts, edge: EdgeLife, acme: Tenant, keys: Keys) -> None:
    account = assumed.keys.row.connection_id
    assert account == keys.row.connection_id
    arn = assumed.answer["AssumedRoleUser"]["Arn"].replace(":sts:", ":iam:").partition(":assumed-role")[0]
    second = f"{arn}:role/deep/er"
    found = given(edge.admit_one(assume(assumed.keys, second)), acme, "AssumeRole")
    assert [hop["role_arn"] for hop in found.keys.row.role_chain] == [f"{arn}:role/{READER}", second]
    assert found.keys.row.ancestors == [keys.row.pk, assumed.keys.row.pk]
    assert found.answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/er/nightly")


def test_the_connections_own_role_needs_no_trust_in_itself(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    ready.asked.clear()
    admission = assume(keys, billing_account.role_arn, RoleSessionName="own-role-again")
    found = given(edge.admit_one(admission), acme, "AssumeRole")
    assert edge.admit_one(found.keys.call("s3", "list_buckets")).kind is VerdictKind.FORWARD
    mine = [one for one in ready.asked if one["RoleSessionName"] == "own-role-again"]
    assert {one["ExternalId"] for one in mine} == {billing_account.external_id}
    assert all("sts:AssumeRole" not in one["Policy"].partition("NotAction")[0] for one in mine)


def test_derived_keys_end_with_the_key_they_came_from(
    ready: StrictSts, edge: EdgeLife, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    short = keys_of(acme, alice, billing_account, lifetime=timedelta(minutes=20))
    found = given(edge.admit_one(assume(short, role(billing_account), DurationSeconds=43_200)), acme, "AssumeRole")
    assert found.expires_at <= short.row.expires_at


def test_revoking_a_key_ends_what_came_of_it(assumed: Given, keys: Keys, edge: EdgeLife, acme: Tenant) -> None:
    deeper = given(edge.admit_one(assumed.keys.call("sts", "get_session_token")), acme, "GetSessionToken")
    call = deeper.keys.call("s3", "list_buckets")
    assert edge.admit_one(call).kind is VerdictKind.FORWARD
    with in_tenant(acme):
        revoke_gateway_key(tenant=acme, key_id=keys.row.pk, by_label="a test", now=datetime.now(UTC))
    assert "ExpiredToken" in refused(edge.admit_one(again(call)))


def test_revoking_a_derived_key_leaves_the_one_it_came_from(
    assumed: Given, keys: Keys, edge: EdgeLife, acme: Tenant
) -> None:
    with in_tenant(acme):
        revoke_gateway_key(tenant=acme, key_id=assumed.keys.row.pk, by_label="a test", now=datetime.now(UTC))
    assert "ExpiredToken" in refused(edge.admit_one(assumed.keys.call("s3", "list_buckets")))
    assert edge.admit_one(keys.call("s3", "list_buckets")).kind is VerdictKind.FORWARD


def test_a_call_with_derived_keys_is_of_the_same_session(
    ready: StrictSts, edge: EdgeLife, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    nameless = keys_of(acme, alice, billing_account)
    first = assume(nameless, role(billing_account))
    found = given(edge.admit_one(first), acme, "AssumeRole")
    call = found.keys.call("s3", "list_buckets")
    edge.admit_one(call)
    assert row_of(acme, call).session_id == row_of(acme, first).session_id
    assert row_of(acme, call).key_id == found.keys.row.pk


def test_an_answer_that_was_lost_is_given_again_with_the_same_keys(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    admission = assume(keys, role(billing_account))
    first, second = edge.admit_one(admission), edge.admit_one(admission)
    assert first == second
    with in_tenant(acme):
        assert GatewayKey.objects.for_tenant(acme).filter(ancestors__contains=[keys.row.pk]).count() == 1


def test_a_session_token_opens_the_same_role(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    found = given(edge.admit_one(keys.call("sts", "get_session_token")), acme, "GetSessionToken")
    assert found.keys.row.role_chain == []
    assert set(found.answer) - {"ResponseMetadata"} == {"Credentials"}
    assert edge.admit_one(found.keys.call("s3", "list_buckets")).kind is VerdictKind.FORWARD


def test_a_role_that_aws_refuses_is_refused_with_whom_it_must_trust(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    edge.admit_one(keys.call("sts", "get_caller_identity"))
    arn = role(billing_account, "trusts-nobody")
    ready.refusing.add(arn)
    admission = assume(keys, arn)
    said = refused(edge.admit_one(admission))
    assert "<Code>AccessDenied</Code>" in said
    assert "must trust the connection" in said
    assert row_of(acme, admission).refusal_code == "connections.role_refused"
    with in_tenant(acme):
        assert not GatewayKey.objects.for_tenant(acme).filter(pk=admission.id).exists()


def test_nothing_of_the_real_credentials_is_in_the_answer(
    ready: StrictSts, edge: EdgeLife, keys: Keys, billing_account: Connection
) -> None:
    verdict = edge.admit_one(assume(keys, role(billing_account)))
    for real in ("ASIASESSION", "session-secret", "session-token"):
        assert real not in str(verdict)


def test_silence_is_a_refusal_with_advice(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    publish_text(acme, '@id("look") permit (principal, action in Action::"class:Read", resource);')
    admission = assume(keys, role(billing_account))
    assert "call the service directly" in refused(edge.admit_one(admission))
    assert "hoopweb already gives you credentials" in row_of(acme, admission).advice
    assert strict_sts.asked == []


def test_a_permit_for_one_role_opens_that_role_alone(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    arn = role(billing_account)
    publish_text(
        acme,
        f'@id("reader") permit (principal, action == Action::"sts:AssumeRole", resource == Hoopweb::Resource::"{arn}");',
    )
    assert edge.admit_one(assume(keys, arn)).kind is VerdictKind.RESULT
    assert edge.admit_one(assume(keys, role(billing_account, "admin"))).kind is VerdictKind.REFUSE


def test_in_a_tenant_with_the_pack_every_other_way_to_credentials_stays_shut(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    with in_tenant(acme):
        publish(tenant=acme, packs=("credential-minting",), text=EVERYTHING, by_label="a test", now=datetime.now(UTC))
    assert edge.admit_one(assume(keys, role(billing_account))).kind is VerdictKind.RESULT
    for service, operation, parameters in (
        ("sts", "get_federation_token", {"Name": "somebody"}),
        ("iam", "create_access_key", {}),
        ("ecr", "get_authorization_token", {}),
    ):
        region = {"region": "us-east-1"} if service == "iam" else {}
        verdict = edge.admit_one(keys.call(service, operation, **region, **parameters))
        assert verdict.kind is VerdictKind.REFUSE, operation


def test_people_are_not_asked_about_credentials_but_about_what_is_done_with_them(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection, approver_rules: None
) -> None:
    ask = '@id("role-asks") @effect("ask") @approvers("operators")\nforbid (principal, action == {}, resource);'
    publish_text(acme, EVERYTHING + ask.format('Action::"sts:AssumeRole"'))
    admission = assume(keys, role(billing_account))
    assert "another ask about the calls" in refused(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "minting.not_for_approval"
    assert strict_sts.asked == []


def test_what_the_caller_narrowed_holds_for_every_call(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    mine = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::reports/*"}
    found = given(
        edge.admit_one(
            assume(
                keys,
                role(billing_account),
                Policy=json.dumps({"Version": "2012-10-17", "Statement": [mine]}),
                PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}],
                ExternalId="theirs-7",
                Tags=[{"Key": "team", "Value": "billing"}],
                TransitiveTagKeys=["team"],
            )
        ),
        acme,
        "AssumeRole",
    )
    ready.asked.clear()
    assert edge.admit_one(found.keys.call("s3", "get_object", Bucket="reports", Key="k")).kind is VerdictKind.FORWARD
    [asked] = [one for one in ready.asked if one["RoleArn"] == role(billing_account)]
    told = (asked["ExternalId"], asked["Tags.member.3.Key"], asked["TransitiveTagKeys.member.1"])
    assert told == ("theirs-7", "team", "team")
    assert asked["PolicyArns.member.1.arn"] == "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    home = {"aws_RequestedRegion": "eu-central-1", "aws_ResourceAccount": billing_account.account_id}
    policy = asked["Policy"]
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::reports/k", **home)
    # A write misread as this read could not be done with this session, whatever its maker had allowed himself.
    assert not allows(policy, "s3:PutObject", "arn:aws:s3:::reports/k", **home)
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::payroll/k", **home)
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::reports/k", **(home | {"aws_ResourceAccount": "9" * 12}))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a role of another account": ({"RoleArn": "arn:aws:iam::999999999999:role/x"}, "minting.foreign_role"),
    "no role": ({"RoleArn": "arn:aws:iam::123456789012:user/somebody"}, "minting.malformed"),
    "a session name STS refuses": ({"RoleSessionName": "a b"}, "minting.malformed"),
    "too long": ({"DurationSeconds": 43_201}, "minting.malformed"),
    "no policy": ({"Policy": "{}"}, "connections.session_policy_malformed"),
    "a policy with a name twice": (
        {"Policy": '{"Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}'},
        "connections.session_policy_malformed",
    ),
    "a policy that leaves no room": (
        {"Policy": '{"Statement":[{"Effect":"Allow","Action":"' + "s3:Get*" * 270 + '","Resource":"*"}]}'},
        "connections.session_policy_too_large",
    ),
    "a one-time code": ({"SerialNumber": "arn:aws:iam::123456789012:mfa/alice", "TokenCode": "123456"}, "minting.mfa"),
    "another's identity": ({"SourceIdentity": "bob"}, "minting.identity_is_set"),
    "a tag of ours": ({"Tags": [{"Key": "hoopweb:tenant", "Value": "other"}]}, "minting.malformed"),
    "a tag twice": ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "minting.malformed"),
    "a transitive tag it has not": ({"TransitiveTagKeys": ["team"]}, "minting.malformed"),
    "a foreign kind of policy": ({"PolicyArns": [{"arn": "arn:aws:s3:::bucket-of-policies"}]}, "minting.malformed"),
}


@pytest.mark.parametrize(("changed", "code"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_asked_for_is_refused_by_name(
    ready: StrictSts,
    edge: EdgeLife,
    keys: Keys,
    acme: Tenant,
    billing_account: Connection,
    changed: dict[str, Any],
    code: str,
) -> None:
    admission = assume(keys, role(billing_account), **changed)
    assert edge.admit_one(admission).kind is VerdictKind.REFUSE
    assert row_of(acme, admission).refusal_code == code


def test_a_narrowed_key_cannot_shake_its_limits_off(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    narrow = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}'
    arn = role(billing_account)
    found = given(edge.admit_one(assume(keys, arn, Policy=narrow)), acme, "AssumeRole")
    admission = assume(found.keys, arn)
    assert edge.admit_one(admission).kind is VerdictKind.REFUSE
    assert row_of(acme, admission).refusal_code == "minting.narrowed_already"
    ready.asked.clear()
    edge.admit_one(assume(found.keys, role(billing_account, "beyond")))
    way = next(one["Policy"] for one in ready.asked if one["RoleArn"] == arn)
    assert not allows(way, "sts:AssumeRole", role(billing_account, "beyond"), aws_RequestedRegion="us-east-1")


def test_a_chain_has_an_end(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    held = keys
    for number in range(3):
        held = given(edge.admit_one(assume(held, role(billing_account, f"r{number}"))), acme, "AssumeRole").keys
    admission = assume(held, role(billing_account, "r3"))
    assert edge.admit_one(admission).kind is VerdictKind.REFUSE
    assert row_of(acme, admission).refusal_code == "minting.chain_too_long"


def test_a_call_misread_as_a_read_is_signed_by_a_session_that_cannot_write(
    assumed: Given, ready: StrictSts, edge: EdgeLife, billing_account: Connection
) -> None:
    ready.asked.clear()
    fresh = role(billing_account, "fresh-reader")
    edge.admit_one(assume(assumed.keys, fresh))
    [asked] = [one for one in ready.asked if one["RoleArn"] == fresh]
    assert asked["PolicyArns.member.1.arn"] == "arn:aws:iam::aws:policy/ReadOnlyAccess"
    home = {"aws_RequestedRegion": "eu-central-1", "aws_ResourceAccount": billing_account.account_id}
    for write in ("s3:PutObject", "dynamodb:DeleteTable", "iam:CreateUser", "sts:AssumeRole"):
        assert not allows(asked["Policy"], write, **home)
