"""Reading notices: those a member may see, and how many of them are new to him. Marking them seen is here too."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from approvals.notify.kinds import RULES
from approvals.notify.models import Notice, NoticeDelivery, NoticeReader
from gateway.identity.caller import Caller
from gateway.tenants.models import Tenant

# Past this nobody counts on.
MOST_COUNTED = 100
NEVER = datetime.fromtimestamp(0, tz=UTC)


def notices_of(caller: Caller) -> QuerySet[Notice]:
    """What the caller may read: by right and, where only some groups are asked, by group; and what is about himself."""
    kinds = [kind.value for kind, rule in RULES.items() if rule.right is not None and rule.right in caller.rights]
    groups = caller.membership.groups if caller.membership else []
    seen = Q(kind__in=kinds) & (Q(groups=[]) | Q(groups__overlap=list(groups)))
    if caller.user is not None:
        seen |= Q(person_id=caller.user.pk)
    rows: QuerySet[Notice] = Notice.objects.for_tenant(caller.tenant)
    return rows.filter(seen)


def seen_until(caller: Caller) -> datetime:
    """Up to when the caller's person has seen his notices."""
    if caller.user is None:
        return NEVER
    rows = NoticeReader.objects.for_tenant(caller.tenant).filter(user=caller.user)
    found: datetime | None = rows.values_list("seen_until", flat=True).first()
    return found or NEVER


def unseen(caller: Caller) -> int:
    """How many notices are new to the caller's person, MOST_COUNTED at most; none to a key of nobody."""
    if caller.user is None:
        return 0
    rows = notices_of(caller).filter(noticed_at__gt=seen_until(caller))
    return len(rows.values_list("pk")[:MOST_COUNTED])


@transaction.atomic
def mark_seen(caller: Caller, *, until: datetime, now: datetime) -> datetime:
    """Note that the caller's person has seen everything up to `until`, which is never later than now, nor taken back."""
    if caller.user is None:
        return NEVER
    wanted = max(seen_until(caller), min(until, now))
    NoticeReader.objects.update_or_create(tenant=caller.tenant, user=caller.user, defaults={"seen_until": wanted})
    return wanted


def deliveries_of(tenant: Tenant, channel_id: UUID) -> QuerySet[NoticeDelivery]:
    """One channel's deliveries with what they carried; the caller orders and pages them."""
    rows: QuerySet[NoticeDelivery] = NoticeDelivery.objects.for_tenant(tenant).filter(channel_id=channel_id)
    return rows.select_related("notice")
