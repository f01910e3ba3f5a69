"""An edge's keys: its own changes without a lost call, and its journals' never rest where the journals do."""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.requests import edge_keys, edges
from gateway.requests.edges import EdgeIdentity
from gateway.requests.feed import feed
from gateway.requests.models import Edge, EdgeBoot
from gateway.requests.problems import EdgeRefused, KeyOfferRefused, MalformedMessage
from gateway.sealing import services as sealing
from gateway.tenants.models import Tenant
from gateway.wire.contract import (
    BootRequest,
    FeedRequest,
    JournalDamage,
    JournalKeysRequest,
    JournalStatement,
    JournalTrouble,
    KeyOffer,
    edge_key_proof,
    edge_string_to_sign,
)
from tests.races import at_once
from tests.requests.world import EdgeLife, enrolled, events_of

PATH = "/api/edge/v1/feed"


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def offer_of(edge: EdgeLife, key: Ed25519PrivateKey) -> KeyOffer:
    proof = key.sign(edge_key_proof(edge_id=edge.identity.id, public_key=public(key)))
    return KeyOffer(public_key=public(key), proof=proof)


def call(edge: EdgeLife, key: Ed25519PrivateKey, *, now: datetime | None = None) -> EdgeIdentity:
    """One call signed by a key, to a process that has not looked the edge up this second."""
    edges._identity.cache_clear()
    at = now or datetime.now(UTC)
    date = str(int(at.timestamp()))
    text = edge_string_to_sign(method="POST", path=PATH, date=date, body_sha256=hashlib.sha256(b"").hexdigest())
    signature = base64.b64encode(key.sign(text)).decode()
    told: dict[str, Any] = {"edge_id": str(edge.identity.id), "date": date, "signature": signature}
    return edges.authenticate(**told, method="POST", path=PATH, body=b"", now=at)


def kinds(tenant: Tenant, subject: uuid.UUID) -> list[str]:
    return [kind for kind, _ in events_of(tenant, subject)]


# -- its own key


def test_the_new_key_counts_from_its_first_call_and_the_old_one_a_little_longer(edge: EdgeLife, acme: Tenant) -> None:
    fresh = Ed25519PrivateKey.generate()
    assert edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, fresh)).after_seconds > 2
    assert call(edge, edge.key).public_key == public(edge.key)
    assert "edge.key_rotated" not in kinds(acme, edge.identity.id)
    call(edge, fresh)
    now = datetime.now(UTC)
    assert call(edge, edge.key).public_key == public(fresh)
    assert kinds(acme, edge.identity.id).count("edge.key_rotated") == 1
    with pytest.raises(EdgeRefused):
        call(edge, edge.key, now=now + edge_keys.OVERLAP + timedelta(seconds=1))
    assert call(edge, fresh, now=now + edge_keys.OVERLAP + timedelta(seconds=1)).id == edge.identity.id


def test_an_edge_that_died_between_offer_and_use_goes_on_with_its_key_and_offers_again(edge: EdgeLife) -> None:
    lost, fresh = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, lost))
    call(edge, edge.key)
    edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, fresh))
    call(edge, fresh)
    with pytest.raises(EdgeRefused):
        call(edge, lost)


def test_a_key_that_did_not_sign_for_this_edge_is_not_taken(edge: EdgeLife, acme: Tenant) -> None:
    other, key = enrolled(acme, name="edge-2"), Ed25519PrivateKey.generate()
    stolen_proof = offer_of(other, key)
    anothers = KeyOffer(public_key=public(key), proof=offer_of(edge, Ed25519PrivateKey.generate()).proof)
    odd = [KeyOffer(public_key=b"short", proof=b""), KeyOffer(public_key=b"\xff" * 32, proof=b"\x00" * 64)]
    for offered in (stolen_proof, anothers, offer_of(edge, other.key), *odd):
        with pytest.raises(KeyOfferRefused):
            edge_keys.offer(edge_id=edge.identity.id, offered=offered)
    with pytest.raises(EdgeRefused):
        call(edge, key)


def test_a_revoked_edge_changes_no_key(edge: EdgeLife, acme: Tenant) -> None:
    fresh = Ed25519PrivateKey.generate()
    edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, fresh))
    edges.revoke_edge(name="edge-1", now=datetime.now(UTC))
    with pytest.raises(EdgeRefused):
        call(edge, fresh)
    with pytest.raises(EdgeRefused):
        edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, Ed25519PrivateKey.generate()))
    assert kinds(acme, edge.identity.id)[-1] == "edge.revoked"
    assert "edge.key_rotated" not in kinds(acme, edge.identity.id)


@pytest.mark.django_db(transaction=True)
def test_many_first_calls_at_once_make_one_change(edge: EdgeLife, acme: Tenant) -> None:
    fresh = Ed25519PrivateKey.generate()
    edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, fresh))
    found = at_once([partial(call, edge, fresh)] * 4)
    assert all(isinstance(one, EdgeIdentity) for one in found)
    assert kinds(acme, edge.identity.id).count("edge.key_rotated") == 1


def test_a_key_is_due_after_a_month_or_when_somebody_asks(edge: EdgeLife) -> None:
    now = datetime.now(UTC)
    edge.look_again()
    assert not feed(edge=edge.identity, asked=FeedRequest(boot=edge.boot), now=now).is_key_due
    assert edge.identity.is_key_due(now + edge_keys.KEY_LIFETIME + timedelta(hours=1))
    assert edge_keys.ask_for_new_keys(name="edge-1") == 1
    edge.look_again()
    assert feed(edge=edge.identity, asked=FeedRequest(boot=edge.boot), now=now).is_key_due
    fresh = Ed25519PrivateKey.generate()
    edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, fresh))
    call(edge, fresh)
    edge.look_again()
    assert not edge.identity.is_key_due(now)


# -- its journals' keys


def keys_of(edge: EdgeLife, *boots: uuid.UUID) -> dict[uuid.UUID, bytes]:
    asked = JournalKeysRequest(boots=boots)
    found = edge_keys.journal_keys(edge_id=edge.identity.id, tenants=edge.identity.tenants, asked=asked)
    return {one.boot: one.key for one in found.items}


def test_each_boot_has_a_key_of_its_own_and_the_same_one_later(edge: EdgeLife) -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    first = keys_of(edge, one, two)
    sealing._keys.clear()
    assert keys_of(edge, two, one) == first
    assert first[one] != first[two]
    assert all(len(key) == 32 for key in first.values())


def test_another_edge_gets_another_key_for_the_same_boot(edge: EdgeLife, acme: Tenant) -> None:
    other = enrolled(acme, name="edge-2")
    assert keys_of(edge, edge.boot) != keys_of(other, edge.boot)


def test_a_tenant_more_does_not_change_the_keys(edge: EdgeLife, globex: Tenant) -> None:
    before = keys_of(edge, edge.boot)
    edges.let_serve(edge=Edge.objects.get(pk=edge.identity.id), tenant_id=globex.pk, now=datetime.now(UTC))
    edge.look_again()
    assert len(edge.identity.tenants) == 2
    assert keys_of(edge, edge.boot) == before


def test_none_too_many_or_the_same_boot_twice_is_malformed(edge: EdgeLife) -> None:
    for boots in ((), (edge.boot, edge.boot), tuple(uuid.uuid4() for _ in range(65))):
        with pytest.raises(MalformedMessage):
            keys_of(edge, *boots)


# -- what journals say


def heard(boot: uuid.UUID) -> int:
    return EdgeBoot.objects.get(pk=boot).journal_records


def test_how_far_a_journal_was_is_remembered_and_never_less(edge: EdgeLife) -> None:
    now = datetime.now(UTC)
    for told, known in ((7, 7), (5, 7), (9, 9)):
        edges.see_boot(edge=edge.identity, boot_id=edge.boot, now=now, journal_records=told)
        assert heard(edge.boot) == known
    found = edge_keys.journal_keys(
        edge_id=edge.identity.id, tenants=edge.identity.tenants, asked=JournalKeysRequest(boots=(edge.boot,))
    )
    assert found.items[0].heard == 9


def test_a_damaged_journal_is_a_finding_and_no_witness(edge: EdgeLife, acme: Tenant) -> None:
    earlier = edge.boot
    said = JournalStatement(boot=earlier, sending=())
    edge.start(statements=(said,), damage=(JournalDamage(boot=earlier, reason=JournalTrouble.ALTERED),))
    [(kind, data)] = events_of(acme, earlier)
    assert (kind, data["reason"]) == ("edge.journal_damaged", "altered")
    assert EdgeBoot.objects.get(pk=earlier).sending is None


def test_a_journal_that_was_there_and_is_gone_is_a_finding(edge: EdgeLife, acme: Tenant) -> None:
    earlier = edge.boot
    edges.see_boot(edge=edge.identity, boot_id=earlier, now=datetime.now(UTC), journal_records=3)
    edge.start()
    [(kind, data)] = events_of(acme, earlier)
    assert (kind, data["reason"]) == ("edge.journal_damaged", "missing")
    second = edge.boot
    edge.start(statements=(JournalStatement(boot=second, sending=()),))
    assert events_of(acme, second) == []


def test_an_edge_reports_no_damage_of_another_edges_boot(edge: EdgeLife, acme: Tenant) -> None:
    other = enrolled(acme, name="edge-2")
    damage = (JournalDamage(boot=other.boot, reason=JournalTrouble.SHORT),)
    edges.register_boot(
        edge=edge.identity,
        boot=BootRequest(boot=uuid.uuid4(), version="1", damage=damage),
        now=datetime.now(UTC),
    )
    assert events_of(acme, other.boot) == []


def test_the_likeliest_key_is_tried_first(edge: EdgeLife) -> None:
    fresh = Ed25519PrivateKey.generate()
    edge_keys.offer(edge_id=edge.identity.id, offered=offer_of(edge, fresh))
    call(edge, fresh)
    edge.look_again()
    assert list(edge.identity.keys(datetime.now(UTC))) == [public(fresh), public(edge.key)]
