"""Taking what waits for a channel, sending it, and writing down what came of it.

Sent outside every transaction, at least once: a worker that dies leaves a lease behind, and the next one sends the same
notice under the same id.
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction

from approvals.notify import webhooks
from approvals.notify.channels import SECRET_COLUMN
from approvals.notify.models import ChannelWay, DeliveryState, Notice, NoticeChannel, NoticeDelivery
from audit.kinds import EventKind
from audit.services import append
from gateway.sealing import services as sealing
from gateway.tenants import egress
from gateway.tenants.models import Tenant
from gateway.tenants.problems import DestinationRefused, DestinationUnreachable
from gateway.tenants.scope import in_tenant

# What one turn sends through one channel: other channels and tenants have theirs.
MOST_AT_ONCE = 20
# Longer than any attempt lasts; then another worker may try.
LEASE = timedelta(seconds=60)
# After this many refusals, or this long, a notice is given up. Waiting grows from ten seconds to an hour.
MOST_ATTEMPTS = 10
GIVEN_UP_AFTER = timedelta(hours=24)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
_LARGEST_ANSWER = 64 * 1024
Clock = Callable[[], datetime]


class NotDelivered(Exception):
    """The receiver did not take it; the text says why, and repeats nothing of what the receiver said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One attempt: everything the sending needs, so that it holds no row."""

    delivery_id: UUID
    way: str
    target: str
    organisation: str
    notice: Notice
    secrets: tuple[bytes, ...]


def wait_after(attempts: int) -> timedelta:
    """How long after so many refusals the next attempt is."""
    return min(_LONGEST_WAIT, _FIRST_WAIT * int(3 ** min(8, max(0, attempts - 1))))


def channels_due(tenant_id: UUID, now: datetime) -> list[UUID]:
    """The channels of a tenant that have something to send now. Inside the tenant's transaction."""
    waiting = NoticeDelivery.objects.for_tenant(tenant_id).filter(state=DeliveryState.WAITING, due_at__lte=now)
    rows = NoticeChannel.objects.for_tenant(tenant_id).filter(is_enabled=True, id__in=waiting.values("channel_id"))
    return [one.pk for one in rows.order_by("id") if one.rests_until is None or one.rests_until <= now]


def deliver(*, tenant_id: UUID, channel_id: UUID, clock: Clock) -> int:
    """Send what is due through one channel, oldest first, until one is refused; returns how many were taken."""
    for sent in range(MOST_AT_ONCE):
        with in_tenant(tenant_id):
            parcel = _take(tenant_id, channel_id, clock())
        if parcel is None or not _attempt(tenant_id, channel_id, parcel, clock):
            return sent
    return MOST_AT_ONCE


def _attempt(tenant_id: UUID, channel_id: UUID, parcel: Parcel, clock: Clock) -> bool:
    problem = ""
    try:
        send(parcel, now=clock())
    except NotDelivered as refused:
        problem = str(refused)
    with in_tenant(tenant_id):
        _write_down(channel_id, parcel, problem, clock())
    return not problem


@transaction.atomic
def _take(tenant_id: UUID, channel_id: UUID, now: datetime) -> Parcel | None:
    """Lease the oldest delivery that is due; None where there is none, or the channel is off or rests."""
    channel: NoticeChannel | None = (
        NoticeChannel.objects.for_tenant(tenant_id).filter(pk=channel_id, is_enabled=True).first()
    )
    if channel is None or (channel.rests_until is not None and channel.rests_until > now):
        return None
    rows = NoticeDelivery.objects.for_tenant(tenant_id).filter(channel=channel, state=DeliveryState.WAITING)
    due = rows.filter(due_at__lte=now).select_related("notice").order_by("due_at", "created_at", "id")
    found: NoticeDelivery | None = due.select_for_update(of=("self",), skip_locked=True).first()
    if found is None:
        return None
    found.attempts, found.due_at = found.attempts + 1, now + LEASE
    found.save(update_fields=("attempts", "due_at"))
    return Parcel(
        delivery_id=found.pk,
        way=channel.way,
        target=channel.target,
        organisation=Tenant.objects.values_list("slug", flat=True).get(pk=tenant_id),
        notice=found.notice,
        secrets=_secrets(channel, now),
    )


def _secrets(channel: NoticeChannel, now: datetime) -> tuple[bytes, ...]:
    is_changing = channel.previous_until is not None and now < channel.previous_until
    sealed = (channel.sealed_secret, channel.sealed_previous if is_changing else None)
    return tuple(sealing.unseal(tenant_id=channel.tenant_id, column=SECRET_COLUMN, sealed=one) for one in sealed if one)


def body_of(parcel: Parcel) -> bytes:
    """What a webhook is told."""
    notice = parcel.notice
    return json.dumps(
        {
            "id": str(notice.pk),
            "type": notice.kind,
            "timestamp": notice.at.isoformat(),
            "tenant": parcel.organisation,
            "title": notice.title,
            "lines": notice.lines,
            "url": f"{settings.PUBLIC_URL}{notice.path}" if notice.path else None,
            "subject": str(notice.subject),
            "event": {"kind": notice.event, "sequence": notice.sequence} if notice.event else None,
        },
        ensure_ascii=False,
    ).encode()


def send(parcel: Parcel, *, now: datetime) -> None:
    """Send once; raises NotDelivered. Nothing here holds a transaction."""
    if parcel.way == ChannelWay.EMAIL:
        _mail(parcel)
        return
    body = body_of(parcel)
    told = webhooks.headers(message_id=str(parcel.notice.pk), at=now, body=body, secrets=parcel.secrets)
    try:
        answer = egress.fetch(parcel.target, method="POST", headers=told, body=body, largest_answer=_LARGEST_ANSWER)
    except (DestinationRefused, DestinationUnreachable) as problem:
        raise NotDelivered(problem.detail or problem.title) from None
    if not 200 <= answer.status < 300:
        raise NotDelivered(f"it answered {answer.status}")


def _mail(parcel: Parcel) -> None:
    notice = parcel.notice
    text = [notice.title, "", *notice.lines]
    if notice.path:
        text += ["", f"{settings.PUBLIC_URL}{notice.path}"]
    message = EmailMessage(
        subject=f"[hoopweb {parcel.organisation}] {notice.title}"[:200],
        body="\n".join([*text, "", "Sent by a channel of your organisation's hoopweb."]),
        to=[parcel.target],
        headers={"Message-ID": f"<{parcel.delivery_id}@hoopweb>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(),
    )
    try:
        message.send()
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"the mail server: {type(error).__name__}") from None


@transaction.atomic
def _write_down(channel_id: UUID, parcel: Parcel, problem: str, now: datetime) -> None:
    """Note what came of an attempt; one whose channel was removed meanwhile is noted nowhere."""
    rows = NoticeDelivery.objects.for_tenant(parcel.notice.tenant_id).select_for_update(of=("self",))
    found: NoticeDelivery | None = rows.filter(pk=parcel.delivery_id, state=DeliveryState.WAITING).first()
    channels = NoticeChannel.objects.for_tenant(parcel.notice.tenant_id).select_for_update(no_key=True)
    channel: NoticeChannel | None = channels.filter(pk=channel_id).first()
    if found is None or channel is None:
        return
    if problem:
        _refused(channel, found, problem[:200], now)
    else:
        _delivered(channel, found, now)


def _delivered(channel: NoticeChannel, delivery: NoticeDelivery, now: datetime) -> None:
    delivery.state, delivery.ended_at, delivery.last_error = DeliveryState.DELIVERED, now, ""
    delivery.save(update_fields=("state", "ended_at", "last_error"))
    channel.failures, channel.failing_since, channel.rests_until, channel.dropped = 0, None, None, 0
    channel.last_error, channel.delivered_at = "", now
    channel.save()


def _refused(channel: NoticeChannel, delivery: NoticeDelivery, problem: str, now: datetime) -> None:
    is_over = delivery.attempts >= MOST_ATTEMPTS or now - delivery.created_at > GIVEN_UP_AFTER
    delivery.last_error, delivery.due_at = problem, now + wait_after(delivery.attempts)
    if is_over:
        delivery.state, delivery.ended_at = DeliveryState.GIVEN_UP, now
    delivery.save(update_fields=("state", "ended_at", "last_error", "due_at"))
    is_first = channel.failing_since is None
    channel.failures, channel.last_error = channel.failures + 1, problem
    channel.failing_since = channel.failing_since or now
    channel.rests_until = now + wait_after(channel.failures)
    channel.save()
    if is_first:
        _record(EventKind.NOTICE_CHANNEL_FAILING, channel, problem, now)
    if is_over:
        _record(EventKind.NOTICE_UNDELIVERED, channel, problem, now)


def _record(kind: EventKind, channel: NoticeChannel, problem: str, now: datetime) -> None:
    data = {"name": channel.name, "reason": problem}
    append(tenant_id=channel.tenant_id, kind=kind, at=now, subject=channel.pk, data=data)
