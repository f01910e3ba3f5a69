"""Asking AWS holds no transaction: over REST and on the page, the test button's work is done between two of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from gateway.connections.models import Connection
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import api_of, is_problem
from tests.connections.strict_sts import StrictSts

OPEN = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()
"""


def counting(found: list[int]) -> Callable[[], None]:
    """Counts, each time STS is asked, the transactions that wait for it; its thread has a connection of its own."""

    def watch() -> None:
        with connection.cursor() as cursor:
            cursor.execute(OPEN)
            found.append(cursor.fetchone()[0])
        connection.close()

    return watch


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("idempotency_key", [None, "once"])
def test_the_api_tests_a_connection_between_transactions(
    acme: Tenant, billing_account: Connection, strict_sts: StrictSts, idempotency_key: str | None
) -> None:
    strict_sts.external_id = billing_account.external_id
    strict_sts.account = billing_account.account_id
    waiting: list[int] = []
    strict_sts.watch = counting(waiting)
    api = api_of(acme, None, Right.CONNECTIONS_WRITE)
    path = f"connections/{billing_account.pk}/test/"
    answer = api.post(path, {}, idempotency_key=idempotency_key)
    assert answer.status_code == 200, answer.content
    assert answer.json()["test_report"]["is_passed"]
    assert waiting == [0, 0, 0]
    with in_tenant(acme):
        assert Connection.objects.for_tenant(acme).get(pk=billing_account.pk).tested_at is not None
    again = api.post(path, {}, idempotency_key=idempotency_key)
    assert again.json()["tested_at"][:10] == answer.json()["tested_at"][:10]
    assert len(waiting) == (3 if idempotency_key else 6)


@pytest.mark.django_db(transaction=True)
def test_a_test_that_could_not_begin_frees_its_key(acme: Tenant, strict_sts: StrictSts) -> None:
    api = api_of(acme, None, Right.CONNECTIONS_WRITE)
    for _ in range(2):
        answer = api.post(f"connections/{acme.pk}/test/", {}, idempotency_key="again")
        assert is_problem(answer, 404, "connections.unknown")
