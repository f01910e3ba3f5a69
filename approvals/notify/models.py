"""Notices, the channels that carry them outside, and what became of each delivery. Sending is `delivery`."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from approvals.notify.kinds import NoticeKind
from gateway.tenants.models import TenantForeignKey, TenantScoped


class NoticeCursor(TenantScoped):
    """How far the tenant's ledger was read: the number of the next event to look at."""

    next_sequence = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant",), name="one_notice_cursor"),)


class Notice(TenantScoped):
    """One thing people are told of. `person_id` reads it whatever rights he has; `groups` narrow who else does."""

    kind = models.CharField(max_length=40, choices=NoticeKind.choices)
    # The event it stands for; none for a channel's test.
    sequence = models.BigIntegerField(null=True)
    event = models.CharField(max_length=40, blank=True)
    subject = models.UUIDField()
    person_id = models.UUIDField(null=True)
    groups = ArrayField(models.CharField(max_length=80), default=list)
    title = models.CharField(max_length=300)
    lines = models.JSONField(default=list)
    path = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    noticed_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "sequence"), name="one_notice_per_event"),)
        indexes = (models.Index(fields=("tenant", "-noticed_at", "-id"), name="notice_newest"),)


class NoticeReader(TenantScoped):
    """Up to when a member has seen his notices."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    seen_until = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "user"), name="one_notice_reader"),)


class ChannelWay(models.TextChoices):
    WEBHOOK = "webhook"
    EMAIL = "email"


class NoticeChannel(TenantScoped):
    """Where notices of some kinds go besides the product: an address of the tenant's own."""

    name = models.CharField(max_length=80)
    way = models.CharField(max_length=10, choices=ChannelWay.choices)
    target = models.CharField(max_length=2000)
    kinds = ArrayField(models.CharField(max_length=40), default=list)
    # A webhook's signing key; after a change the one before signs as well, for a day.
    sealed_secret = models.BinaryField(null=True)
    sealed_previous = models.BinaryField(null=True)
    previous_until = models.DateTimeField(null=True)
    is_enabled = models.BooleanField(default=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    # Refusals in a row since the last delivery; while there are any, the channel rests until `rests_until`.
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    rests_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    delivered_at = models.DateTimeField(null=True)
    dropped = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "name"), name="one_notice_channel_name"),)


class DeliveryState(models.TextChoices):
    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up", "given up"


class NoticeDelivery(TenantScoped):
    """One notice on its way through one channel. Tried at least once, with one id however often."""

    channel = TenantForeignKey(NoticeChannel, related_name="deliveries")
    notice = TenantForeignKey(Notice, related_name="deliveries")
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    # While a worker tries, this is when another may.
    due_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("tenant", "channel", "notice"), name="one_delivery"),)
        indexes = (
            models.Index(
                fields=("tenant", "channel", "due_at"), condition=models.Q(state="waiting"), name="delivery_due"
            ),
            models.Index(fields=("tenant", "channel", "-created_at", "-id"), name="delivery_newest"),
        )
