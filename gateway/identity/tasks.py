"""What beat does about identities: a word before keys end."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.identity.ending import MOST_AT_ONCE, warn
from gateway.tenants.scope import all_tenant_ids, in_tenant


@shared_task
def warn_of_ending_keys() -> int:
    """Warn of every tenant's keys that end soon; returns how many. Each inside its own tenant."""
    warned, now = 0, timezone.now()
    for tenant_id in all_tenant_ids():
        while True:
            with in_tenant(tenant_id):
                count = warn(tenant_id=tenant_id, now=now)
            warned += count
            if count < MOST_AT_ONCE:
                break
    return warned
