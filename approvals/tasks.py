"""What beat does about notices: read on in the ledgers, send what is due, tidy. On the workers for jobs."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from approvals.notify.delivery import channels_due, deliver
from approvals.notify.following import follow
from approvals.notify.tidying import forget_old, give_up_old
from gateway.tenants.scope import all_tenant_ids, in_tenant

log = logging.getLogger("hoopweb.notices")
# A turn nobody began in this time was overtaken by later ones.
_OVERTAKEN_SECONDS = 30


@shared_task
def follow_ledgers() -> int:
    """Make the notices of what every tenant's ledger says since, and start what is due; returns how many were made."""
    made = 0
    for tenant_id in all_tenant_ids():
        now = timezone.now()
        with in_tenant(tenant_id):
            made += follow(tenant_id=tenant_id, now=now)
            due = channels_due(tenant_id, now)
        for channel_id in due:
            _start(tenant_id, channel_id)
    return made


def _start(tenant_id: UUID, channel_id: UUID) -> None:
    try:
        deliver_through.apply_async(
            args=(str(tenant_id), str(channel_id)), retry=False, queue="jobs", expires=_OVERTAKEN_SECONDS
        )
    except OperationalError as error:
        log.warning("the broker is away (%s); notices are sent later", type(error).__name__)


@shared_task
def deliver_through(tenant_id: str, channel_id: str) -> int:
    """Send what is due through one channel; returns how many were taken. Two at once send different ones."""
    return deliver(tenant_id=UUID(tenant_id), channel_id=UUID(channel_id), clock=timezone.now)


@shared_task
def tidy_notices() -> None:
    """Give up and forget what is too old, tenant by tenant."""
    for tenant_id in all_tenant_ids():
        with in_tenant(tenant_id):
            give_up_old(tenant_id=tenant_id, now=timezone.now())
        with in_tenant(tenant_id):
            forget_old(tenant_id=tenant_id, now=timezone.now())
