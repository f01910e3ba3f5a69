"""Channels: where notices go besides the product, made and changed by whoever may, each change an event.

Called inside the tenant's transaction, but for `checked_target`, which asks the network's names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import IntegrityError, transaction

from approvals.notify import webhooks
from approvals.notify.following import queue
from approvals.notify.kinds import SUBSCRIBABLE, NoticeKind
from approvals.notify.models import ChannelWay, DeliveryState, Notice, NoticeChannel, NoticeDelivery
from approvals.notify.problems import (
    ChannelExists,
    ChannelHasNoSecret,
    ChannelRefused,
    ChannelUnknown,
    NoMailHere,
    TooManyChannels,
)
from audit.kinds import EventKind
from audit.services import append
from gateway.identity.caller import Caller
from gateway.sealing import services as sealing
from gateway.tenants.egress import check_url
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right

MOST_CHANNELS = 20
SECRET_COLUMN = "approvals_noticechannel.sealed_secret"  # noqa: S105  # the name of a column
# For receivers to take the new secret over: until then both sign.
PREVIOUS_LIVES = timedelta(days=1)
_is_address = EmailValidator()


def checked_target(way: str, target: str) -> str:
    """Return an address that may be sent to; raises ChannelRefused, NoMailHere and what the egress guard says.

    Resolves a webhook's host: call it before the tenant's transaction, or where waiting for names harms nobody.
    """
    if way == ChannelWay.WEBHOOK:
        check_url(target)
        return target
    if way != ChannelWay.EMAIL:
        raise ChannelRefused
    if not settings.EMAIL_HOST:
        raise NoMailHere
    try:
        _is_address(target)
    except ValidationError:
        raise ChannelRefused("This is no e-mail address") from None
    # Line ends and lists would make one channel many, or a header.
    if len(target) > 254 or not target.isascii() or not target.isprintable() or any(c in target for c in " ,;<>\"'"):
        raise ChannelRefused("One plain e-mail address is wanted")
    return target


def _checked_kinds(kinds: Collection[str]) -> list[str]:
    if not kinds or not set(kinds) <= set(SUBSCRIBABLE):
        raise ChannelRefused(f"Kinds are {', '.join(kind.value for kind in SUBSCRIBABLE)}")
    return sorted(set(kinds))


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise ChannelRefused("A name has 1 to 80 printable characters")
    return name


def channel_of(tenant: Tenant, channel_id: UUID) -> NoticeChannel:
    """One channel; raises ChannelUnknown."""
    found: NoticeChannel | None = NoticeChannel.objects.for_tenant(tenant).filter(pk=channel_id).first()
    if found is None:
        raise ChannelUnknown
    return found


def _locked(tenant: Tenant, channel_id: UUID) -> NoticeChannel:
    rows = NoticeChannel.objects.for_tenant(tenant).select_for_update(no_key=True)
    found: NoticeChannel | None = rows.filter(pk=channel_id).first()
    if found is None:
        raise ChannelUnknown
    return found


@transaction.atomic
def add_channel(
    *,
    by: Caller,
    name: str,
    way: str,
    target: str,
    kinds: Collection[str],
    now: datetime,
    random: Callable[[int], bytes],
) -> tuple[NoticeChannel, str]:
    """Add a channel, enabled; returns it and a webhook's signing secret, which is shown this once ("" for e-mail).

    `target` was checked by `checked_target`. Raises ChannelRefused, ChannelExists, TooManyChannels.
    """
    by.must(Right.NOTICES_WRITE)
    name, wanted = _checked_name(name), _checked_kinds(kinds)
    if NoticeChannel.objects.for_tenant(by.tenant).count() >= MOST_CHANNELS:
        raise TooManyChannels
    secret = random(webhooks.SECRET_BYTES) if way == ChannelWay.WEBHOOK else b""
    try:
        with transaction.atomic():
            made: NoticeChannel = NoticeChannel.objects.create(
                tenant=by.tenant,
                name=name,
                way=way,
                target=target,
                kinds=wanted,
                sealed_secret=_sealed(by.tenant, secret) if secret else None,
                created_by=by.label,
                created_at=now,
            )
    except IntegrityError:
        raise ChannelExists from None
    _record(by, EventKind.NOTICE_CHANNEL_ADDED, made, now, what=f"{way}: {', '.join(wanted)}")
    return made, webhooks.shown(secret) if secret else ""


def _sealed(tenant: Tenant, secret: bytes) -> bytes:
    return sealing.seal(tenant_id=tenant.pk, column=SECRET_COLUMN, plaintext=secret)


@transaction.atomic
def change_channel(
    *,
    by: Caller,
    channel_id: UUID,
    kinds: Collection[str] | None = None,
    is_enabled: bool | None = None,
    now: datetime,
) -> NoticeChannel:
    """Choose other kinds, or switch the channel on or off; switched off, what waits is given up. Raises ChannelUnknown."""
    by.must(Right.NOTICES_WRITE)
    found = _locked(by.tenant, channel_id)
    found.kinds = found.kinds if kinds is None else _checked_kinds(kinds)
    if is_enabled is not None and is_enabled != found.is_enabled:
        found.is_enabled = is_enabled
        found.failures, found.failing_since, found.rests_until, found.last_error, found.dropped = 0, None, None, "", 0
    found.save()
    if not found.is_enabled:
        waiting = NoticeDelivery.objects.for_tenant(by.tenant).filter(channel=found, state=DeliveryState.WAITING)
        waiting.update(state=DeliveryState.GIVEN_UP, ended_at=now, last_error="the channel was switched off")
    told = f"{'on' if found.is_enabled else 'off'}: {', '.join(found.kinds)}"
    _record(by, EventKind.NOTICE_CHANNEL_CHANGED, found, now, result=told)
    return found


@transaction.atomic
def change_secret(
    *, by: Caller, channel_id: UUID, now: datetime, random: Callable[[int], bytes]
) -> tuple[NoticeChannel, str]:
    """Give a webhook a new signing secret, shown this once; the one before signs as well for a day.

    Raises ChannelUnknown and ChannelHasNoSecret.
    """
    by.must(Right.NOTICES_WRITE)
    found = _locked(by.tenant, channel_id)
    if found.way != ChannelWay.WEBHOOK:
        raise ChannelHasNoSecret
    secret = random(webhooks.SECRET_BYTES)
    found.sealed_previous, found.previous_until = found.sealed_secret, now + PREVIOUS_LIVES
    found.sealed_secret = _sealed(by.tenant, secret)
    found.save(update_fields=("sealed_secret", "sealed_previous", "previous_until"))
    _record(by, EventKind.NOTICE_CHANNEL_CHANGED, found, now, result="signing secret changed")
    return found, webhooks.shown(secret)


@transaction.atomic
def remove_channel(*, by: Caller, channel_id: UUID, now: datetime) -> None:
    """Remove a channel with what it still had to deliver; raises ChannelUnknown."""
    by.must(Right.NOTICES_WRITE)
    found = _locked(by.tenant, channel_id)
    NoticeDelivery.objects.for_tenant(by.tenant).filter(channel=found).delete()
    _record(by, EventKind.NOTICE_CHANNEL_REMOVED, found, now)
    found.delete()


@transaction.atomic
def try_channel(*, by: Caller, channel_id: UUID, now: datetime) -> NoticeChannel:
    """Send a notice that says nothing through one channel, at once even where it rests; raises ChannelUnknown."""
    by.must(Right.NOTICES_WRITE)
    found = _locked(by.tenant, channel_id)
    said = Notice.objects.create(
        tenant=by.tenant,
        kind=NoticeKind.TEST,
        subject=found.pk,
        title=f"{by.label} tries the channel {found.name}"[:300],
        path=f"/notices/channels/{found.pk}/",
        at=now,
        noticed_at=now,
    )
    found.rests_until = None
    found.save(update_fields=("rests_until",))
    queue(found, [said], now)
    return found


def _record(by: Caller, kind: EventKind, channel: NoticeChannel, now: datetime, **facts: str) -> None:
    # The target stays out: a webhook's address often carries a token of its receiver's.
    data: dict[str, Any] = {"by": by.label, "name": channel.name, **facts}
    if by.api_key is not None:
        data["key"] = str(by.api_key.pk)
    append(tenant_id=channel.tenant_id, kind=kind, at=now, subject=channel.pk, data=data)
