"""The record's housekeeping, run by beat: room in the ledger before it is needed."""

from __future__ import annotations

from celery import shared_task
from django.db import connection

from audit.models import LedgerHead
from gateway.tenants.scope import all_tenant_ids, in_tenant


@shared_task
def ensure_partitions() -> int:
    """Make partitions past every tenant's head; returns how many were made. Without room an event cannot be written."""
    highest = 0
    for tenant_id in all_tenant_ids():
        with in_tenant(tenant_id):
            head = LedgerHead.objects.filter(tenant_id=tenant_id).first()
            highest = max(highest, head.next_sequence if head else 0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_ensure_partitions(%s)", [highest])
        return int(cursor.fetchone()[0])
