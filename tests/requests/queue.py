"""Two transactions made to meet at the tenant's ledger head, in a known order: what deadlocks does so every time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, transaction

from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant

T = TypeVar("T")
LONGEST_WAIT_SECONDS = 30


def one_after_the_other_at_the_ledger(tenant: Tenant, acts: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    """Hold the head; start each act once the one before waits for it; let go. Returns results or what was raised."""

    def run(act: Callable[[], T]) -> T:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=len(acts)) as pool:
        with transaction.atomic(), in_tenant(tenant), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM audit_ledgerhead WHERE tenant_id = %s FOR UPDATE", [tenant.pk])
            futures = []
            for number, act in enumerate(acts, start=1):
                futures.append(pool.submit(run, act))
                _wait_until_waiting(number)
        return [future.exception(LONGEST_WAIT_SECONDS) or future.result() for future in futures]


def _wait_until_waiting(count: int) -> None:
    """Until so many transactions wait for a lock."""
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0] >= count:
                return
        time.sleep(0.01)
    raise TimeoutError(f"{count} transactions never waited at once")
