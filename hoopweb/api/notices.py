"""`/notices/`: what the caller is told of, and marking it seen. `/notice-channels/`: where else notices go.

A webhook's signing secret is in the answer that made it, this once.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.notify import channels, selectors
from approvals.notify.kinds import SUBSCRIBABLE, NoticeKind
from approvals.notify.models import ChannelWay, DeliveryState, Notice, NoticeChannel, NoticeDelivery
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest

ORDER = newest("notices", "noticed_at")
CHANNELS = newest("notice-channels", "created_at")
DELIVERIES = newest("notice-deliveries", "created_at")
KINDS = serializers.ListField(
    child=serializers.ChoiceField([kind.value for kind in SUBSCRIBABLE]), min_length=1, max_length=len(SUBSCRIBABLE)
)


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    kind = serializers.ChoiceField(NoticeKind.choices)
    lines = serializers.ListField(child=serializers.CharField())
    is_seen = serializers.SerializerMethodField()

    class Meta:
        model = Notice
        fields = ("id", "kind", "event", "sequence", "subject", "title", "lines", "path", "at", "noticed_at", "is_seen")

    def get_is_seen(self, notice: Notice) -> bool:
        seen: datetime = self.context["seen_until"]
        return notice.noticed_at <= seen


class SeenBody(StrictSerializer):
    until = serializers.DateTimeField(help_text="`noticed_at` of the newest notice that was looked at.")


class SeenSerializer(serializers.Serializer[Any]):
    seen_until = serializers.DateTimeField()


class NoticeChannelSerializer(serializers.ModelSerializer[NoticeChannel]):
    way = serializers.ChoiceField(ChannelWay.choices)
    kinds = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = NoticeChannel
        fields: tuple[str, ...] = (
            "id",
            "name",
            "way",
            "target",
            "kinds",
            "is_enabled",
            "created_by",
            "created_at",
            "failing_since",
            "rests_until",
            "last_error",
            "delivered_at",
            "dropped",
        )


class MadeNoticeChannelSerializer(NoticeChannelSerializer):
    secret = serializers.CharField(help_text="A webhook's signing secret, shown this once; empty for e-mail.")

    class Meta(NoticeChannelSerializer.Meta):
        fields = (*NoticeChannelSerializer.Meta.fields, "secret")


class NoticeDeliverySerializer(serializers.ModelSerializer[NoticeDelivery]):
    state = serializers.ChoiceField(DeliveryState.choices)
    notice = serializers.UUIDField(source="notice_id")
    kind = serializers.CharField(source="notice.kind")
    title = serializers.CharField(source="notice.title")

    class Meta:
        model = NoticeDelivery
        fields = (
            "id",
            "notice",
            "kind",
            "title",
            "state",
            "attempts",
            "created_at",
            "due_at",
            "ended_at",
            "last_error",
        )


class ChannelBody(StrictSerializer):
    name = serializers.CharField(max_length=80)
    way = serializers.ChoiceField(ChannelWay.choices)
    target = serializers.CharField(max_length=2000, help_text="An https address, or an e-mail address.")
    kinds = KINDS


class ChannelChangeBody(StrictSerializer):
    kinds = serializers.ListField(child=serializers.CharField(max_length=40), required=False)
    is_enabled = serializers.BooleanField(required=False)


class Nothing(StrictSerializer):
    """No members."""


class Notices(ApiView):
    # Everybody has notices; each kind asks for its own right (approvals.notify.kinds).
    rights: ClassVar = {"GET": None}

    @describe("List your notices", page_of(NoticeSerializer), query=PageQuery, operation_id="notices_list")
    def get(self, request: Request) -> Response:
        rows, seen = selectors.notices_of(self.caller), selectors.seen_until(self.caller)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), NoticeSerializer, seen_until=seen))


class SeenNotices(ApiView):
    rights: ClassVar = {"POST": None}

    @describe("Mark your notices seen", SeenSerializer, body=SeenBody, operation_id="notices_seen")
    @idempotent
    def post(self, request: Request) -> Response:
        until = self.body(SeenBody)["until"]
        return Response(
            SeenSerializer({"seen_until": selectors.mark_seen(self.caller, until=until, now=self.now)}).data
        )


class NoticeChannels(ApiView):
    rights: ClassVar = {"GET": Right.EVENTS_READ, "POST": Right.NOTICES_WRITE}

    @describe(
        "List the channels notices go by",
        page_of(NoticeChannelSerializer),
        query=PageQuery,
        operation_id="notice_channels_list",
    )
    def get(self, request: Request) -> Response:
        rows = NoticeChannel.objects.for_tenant(self.caller.tenant)
        return Response(paged(CHANNELS.page(rows, **self.query(PageQuery)), NoticeChannelSerializer))

    @describe(
        "Send notices by another channel",
        MadeNoticeChannelSerializer,
        body=ChannelBody,
        status=201,
        operation_id="notice_channels_create",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = self.body(ChannelBody)
        target = channels.checked_target(given["way"], given.pop("target"))
        made, secret = channels.add_channel(by=self.caller, target=target, now=self.now, random=os.urandom, **given)
        return Response({**NoticeChannelSerializer(made).data, "secret": secret}, status=201)


class OneNoticeChannel(ApiView):
    rights: ClassVar = {"GET": Right.EVENTS_READ, "PATCH": Right.NOTICES_WRITE, "DELETE": Right.NOTICES_WRITE}

    @describe("Read one channel", NoticeChannelSerializer, operation_id="notice_channels_read")
    def get(self, request: Request, channel_id: UUID) -> Response:
        return Response(NoticeChannelSerializer(channels.channel_of(self.caller.tenant, channel_id)).data)

    @describe(
        "Choose a channel's kinds, or switch it on or off",
        NoticeChannelSerializer,
        body=ChannelChangeBody,
        operation_id="notice_channels_change",
    )
    @idempotent
    def patch(self, request: Request, channel_id: UUID) -> Response:
        given = self.body(ChannelChangeBody)
        made = channels.change_channel(by=self.caller, channel_id=channel_id, now=self.now, **given)
        return Response(NoticeChannelSerializer(made).data)

    @describe("Remove a channel", None, status=204, operation_id="notice_channels_remove")
    def delete(self, request: Request, channel_id: UUID) -> Response:
        channels.remove_channel(by=self.caller, channel_id=channel_id, now=self.now)
        return Response(status=204)


class NewSecret(ApiView):
    rights: ClassVar = {"POST": Right.NOTICES_WRITE}

    @describe(
        "Give a webhook a new signing secret; the one before signs as well for a day",
        MadeNoticeChannelSerializer,
        body=Nothing,
        status=201,
        operation_id="notice_channels_secret",
    )
    @idempotent
    def post(self, request: Request, channel_id: UUID) -> Response:
        self.body(Nothing)
        made, secret = channels.change_secret(by=self.caller, channel_id=channel_id, now=self.now, random=os.urandom)
        return Response({**NoticeChannelSerializer(made).data, "secret": secret}, status=201)


class TryChannel(ApiView):
    rights: ClassVar = {"POST": Right.NOTICES_WRITE}

    @describe(
        "Send a notice that says nothing, to see whether it arrives",
        NoticeChannelSerializer,
        body=Nothing,
        status=202,
        operation_id="notice_channels_test",
    )
    @idempotent
    def post(self, request: Request, channel_id: UUID) -> Response:
        self.body(Nothing)
        made = channels.try_channel(by=self.caller, channel_id=channel_id, now=self.now)
        return Response(NoticeChannelSerializer(made).data, status=202)


class Deliveries(ApiView):
    rights: ClassVar = {"GET": Right.EVENTS_READ}

    @describe(
        "List what went by a channel, and what became of it",
        page_of(NoticeDeliverySerializer),
        query=PageQuery,
        operation_id="notice_channels_deliveries",
    )
    def get(self, request: Request, channel_id: UUID) -> Response:
        channel = channels.channel_of(self.caller.tenant, channel_id)
        rows = selectors.deliveries_of(self.caller.tenant, channel.pk)
        return Response(paged(DELIVERIES.page(rows, **self.query(PageQuery)), NoticeDeliverySerializer))
