"""The record's housekeeping, run by beat: room in the ledger before it is needed, words erased when their time is over."""

from __future__ import annotations

from celery import shared_task
from django.db import connection
from django.utils import timezone

from audit.keeping import BATCH, erase_overdue
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


@shared_task
def erase_old_prompts() -> int:
    """Erase what tenants keep no longer; returns how many prompts. A batch a tenant and transaction, until none is left."""
    erased, now = 0, timezone.now()
    for tenant_id in all_tenant_ids():
        while True:
            with in_tenant(tenant_id):
                count = erase_overdue(tenant_id=tenant_id, now=now)
            erased += count
            if count < BATCH:
                break
    return erased
