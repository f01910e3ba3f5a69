"""Adding an AWS account: strictly checked, with an ExternalId of ours, as a draft, and written down."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from audit.models import Event
from gateway.connections import selectors, services
from gateway.connections.models import Connection, ConnectionState, Credential, OpaquePayloads
from gateway.connections.problems import (
    ConnectionMalformed,
    ConnectionNameTaken,
    ConnectionNotActive,
    ConnectionUnknown,
)
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from tests.people import NOW

GOOD = {
    "name": "sandbox",
    "account_id": "123456789012",
    "role_arn": "arn:aws:iam::123456789012:role/hoopweb",
    "regions": ["eu-west-1", "us-east-1"],
}


def create(tenant: Tenant, **changes: Any) -> Connection:
    with in_tenant(tenant):
        return services.create_connection(
            tenant=tenant, observe_only=False, by_label="sam", now=NOW, random=os.urandom, **{**GOOD, **changes}
        )


def events(tenant: Tenant, kind: str) -> list[dict[str, Any]]:
    with in_tenant(tenant):
        rows = Event.objects.for_tenant(tenant).filter(kind=kind).order_by("sequence")
        return [json.loads(bytes(row.body)) for row in rows]


def test_a_new_connection_is_a_draft_and_leaves_its_event(acme: Tenant) -> None:
    made = create(acme)
    assert made.state == ConnectionState.DRAFT
    (event,) = events(acme, "connection.created")
    assert event["subject"] == str(made.pk)
    assert event["data"] == {"by": "sam", "connection": "sandbox", "name": "sandbox", "what": GOOD["role_arn"]}


def test_the_external_id_is_ours_and_never_the_same_twice(acme: Tenant, globex: Tenant) -> None:
    ids = {create(acme).external_id, create(acme, name="other").external_id, create(globex).external_id}
    assert len(ids) == 3
    assert all(one.startswith("hoopweb-") and len(one) >= 32 for one in ids)


def test_the_external_id_is_in_no_event(acme: Tenant) -> None:
    made = create(acme)
    assert made.external_id not in json.dumps(events(acme, "connection.created"))


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": "12345678901"},
        {"account_id": "1234567890123"},
        {"account_id": "12345678901\n"},
        {"account_id": "१२३४५६७८९०१२"},
        {"role_arn": "arn:aws:iam::999999999999:role/hoopweb"},
        {"role_arn": "arn:aws:iam::123456789012:user/hoopweb"},
        {"role_arn": "arn:aws-cn:iam::123456789012:role/hoopweb"},
        {"role_arn": "arn:aws:iam::123456789012:role/"},
        {"role_arn": "arn:aws:iam::123456789012:role/a b"},
        {"role_arn": "arn:aws:iam::123456789012:role/a\n"},
        {"regions": []},
        {"regions": ["cn-north-1"]},
        {"regions": ["aws-global"]},
        {"regions": ["eu-west-1", "atlantis-1"]},
        {"name": "Sandbox"},
        {"name": ""},
        {"name": "a" * 81},
        {"name": "-a"},
    ],
)
def test_what_is_no_account_role_or_region_is_refused(acme: Tenant, change: dict[str, Any]) -> None:
    with pytest.raises(ConnectionMalformed):
        create(acme, **change)
    assert events(acme, "connection.created") == []


def test_roles_may_stand_under_a_path(acme: Tenant) -> None:
    assert create(acme, role_arn="arn:aws:iam::123456789012:role/teams/data/hoopweb").role_arn.endswith("/hoopweb")


def test_a_name_is_taken_within_its_tenant_only(acme: Tenant, globex: Tenant) -> None:
    create(acme)
    create(globex)
    with pytest.raises(ConnectionNameTaken):
        create(acme)


def test_a_region_named_twice_counts_once(acme: Tenant) -> None:
    assert create(acme, regions=["eu-west-1", "eu-west-1"]).regions == ["eu-west-1"]


def test_another_tenants_connection_is_unknown(acme: Tenant, globex: Tenant) -> None:
    theirs = create(globex)
    with in_tenant(acme), pytest.raises(ConnectionUnknown):
        selectors.connection(acme, theirs.pk)


def test_a_draft_is_not_used(acme: Tenant) -> None:
    made = create(acme)
    with in_tenant(acme), pytest.raises(ConnectionNotActive, match="draft"):
        selectors.active_connection(acme, made.pk)


def test_a_tenants_own_keys_are_sealed_and_opened_for_sts_alone(acme: Tenant) -> None:
    made = create(acme)
    with in_tenant(acme):
        services.keep_credential(
            tenant=acme,
            connection_id=made.pk,
            access_key_id="AKIAIOSFODNN7EXAMPLE",
            plaintext_secret="a-tenants-long-lived-secret",
            by_label="sam",
            now=NOW,
        )
        kept = Credential.objects.for_tenant(acme).get()
        target = selectors.role_target(acme, selectors.connection(acme, made.pk))
    assert b"a-tenants-long-lived-secret" not in bytes(kept.sealed_secret)
    assert target.base is not None
    assert (target.base.access_key_id, target.base.secret_access_key) == (
        "AKIAIOSFODNN7EXAMPLE",
        "a-tenants-long-lived-secret",
    )
    assert "a-tenants-long-lived-secret" not in repr(target)
    assert "a-tenants-long-lived-secret" not in json.dumps(events(acme, "connection.changed"))


@pytest.mark.parametrize("name", ["ASIAIOSFODNN7EXAMPLE", "AKIA", "akiaiosfodnn7example"])
def test_only_long_lived_keys_are_kept(acme: Tenant, name: str) -> None:
    made = create(acme)
    with in_tenant(acme), pytest.raises(ConnectionMalformed):
        services.keep_credential(
            tenant=acme, connection_id=made.pk, access_key_id=name, plaintext_secret="x" * 40, by_label="sam", now=NOW
        )


def test_suspending_stops_use_and_lifting_it_asks_for_a_test_again(acme: Tenant) -> None:
    made = create(acme)
    with in_tenant(acme):
        asked: dict[str, Any] = {"tenant": acme, "connection_id": made.pk, "by_label": "sam", "now": NOW}
        for _ in range(2):
            suspended = services.switch_connection(**asked, is_suspended=True, reason="key found in a gist")
            assert suspended.state == ConnectionState.SUSPENDED
        assert services.switch_connection(**asked, is_suspended=False).state == ConnectionState.DRAFT
    facts = [event["data"] for event in events(acme, "connection.changed")]
    assert [one["what"] for one in facts] == ["suspended", "suspension lifted"]
    assert facts[0]["reason"] == "key found in a gist"


def test_lifting_what_is_not_suspended_changes_nothing(acme: Tenant) -> None:
    made = create(acme)
    with in_tenant(acme):
        asked: dict[str, Any] = {"tenant": acme, "connection_id": made.pk, "by_label": "sam", "now": NOW}
        assert services.switch_connection(**asked, is_suspended=False).state == ConnectionState.DRAFT
    assert events(acme, "connection.changed") == []


def test_observing_is_switched_with_an_event_and_keeps_the_state(acme: Tenant) -> None:
    made = create(acme)
    with in_tenant(acme):
        services.set_observe_only(tenant=acme, connection_id=made.pk, observe_only=True, by_label="sam", now=NOW)
        found = selectors.connection(acme, made.pk)
    assert (found.observe_only, found.state) == (True, ConnectionState.DRAFT)
    assert [event["data"]["what"] for event in events(acme, "connection.changed")] == ["observes only"]


def test_what_becomes_of_unreadable_payloads_is_withholding_until_it_is_chosen_otherwise(acme: Tenant) -> None:
    made = create(acme)
    asked: dict[str, Any] = {"tenant": acme, "connection_id": made.pk, "by_label": "sam", "now": NOW}
    assert made.opaque_payloads == OpaquePayloads.WITHHOLD
    with in_tenant(acme):
        for _ in range(2):
            services.choose_opaque_payloads(**asked, choice=OpaquePayloads.PASS)
        found = selectors.connection(acme, made.pk)
    assert (found.opaque_payloads, found.state) == (OpaquePayloads.PASS, ConnectionState.DRAFT)
    facts = [event["data"]["what"] for event in events(acme, "connection.changed")]
    assert facts == ["payloads that cannot be read: pass"]


def test_further_accounts_are_none_until_chosen_each_once_and_said_again_is_no_second_event(acme: Tenant) -> None:
    made = create(acme)
    asked: dict[str, Any] = {"tenant": acme, "connection_id": made.pk, "by_label": "sam", "now": NOW}
    assert made.further_accounts == []
    with in_tenant(acme):
        for _ in range(2):
            services.open_accounts(
                **asked, account_ids=["444455556666", made.account_id, "222233334444", "444455556666"]
            )
        found = selectors.connection(acme, made.pk)
        assert found.further_accounts == ["222233334444", "444455556666"]
        assert selectors.role_target(acme, found).accounts == (made.account_id, "222233334444", "444455556666")
        services.open_accounts(**asked, account_ids=[])
    facts = [event["data"]["what"] for event in events(acme, "connection.changed")]
    assert facts == ["may also reach 222233334444, 444455556666", "reaches its own account only"]


@pytest.mark.parametrize(
    "accounts",
    [["12345678901"], ["*"], ["123456789012\n"], ["\u0661" * 12], [f"{number:012d}" for number in range(11)]],
)
def test_what_is_no_list_of_accounts_is_refused_and_nothing_changes(acme: Tenant, accounts: list[str]) -> None:
    made = create(acme)
    with in_tenant(acme):
        with pytest.raises(ConnectionMalformed):
            services.open_accounts(tenant=acme, connection_id=made.pk, account_ids=accounts, by_label="sam", now=NOW)
        assert selectors.connection(acme, made.pk).further_accounts == []
