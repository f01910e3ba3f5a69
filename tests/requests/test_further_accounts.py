"""Accounts beside its own that a connection may reach: role chains lead there, calls name what is theirs, AWS is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from gateway.connections.models import Connection
from gateway.connections.services import open_accounts
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import VerdictKind
from tests.connections.iam import allows
from tests.connections.strict_sts import StrictSts
from tests.requests.minted import Given, given
from tests.requests.test_minting import assume
from tests.requests.world import EdgeLife, Keys, publish_text, row_of

OWN, BESIDE, FOREIGN = "123456789012", "444455556666", "999988887777"
LOGS_ROLE = f"arn:aws:iam::{BESIDE}:role/logs"


def choose(tenant: Tenant, connection: Connection, *accounts: str) -> None:
    with in_tenant(tenant):
        open_accounts(
            tenant=tenant,
            connection_id=connection.pk,
            account_ids=accounts,
            by_label="a test",
            now=datetime.now(UTC),
        )


@pytest.fixture
def opened(ready: StrictSts, acme: Tenant, billing_account: Connection) -> StrictSts:
    choose(acme, billing_account, BESIDE)
    return ready


@pytest.fixture
def there(opened: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> Given:
    """Keys of a role in the other account."""
    return given(edge.admit_one(assume(keys, LOGS_ROLE)), acme, "AssumeRole")


def test_a_role_of_an_account_on_the_list_is_assumed(there: Given) -> None:
    assert there.answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{BESIDE}:assumed-role/logs/nightly"


def test_roles_of_every_other_account_stay_shut(
    opened: StrictSts, edge: EdgeLife, keys: Keys, there: Given, acme: Tenant
) -> None:
    for mine in (keys, there.keys):
        admission = assume(mine, f"arn:aws:iam::{FOREIGN}:role/logs")
        assert edge.admit_one(admission).kind is VerdictKind.REFUSE
        assert row_of(acme, admission).refusal_code == "minting.foreign_role"


def test_a_chain_leads_back_home(there: Given, edge: EdgeLife, acme: Tenant) -> None:
    home = given(edge.admit_one(assume(there.keys, f"arn:aws:iam::{OWN}:role/reader")), acme, "AssumeRole")
    assert edge.admit_one(home.keys.call("s3", "list_buckets")).kind is VerdictKind.FORWARD


def test_what_a_call_names_is_read_as_of_the_account_it_is_made_in(there: Given, edge: EdgeLife, acme: Tenant) -> None:
    mine = f"arn:aws:dynamodb:eu-central-1:{BESIDE}:table/t"
    publish_text(
        acme,
        f'@id("t") permit (principal, action == Action::"dynamodb:GetItem", resource == Hoopweb::Resource::"{mine}");',
    )
    call = there.keys.call("dynamodb", "get_item", TableName="t", Key={"id": {"S": "1"}})
    assert edge.admit_one(call).kind is VerdictKind.FORWARD
    assert row_of(acme, call).question["account"] == BESIDE


def test_a_call_made_at_home_is_still_of_the_connections_own_account(
    opened: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    call = keys.call("dynamodb", "get_item", TableName="t", Key={"id": {"S": "1"}})
    edge.admit_one(call)
    assert row_of(acme, call).question["account"] == OWN


def test_calls_may_name_what_is_in_those_accounts_and_nothing_further(
    opened: StrictSts, edge: EdgeLife, keys: Keys
) -> None:
    def kind(account: str) -> VerdictKind:
        return edge.admit_one(keys.call("s3", "get_object", Bucket="b", Key="k", ExpectedBucketOwner=account)).kind

    def queue(account: str) -> VerdictKind:
        url = f"https://sqs.eu-central-1.amazonaws.com/{account}/q"
        return edge.admit_one(keys.call("sqs", "send_message", QueueUrl=url, MessageBody="x")).kind

    assert [kind(one) for one in (OWN, BESIDE, FOREIGN)] == [VerdictKind.FORWARD] * 2 + [VerdictKind.REFUSE]
    assert [queue(one) for one in (OWN, BESIDE, FOREIGN)] == [VerdictKind.FORWARD] * 2 + [VerdictKind.REFUSE]


def test_aws_is_told_the_same_walls(opened: StrictSts, edge: EdgeLife, keys: Keys, there: Given) -> None:
    opened.asked.clear()
    edge.admit_one(there.keys.call("s3", "put_object", Bucket="b", Key="k", Body=b"words"))
    [asked] = [one for one in opened.asked if one["RoleArn"] == LOGS_ROLE]
    here = {"aws_RequestedRegion": "eu-central-1"}
    for account, is_open in ((OWN, True), (BESIDE, True), (FOREIGN, False)):
        assert (
            allows(asked["Policy"], "s3:PutObject", "arn:aws:s3:::b/k", aws_ResourceAccount=account, **here) is is_open
        )
    passing = next(one for one in json.loads(asked["Policy"])["Statement"] if "iam:PassRole" in one.get("Action", ()))
    assert passing["Resource"] == [f"arn:aws:iam::{BESIDE}:role/*"]


def test_the_way_there_may_assume_that_role_and_no_other(opened: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    arn = f"arn:aws:iam::{BESIDE}:role/never-assumed-before"
    opened.asked.clear()
    assert edge.admit_one(assume(keys, arn)).kind is VerdictKind.RESULT
    [way] = [one["Policy"] for one in opened.asked if arn in one["Policy"]]
    here = {"aws_RequestedRegion": "eu-central-1", "aws_ResourceAccount": BESIDE}
    assert allows(way, "sts:AssumeRole", arn, **here)
    assert not allows(way, "sts:AssumeRole", LOGS_ROLE, **here)


def test_an_account_taken_off_the_list_ends_the_keys_that_lead_there(
    there: Given, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    assert edge.admit_one(there.keys.call("s3", "list_buckets")).kind is VerdictKind.FORWARD
    choose(acme, billing_account)
    for service, operation in (("s3", "list_buckets"), ("sts", "get_caller_identity"), ("sts", "get_session_token")):
        admission = there.keys.call(service, operation)
        assert edge.admit_one(admission).kind is VerdictKind.REFUSE
        assert row_of(acme, admission).refusal_code == "connections.foreign_account"
    assert edge.admit_one(keys.call("s3", "list_buckets")).kind is VerdictKind.FORWARD


def test_policy_still_decides_which_role(opened: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    publish_text(
        acme,
        f'@id("l") permit (principal, action == Action::"sts:AssumeRole", resource == Hoopweb::Resource::"{LOGS_ROLE}");',
    )
    assert edge.admit_one(assume(keys, LOGS_ROLE)).kind is VerdictKind.RESULT
    assert edge.admit_one(assume(keys, f"arn:aws:iam::{BESIDE}:role/admin")).kind is VerdictKind.REFUSE
