"""Making notices of what the ledger says: each event once, in its order, with a delivery for each channel that wants it.

The ledger is the outbox: an event is committed with the change it tells of, and its numbers have no gaps. So nobody who
changes something has to think of notices, and none is lost by a crash (docs/decisions).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from approvals.notify.kinds import KIND_OF, NoticeKind
from approvals.notify.models import DeliveryState, Notice, NoticeChannel, NoticeCursor, NoticeDelivery
from approvals.notify.wording import worded
from audit.kinds import EventKind
from audit.models import Event, LedgerHead
from audit.selectors import facts_of
from audit.services import NewEvent, append_all

# One reading's share: what a busy tenant wrote in some seconds, and no long transaction.
MOST_EVENTS = 5_000
# What waits for one channel at most; a channel that is dead for long loses the rest, and people are told so.
MOST_WAITING = 1_000
# Where a tenant is followed for the first time, what is older than this is no news.
FIRST_LOOK_BACK = timedelta(hours=1)
_FIRST_EVENTS = 1_000


@transaction.atomic
def follow(*, tenant_id: UUID, now: datetime) -> int:
    """Read on in the tenant's ledger; returns how many notices were made. Inside the tenant's transaction.

    Where another worker reads already, nothing is done.
    """
    cursor = _cursor(tenant_id, now)
    if cursor is None:
        return 0
    # Read first: whatever has a number below it is committed.
    head = int(LedgerHead.objects.values_list("next_sequence", flat=True).get(tenant=tenant_id))
    until = min(head, cursor.next_sequence + MOST_EVENTS)
    if until <= cursor.next_sequence:
        return 0
    made = _noticed(tenant_id, cursor.next_sequence, until, now)
    cursor.next_sequence = until
    cursor.save(update_fields=("next_sequence",))
    dropped = send_to_channels(tenant_id, made, now)
    append_all(tenant_id=tenant_id, events=dropped)
    return len(made)


def _cursor(tenant_id: UUID, now: datetime) -> NoticeCursor | None:
    rows = NoticeCursor.objects.for_tenant(tenant_id)
    found: NoticeCursor | None = rows.select_for_update(skip_locked=True).first()
    if found is not None or rows.exists() or not LedgerHead.objects.filter(tenant=tenant_id).exists():
        return found
    try:
        with transaction.atomic():
            made: NoticeCursor = rows.create(tenant_id=tenant_id, next_sequence=_first(tenant_id, now))
    except IntegrityError:
        return None
    return made


def _first(tenant_id: UUID, now: datetime) -> int:
    """Where to begin with a tenant that was never followed."""
    newest = Event.objects.for_tenant(tenant_id).order_by("-sequence").values_list("sequence", "at")[:_FIRST_EVENTS]
    recent = [sequence for sequence, at in newest if at > now - FIRST_LOOK_BACK]
    head = int(LedgerHead.objects.values_list("next_sequence", flat=True).get(tenant=tenant_id))
    return min(recent, default=head)


def _noticed(tenant_id: UUID, first: int, until: int, now: datetime) -> list[Notice]:
    rows = Event.objects.for_tenant(tenant_id).filter(sequence__gte=first, sequence__lt=until, kind__in=list(KIND_OF))
    notices = [notice for event in rows.order_by("sequence") if (notice := _notice(event, now)) is not None]
    return list(Notice.objects.bulk_create(notices))


def _notice(event: Event, now: datetime) -> Notice | None:
    said = worded(event, facts_of(event))
    if said is None:
        return None
    return Notice(
        tenant_id=event.tenant_id,
        kind=KIND_OF[EventKind(event.kind)],
        sequence=event.sequence,
        event=event.kind,
        subject=event.subject,
        person_id=said.person_id,
        groups=said.groups,
        title=said.title,
        lines=said.lines,
        path=said.path,
        at=event.at,
        noticed_at=now,
    )


def send_to_channels(tenant_id: UUID, notices: Sequence[Notice], now: datetime) -> list[NewEvent]:
    """Queue the notices for each channel that wants their kind; returns an event for each that has no room for all."""
    if not notices:
        return []
    told = []
    for channel in NoticeChannel.objects.for_tenant(tenant_id).filter(is_enabled=True).order_by("id"):
        wanted = [one for one in notices if one.kind in channel.kinds and one.kind != NoticeKind.UNDELIVERED]
        waiting = NoticeDelivery.objects.for_tenant(tenant_id).filter(channel=channel, state=DeliveryState.WAITING)
        room = max(0, MOST_WAITING - waiting.count()) if wanted else 0
        queue(channel, wanted[:room], now)
        if len(wanted) > room:
            told += _dropped(channel, len(wanted) - room, now)
    return told


def queue(channel: NoticeChannel, notices: Sequence[Notice], now: datetime) -> None:
    NoticeDelivery.objects.bulk_create(
        NoticeDelivery(tenant_id=channel.tenant_id, channel=channel, notice=one, created_at=now, due_at=now)
        for one in notices
    )


def _dropped(channel: NoticeChannel, count: int, now: datetime) -> list[NewEvent]:
    # Told once until something is delivered again: a dead channel of a busy tenant must not fill its ledger.
    is_new = channel.dropped == 0
    channel.dropped += count
    channel.save(update_fields=("dropped",))
    data = {"name": channel.name, "count": count}
    return [NewEvent(kind=EventKind.NOTICES_DROPPED, at=now, subject=channel.pk, data=data)] if is_new else []
