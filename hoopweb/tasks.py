"""What beat does about access reviews, each inside its own tenant."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from gateway.tenants.models import Tenant
from gateway.tenants.scope import all_tenant_ids, in_tenant
from hoopweb.reviews.schedule import keep


@shared_task
def keep_access_reviews() -> int:
    """Begin, remind of and tell of every tenant's reviews as its schedule says; returns how many steps were taken."""
    steps = 0
    for tenant_id in all_tenant_ids():
        with in_tenant(tenant_id):
            steps += keep(Tenant.objects.get(pk=tenant_id), timezone.now())
    return steps
