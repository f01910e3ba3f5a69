"""How many different resources a session has touched: exact, for the next call of the batch too, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from django.db import connection

from audit.models import Session
from audit.sessions import MOST_RESOURCES, Added, bump_counters
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Admission, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.world import EVERYTHING, EdgeLife, Keys, publish_text

AT_MOST_TWO = (
    EVERYTHING + '@id("at-most-two") forbid (principal, action in Action::"class:Read", resource) '
    "when { context.session.distinct_resources >= 2 };"
)
FORWARD, REFUSE = VerdictKind.FORWARD, VerdictKind.REFUSE


def session_of(tenant: Tenant) -> Session:
    with in_tenant(tenant):
        found: Session = Session.objects.for_tenant(tenant).get()
    return found


def kept(tenant: Tenant) -> int:
    with in_tenant(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_sessionresource")
        return int(cursor.fetchone()[0])


def read(keys: Keys, name: str) -> Admission:
    return keys.call("dynamodb", "get_item", TableName=name, Key={"id": {"S": "1"}})


def test_a_resource_counts_once_however_often_it_is_read(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, EVERYTHING)
    edge.admit_one(read(keys, "orders"))
    edge.admit(read(keys, "orders"), read(keys, "orders"), read(keys, "people"))
    edge.admit_one(read(keys, "people"))
    assert (session_of(acme).distinct_resources, session_of(acme).calls, kept(acme)) == (2, 5, 2)


def test_the_next_call_of_the_same_batch_knows(strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    publish_text(acme, AT_MOST_TWO)
    batch = [read(keys, name) for name in ("a-table", "a-table", "b-table", "c-table")]
    assert [verdict.kind for verdict in edge.admit(*batch)] == [FORWARD, FORWARD, FORWARD, REFUSE]


def test_the_next_batch_knows_and_a_refused_call_touched_nothing(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, AT_MOST_TWO)
    for name in ("a-table", "b-table"):
        assert edge.admit_one(read(keys, name)).kind is FORWARD
    assert edge.admit_one(read(keys, "c-table")).kind is REFUSE
    assert session_of(acme).distinct_resources == 2


def touch(tenant: Tenant, session_id: UUID, digests: list[str]) -> None:
    with in_tenant(tenant):
        added = Added(id=session_id, now=datetime.now(UTC), resources=tuple(digests))
        bump_counters(tenant_id=tenant.pk, added=[added])


def test_no_more_than_the_bound_is_kept_and_the_count_stays_there(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, EVERYTHING)
    edge.admit_one(read(keys, "orders"))
    session_id = session_of(acme).pk
    touch(acme, session_id, [str(uuid4()) for _ in range(MOST_RESOURCES + 5)])
    touch(acme, session_id, [str(uuid4())])
    assert (session_of(acme).distinct_resources, kept(acme)) == (MOST_RESOURCES, MOST_RESOURCES)


def test_what_one_tenant_touched_is_no_other_tenants(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, globex: Tenant
) -> None:
    publish_text(acme, EVERYTHING)
    edge.admit_one(read(keys, "orders"))
    assert (kept(acme), kept(globex)) == (1, 0)
