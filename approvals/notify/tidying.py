"""What nobody will look at again: notices of last quarter, and what waited a day for a channel that takes nothing."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from approvals.notify.delivery import GIVEN_UP_AFTER
from approvals.notify.models import DeliveryState, Notice, NoticeChannel, NoticeDelivery
from audit.kinds import EventKind
from audit.services import NewEvent, append_all

# The ledger keeps what they told of.
KEPT = timedelta(days=90)
_MOST_AT_ONCE = 2_000


@transaction.atomic
def give_up_old(*, tenant_id: UUID, now: datetime) -> int:
    """Give up what waited too long, with one event a channel; returns how many. Inside the tenant's transaction."""
    rows = NoticeDelivery.objects.for_tenant(tenant_id).filter(
        state=DeliveryState.WAITING, created_at__lt=now - GIVEN_UP_AFTER
    )
    old = list(rows.select_for_update(skip_locked=True).order_by("created_at")[:_MOST_AT_ONCE])
    ids = [one.pk for one in old]
    NoticeDelivery.objects.for_tenant(tenant_id).filter(pk__in=ids).update(state=DeliveryState.GIVEN_UP, ended_at=now)
    counts = Counter(one.channel_id for one in old)
    events = [
        NewEvent(
            kind=EventKind.NOTICE_UNDELIVERED,
            at=now,
            subject=channel.pk,
            data={
                "name": channel.name,
                "count": counts[channel.pk],
                "reason": channel.last_error or "it took too long",
            },
        )
        for channel in NoticeChannel.objects.for_tenant(tenant_id).filter(pk__in=counts).order_by("id")
    ]
    append_all(tenant_id=tenant_id, events=events)
    return len(old)


@transaction.atomic
def forget_old(*, tenant_id: UUID, now: datetime) -> int:
    """Delete notices past their time with their deliveries; returns how many, a share at most."""
    rows = Notice.objects.for_tenant(tenant_id).filter(noticed_at__lt=now - KEPT)
    ids = list(rows.order_by("noticed_at").values_list("pk", flat=True)[:_MOST_AT_ONCE])
    NoticeDelivery.objects.for_tenant(tenant_id).filter(notice_id__in=ids).delete()
    Notice.objects.for_tenant(tenant_id).filter(pk__in=ids).delete()
    return len(ids)
