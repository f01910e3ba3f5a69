"""What a stolen edge can do and what it cannot: one test for each sentence of docs/security.md that says so.

The thief here has all an edge has: its key, its place on the network, and the code of the edge to change at will.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.connections.models import Connection
from gateway.identity.models import Agent, User
from gateway.requests import edge_keys, edges
from gateway.requests.feed import feed
from gateway.requests.models import Edge
from gateway.requests.problems import BootFenced, EdgeRefused
from gateway.tenants.models import Tenant
from gateway.wire.contract import Admission, FeedRequest, HoldEnd, JournalKeysRequest, Verdict, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.people import account
from tests.requests.asking import Asking
from tests.requests.test_edge_keys import call, offer_of
from tests.requests.test_outcomes import outcome, store
from tests.requests.world import (
    EdgeLife,
    Keys,
    again,
    enrolled,
    events_of,
    is_recorded,
    keys_of,
    kinds_of,
    row_of,
)


def read(keys: Keys, secret: str = "db") -> Admission:
    return keys.call("secretsmanager", "get_secret_value", SecretId=secret)


def authorization(verdict: Verdict) -> str:
    assert verdict.upstream is not None
    return next(value for name, value in verdict.upstream.headers if name.lower() == "authorization")


# -- it can


def test_it_can_use_the_signature_of_an_allowed_call_and_has_nothing_to_sign_another_with(
    ready: StrictSts, edge: EdgeLife, keys: Keys
) -> None:
    one, other = (edge.admit_one(read(keys, name)) for name in ("db", "mail"))
    assert authorization(one) != authorization(other)
    whole = msgspec.msgpack.encode((one, other))
    for secret in (b"session-secret", keys.secret.encode(), b"installation-secret"):
        assert secret not in whole


def test_it_can_lie_once_about_a_call_it_forwarded_and_aws_contradicts_it(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    item = read(keys)
    verdict = edge.admit_one(item)
    store(edge, outcome(item))
    store(edge, outcome(item, status=500, bytes_down=1))
    assert kinds_of(acme, item).count("request.completed") == 1
    assert row_of(acme, item).status == 200
    # The lie does not reach what AWS writes down: the call names its event itself.
    assert verdict.upstream is not None
    agent = next(value for name, value in verdict.upstream.headers if name.lower() == "user-agent")
    assert f"hoopweb/{item.id}#" in agent


def test_it_can_change_its_key_to_one_only_the_thief_has_and_that_is_an_event(edge: EdgeLife, acme: Tenant) -> None:
    thiefs = Ed25519PrivateKey.generate()
    edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, thiefs))
    call(edge, thiefs)
    assert [kind for kind, _ in events_of(acme, edge.identity.id)][-1] == "edge.key_rotated"
    with pytest.raises(EdgeRefused):
        call(edge, edge.key, now=datetime.now(UTC) + edge_keys.OVERLAP + timedelta(seconds=1))


# -- it cannot


def test_it_cannot_make_a_call_nobody_signed(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    item = read(keys)
    body = item.body.replace(b"db", b"root")
    forged = msgspec.structs.replace(again(item), body=body, body_sha256=hashlib.sha256(body).hexdigest())
    elsewhere = msgspec.structs.replace(again(item), target="/?Action=DeleteSecret")
    for made in (forged, elsewhere):
        assert edge.admit_one(made).kind is VerdictKind.REFUSE
        assert not is_recorded(acme, made) or row_of(acme, made).state == "refused"


def test_it_cannot_use_a_client_that_it_saw_once_for_long(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    later = datetime.now(UTC) + timedelta(minutes=6)
    assert edge.admit_one(read(keys), now=later).kind is VerdictKind.REFUSE


def test_it_cannot_choose_the_host(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    upstream = edge.admit_one(read(keys)).upstream
    assert upstream is not None
    assert upstream.host == "secretsmanager.eu-central-1.amazonaws.com"
    item = read(keys)
    named = tuple((name, "evil.example" if name == "Host" else value) for name, value in item.headers)
    assert edge.admit_one(msgspec.structs.replace(item, headers=named)).kind is VerdictKind.REFUSE


def test_it_cannot_bring_calls_of_a_tenant_it_was_not_let_in_for(
    ready: StrictSts, edge: EdgeLife, globex: Tenant, mallory: User
) -> None:
    theirs = keys_of(globex, mallory, account(globex, "theirs"))
    item = read(theirs)
    assert edge.admit_one(item).kind is VerdictKind.REFUSE
    assert not is_recorded(globex, item)


def test_it_cannot_bring_calls_of_a_connection_it_was_not_let_in_for(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection, alice: User
) -> None:
    other = keys_of(acme, alice, account(acme, "payroll"))
    stolen, now = Edge.objects.get(pk=edge.identity.id), datetime.now(UTC)
    edges.let_serve(edge=stolen, tenant_id=acme.pk, connection_id=billing_account.pk, now=now)
    edges.release(edge=stolen, tenant_id=acme.pk, now=now)
    edge.look_again()
    assert edge.admit_one(read(keys)).kind is VerdictKind.FORWARD
    refused = read(other)
    assert edge.admit_one(refused).kind is VerdictKind.REFUSE
    assert not is_recorded(acme, refused)


def test_it_cannot_say_who_the_caller_is(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, alice: User, billing_agent: Agent
) -> None:
    item = read(keys)
    added = (*item.headers, ("X-Hoopweb-Person", "bob"), ("X-Forwarded-User", "bob"))
    edge.admit_one(msgspec.structs.replace(item, headers=added, source="10.0.0.1"))
    assert row_of(acme, item).person_id == alice.pk


def test_it_cannot_read_or_end_what_other_edges_brought(asking: Asking, acme: Tenant) -> None:
    item = asking.terminate()
    asking.hold(item)
    thief = enrolled(acme, name="edge-2")
    answer = thief.admit_one(item).answer
    assert answer is not None
    assert b"approval" not in answer.body.lower()
    ended = FeedRequest(boot=thief.boot, held=(item.id,), ended=(HoldEnd(id=item.id, client_is_gone=True),))
    assert feed(edge=thief.identity, asked=ended, now=datetime.now(UTC)).resolutions == ()
    store(thief, outcome(item))
    assert row_of(acme, item).state == "held"


def test_it_cannot_open_another_edges_journal(edge: EdgeLife, acme: Tenant) -> None:
    thief = enrolled(acme, name="edge-2")
    asked = JournalKeysRequest(boots=(edge.boot,))
    keys = [
        edge_keys.journal_keys(edge_id=one.identity.id, tenants=one.identity.tenants, asked=asked).items[0].key
        for one in (edge, thief)
    ]
    assert keys[0] != keys[1]


@pytest.mark.django_db(transaction=True)
def test_it_cannot_do_anything_within_two_seconds_of_being_revoked(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    assert call(edge, edge.key).id == edge.identity.id
    edges.revoke_edge(name="edge-1", now=datetime.now(UTC))
    # Not by its key, nor by a key it had offered, nor through a process that saw it a second ago.
    with pytest.raises(EdgeRefused):
        call(edge, edge.key)
    with pytest.raises(BootFenced):
        edge.admit_one(read(keys))
    assert Edge.objects.get(pk=edge.identity.id).revoked_at is not None


@pytest.mark.django_db(transaction=True)
def test_it_cannot_admit_from_a_life_that_was_fenced(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    stolen = edge.boot
    edge.start()
    edge.boot, item = stolen, read(keys)
    with pytest.raises(BootFenced):
        edge.admit_one(item)
    assert not is_recorded(acme, item)
