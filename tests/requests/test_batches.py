"""Batches: in the order asked, tenants apart, one bad item for itself, a resent one answered as before."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.db import connection

from audit.models import Session
from gateway.connections.models import Connection
from gateway.identity.models import Agent, GatewayKey, User
from gateway.identity.services import revoke_gateway_key
from gateway.requests.models import ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.aws.parsing import parse
from gateway.wire.contract import Admission, VerdictKind
from gateway.wire.request import WireRequest
from tests.connections.strict_sts import StrictSts
from tests.people import account
from tests.races import at_once
from tests.requests.queue import one_after_the_other_at_the_ledger
from tests.requests.world import (
    EVERYTHING,
    EdgeLife,
    Keys,
    again,
    enrolled,
    events_of,
    is_recorded,
    keys_of,
    kinds_of,
    publish_text,
    refusal_counts,
    row_of,
)

TARGET = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"}


def listing(keys: Keys) -> Admission:
    return keys.call("secretsmanager", "list_secrets")


def test_two_tenants_in_one_batch_stay_apart(
    ready: StrictSts, keys: Keys, acme: Tenant, globex: Tenant, mallory: User
) -> None:
    publish_text(globex, '@id("none") forbid (principal, action, resource);')
    both = enrolled(acme, globex, name="edge-of-both")
    theirs = keys_of(globex, mallory, account(globex, "globex"))
    items = [listing(theirs), listing(keys), listing(theirs), listing(keys)]
    verdicts = both.admit(*items)
    assert [verdict.id for verdict in verdicts] == [item.id for item in items]
    assert [verdict.kind.value for verdict in verdicts] == ["refuse", "forward"] * 2
    assert [row_of(globex, item).state for item in items[::2]] == ["refused"] * 2
    assert [row_of(acme, item).state for item in items[1::2]] == ["admitted"] * 2
    assert not is_recorded(acme, items[0])
    assert not is_recorded(globex, items[1])


HOSTILE = [
    b'{"SecretId": "a\\u0000b"}',
    b'{"SecretId": "a\\ud800b"}',
    b'{"SecretId": "\\udfff", "VersionStage": "\\u0000"}',
    '{"SecretId": "\u202e\U0010ffff"}'.encode(),
    b'{"SecretId": "' + b"x" * 5000 + b'"}',
    b'{"SecretId": "a", "\\u0000": 1}',
    b'{"SecretId": "a", "Unknown\\ud83d": {"deep": [1e999, -1e999]}}',
    b'{"SecretId": ' + b'{"a":' * 400 + b"1" + b"}" * 401,
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_harm_no_neighbour(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, body: bytes
) -> None:
    hostile = keys.sign(method="POST", target="/", headers=TARGET, body=body, service="secretsmanager")
    neighbour = listing(keys)
    verdicts = edge.admit(neighbour, hostile)
    assert verdicts[0].kind is VerdictKind.FORWARD
    # Whatever is said of it, it is written down, and its event can be read again.
    assert row_of(acme, hostile).state in ("admitted", "refused")
    assert len(events_of(acme, hostile.id)) == 1


def test_hostile_scopes_harm_no_neighbour(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    long = keys.sign(method="POST", target="/", headers=TARGET, body=b"{}", service="s" * 300, region="r" * 300)
    unmodelled = keys.sign(
        method="POST",
        target="/",
        headers={**TARGET, "X-Amz-Target": "secretsmanager." + "N" * 400},
        body=b"{}",
        service="secretsmanager",
    )
    form = keys.sign(
        method="POST",
        target="/",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=b"Action=Get%00Caller&Version=2011-06-15",
        service="sts",
    )
    verdicts = edge.admit(long, unmodelled, form, listing(keys))
    assert [verdict.kind.value for verdict in verdicts] == ["refuse", "refuse", "refuse", "forward"]
    for odd in (unmodelled, form):
        assert row_of(acme, odd).state == "refused"
        assert kinds_of(acme, odd) == ["request.refused"]


def test_what_an_edge_says_of_the_source_harms_nothing(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    odd = again(listing(keys), source="\x00" + "9" * 500)
    assert edge.admit_one(odd).kind is VerdictKind.FORWARD
    assert row_of(acme, odd).source.startswith("\\u0000999")


def test_a_key_that_does_not_open_harms_no_neighbour(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, alice: User, billing_account: Connection
) -> None:
    broken = keys_of(acme, alice, billing_account)
    with in_tenant(acme):
        GatewayKey.objects.for_tenant(acme).filter(pk=broken.row.pk).update(sealed_secret=b"not sealed")
    verdicts = edge.admit(listing(broken), listing(keys))
    assert [verdict.kind.value for verdict in verdicts] == ["refuse", "forward"]
    assert refusal_counts() == {"sealing.broken": 1}


def test_what_nobody_foresaw_in_one_item_is_its_own_refusal(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse_with_a_fault(request: WireRequest, service: str, region: str) -> Any:
        if request.header("x-poison"):
            raise ZeroDivisionError
        return parse(request, service, region)

    # No parser of ours is known to fail so; the rule must hold on the day one does.
    monkeypatch.setattr("gateway.requests.examine.parse", parse_with_a_fault)
    poison = again(listing(keys), headers=(*listing(keys).headers, ("X-Poison", "1")))
    verdicts = edge.admit(listing(keys), poison, listing(keys))
    assert [verdict.kind.value for verdict in verdicts] == ["forward", "refuse", "forward"]
    assert row_of(acme, poison).refusal_code == "requests.not_examined"
    assert kinds_of(acme, poison) == ["request.refused"]


@pytest.mark.django_db(transaction=True)
def test_a_resent_batch_gets_the_same_answers_and_no_second_event(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    items = [listing(keys), keys.call("secretsmanager", "list_secrets", region="ap-south-1"), listing(keys)]
    first, events = edge.admit(*items), events_of(acme)
    second = edge.admit(*items)
    assert [one.kind for one in second] == [one.kind for one in first]
    assert [one.commitment_salt for one in second] == [one.commitment_salt for one in first]
    assert second[1] == first[1]
    agents = [dict(one.upstream.headers)["user-agent"] for one in (first[0], second[0]) if one.upstream]
    assert agents[0] == agents[1]
    assert events_of(acme) == events


@pytest.mark.django_db(transaction=True)
def test_a_batch_resent_with_more_writes_down_what_is_new(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    known, new = listing(keys), listing(keys)
    edge.admit(known)
    assert [verdict.kind.value for verdict in edge.admit(new, known)] == ["forward", "forward"]
    assert kinds_of(acme, known) == kinds_of(acme, new) == ["request.admitted"]


@pytest.mark.django_db(transaction=True)
def test_a_permission_is_not_given_again_once_the_key_is_revoked(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    item = listing(keys)
    edge.admit(item)
    with in_tenant(acme):
        GatewayKey.objects.for_tenant(acme).filter(pk=keys.row.pk).update(revoked_at=keys.now)
    assert edge.admit_one(item).kind is VerdictKind.REFUSE
    assert row_of(acme, item).state == "not_sent"
    assert kinds_of(acme, item) == ["request.admitted", "request.not_sent"]


@pytest.mark.django_db(transaction=True)
def test_another_edge_does_not_get_the_answer(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    item = listing(keys)
    edge.admit(item)
    verdict = enrolled(acme, name="edge-2").admit_one(item)
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    assert b"id was used" in verdict.answer.body


def test_policy_sees_what_the_same_batch_did_before(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(
        acme,
        EVERYTHING + '@id("few") forbid (principal, action, resource) when { context.session.deletes >= 2 };',
    )
    items = [keys.call("secretsmanager", "delete_secret", SecretId=f"s{number}") for number in range(4)]
    assert [verdict.kind.value for verdict in edge.admit(*items)] == ["forward", "forward", "refuse", "refuse"]
    with in_tenant(acme):
        session = Session.objects.for_tenant(acme).get()
    # A delete that was refused deleted nothing.
    assert (session.calls, session.refused, session.deletes) == (4, 2, 2)
    assert edge.admit_one(keys.call("secretsmanager", "delete_secret", SecretId="s9")).kind is VerdictKind.REFUSE


# -- with real transactions, at the same moment


@pytest.mark.django_db(transaction=True)
def test_a_batch_posted_twice_at_once_is_written_once(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    edge.admit(listing(keys))
    items = [listing(keys) for _ in range(5)]
    answers = at_once([partial(edge.admit, *items), partial(edge.admit, *items[::-1]), partial(edge.admit, *items[2:])])
    for answer in answers:
        assert isinstance(answer, list), answer
        assert {verdict.kind for verdict in answer} == {VerdictKind.FORWARD}
    for item in items:
        assert kinds_of(acme, item) == ["request.admitted"]
    with in_tenant(acme):
        assert Session.objects.for_tenant(acme).get().calls == 6


@pytest.mark.django_db(transaction=True)
def test_batches_of_several_sessions_do_not_wait_in_a_ring(
    ready: StrictSts, edge: EdgeLife, acme: Tenant, alice: User, billing_agent: Agent, billing_account: Connection
) -> None:
    several = [keys_of(acme, alice, billing_account, conversation=f"conv-{number}") for number in range(4)]

    def batch(order: int) -> list[str]:
        return [verdict.kind.value for verdict in edge.admit(*(listing(one) for one in several[::order]))]

    assert at_once([partial(batch, 1), partial(batch, -1)] * 2) == [["forward"] * 4] * 4
    with in_tenant(acme):
        assert sorted(Session.objects.for_tenant(acme).values_list("calls", flat=True)) == [4] * 4
        assert [kind for kind, _ in events_of(acme)].count("session.opened") == 4
        assert ProxiedRequest.objects.for_tenant(acme).count() == 16


@pytest.mark.django_db(transaction=True)
def test_revoking_keys_and_using_them_at_the_same_moment_both_succeed(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    edge.admit(listing(keys))
    item = listing(keys)

    def call() -> str:
        return edge.admit_one(item).kind.value

    def revoke() -> str:
        with in_tenant(acme):
            revoke_gateway_key(tenant=acme, key_id=keys.row.pk, by_label="bob", now=keys.now)
        return "revoked"

    # Both come to the ledger's lock, one after the other; what each holds by then must not be what the other needs.
    assert one_after_the_other_at_the_ledger(acme, [call, revoke]) == ["forward", "revoked"]
    assert edge.admit_one(listing(keys)).kind is VerdictKind.REFUSE


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_forwards_nothing(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, as_owner: Any
) -> None:
    item = listing(keys)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("REVOKE INSERT ON requests_proxiedrequest FROM hoopweb_app")
    try:
        with pytest.raises(Exception, match="permission denied"):
            edge.admit(item)
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("GRANT INSERT ON requests_proxiedrequest TO hoopweb_app")
    assert not is_recorded(acme, item)
    assert events_of(acme, item.id) == []
    # Ids make it safe to ask again.
    assert edge.admit_one(item).kind is VerdictKind.FORWARD
