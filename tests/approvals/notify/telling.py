"""How the notice tests go: read on in the ledger, deliver what is due, look what there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from approvals.notify.delivery import channels_due, deliver
from approvals.notify.following import follow
from approvals.notify.models import Notice, NoticeChannel, NoticeDelivery
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant


def followed(tenant: Tenant, *, at: datetime | None = None) -> int:
    with in_tenant(tenant):
        return follow(tenant_id=tenant.pk, now=at or datetime.now(UTC))


def delivered(tenant: Tenant, *, later: timedelta = timedelta(0)) -> int:
    """Send everything that is due; `later` is how far on the clock is."""
    now = datetime.now(UTC) + later
    with in_tenant(tenant):
        due = channels_due(tenant.pk, now)
    return sum(deliver(tenant_id=tenant.pk, channel_id=one, clock=lambda: now) for one in due)


def notices(tenant: Tenant) -> list[Notice]:
    with in_tenant(tenant):
        return list(Notice.objects.for_tenant(tenant).order_by("sequence", "noticed_at"))


def channel_named(tenant: Tenant, name: str) -> NoticeChannel:
    with in_tenant(tenant):
        return NoticeChannel.objects.for_tenant(tenant).get(name=name)


def states(tenant: Tenant) -> list[str]:
    with in_tenant(tenant):
        return list(NoticeDelivery.objects.for_tenant(tenant).order_by("created_at").values_list("state", flat=True))
