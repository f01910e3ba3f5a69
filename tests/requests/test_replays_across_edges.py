"""A change is let through once for one signature, whichever edge its copy comes by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest

from gateway.requests import replays
from gateway.requests.models import Sighting
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Admission, Verdict, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.races import at_once
from tests.requests.world import EdgeLife, Keys, again, enrolled, kinds_of, row_of

# A batch without asked calls is one statement of its own: what it undoes must not be the test's transaction.
pytestmark = pytest.mark.django_db(transaction=True)


def write(keys: Keys) -> Admission:
    return keys.call(
        "sqs", "send_message", QueueUrl="https://sqs.eu-central-1.amazonaws.com/123456789012/q", MessageBody="x"
    )


def copy_of(item: Admission, *, later: float = 0.0, renamed: bool = False) -> Admission:
    """The same signed bytes once more, `later` seconds after; what is not signed can be renamed."""
    names = {"amz-sdk-invocation-id": "another"} if renamed else {}
    headers = tuple((name, names.get(name.lower(), value)) for name, value in item.headers)
    return msgspec.structs.replace(again(item), headers=headers, received_at=item.received_at + later)


@pytest.fixture
def other(acme: Tenant) -> EdgeLife:
    return enrolled(acme, name="edge-2")


def kept(acme: Tenant) -> int:
    with in_tenant(acme):
        return int(Sighting.objects.for_tenant(acme).count())


def test_a_copy_by_another_edge_is_refused_and_on_record(
    ready: StrictSts, edge: EdgeLife, other: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    item = write(keys)
    assert edge.admit_one(item).kind is VerdictKind.FORWARD
    copy = copy_of(item)
    verdict = other.admit_one(copy)
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    assert b"Sign each request anew" in verdict.answer.body
    assert (row_of(acme, copy).state, row_of(acme, copy).refusal_code) == ("refused", "wire.request_replayed")
    assert kinds_of(acme, copy) == ["request.refused"]


def test_nor_does_renaming_what_is_not_signed_help_after_a_moment(
    ready: StrictSts, edge: EdgeLife, other: EdgeLife, keys: Keys
) -> None:
    item = write(keys)
    edge.admit_one(item)
    assert other.admit_one(copy_of(item, renamed=True, later=20)).kind is VerdictKind.REFUSE


def test_two_clients_that_sign_alike_in_one_second_both_pass(
    ready: StrictSts, edge: EdgeLife, other: EdgeLife, keys: Keys
) -> None:
    item = write(keys)
    assert edge.admit_one(item).kind is VerdictKind.FORWARD
    assert other.admit_one(copy_of(item, renamed=True, later=1)).kind is VerdictKind.FORWARD


def test_a_copy_in_one_batch_fails_alone(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    item, neighbour = write(keys), keys.call("secretsmanager", "list_secrets")
    verdicts = edge.admit(item, copy_of(item), neighbour)
    assert [one.kind for one in verdicts] == [VerdictKind.FORWARD, VerdictKind.REFUSE, VerdictKind.FORWARD]


def test_the_same_admission_sent_again_has_its_answer(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    item = write(keys)
    assert [edge.admit_one(item).kind for _ in range(2)] == [VerdictKind.FORWARD] * 2


def test_reads_are_not_remembered(ready: StrictSts, edge: EdgeLife, other: EdgeLife, keys: Keys, acme: Tenant) -> None:
    item = keys.call("secretsmanager", "list_secrets")
    assert {edge.admit_one(one).kind for one in (item, copy_of(item, later=30))} == {VerdictKind.FORWARD}
    assert kept(acme) == 0


def test_of_copies_by_two_edges_at_once_one_passes(
    ready: StrictSts, edge: EdgeLife, other: EdgeLife, keys: Keys
) -> None:
    item = write(keys)
    edge.admit_one(keys.call("secretsmanager", "list_secrets"))
    found = at_once([partial(edge.admit_one, item), *[partial(other.admit_one, copy_of(item)) for _ in range(3)]])
    assert all(isinstance(one, Verdict) for one in found)
    assert sum(isinstance(one, Verdict) and one.kind is VerdictKind.FORWARD for one in found) == 1


def test_what_nobody_would_believe_any_more_is_forgotten(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    edge.admit_one(write(keys))
    now = datetime.now(UTC)
    with in_tenant(acme):
        assert replays.forget(tenant_id=acme.pk, now=now + replays.KEPT - timedelta(minutes=1)) == 0
        assert replays.forget(tenant_id=acme.pk, now=now + replays.KEPT + timedelta(minutes=1)) == 1
