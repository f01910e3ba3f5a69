"""`/device/`: an enrolled device asks what it is here and what its person may use, or ends itself. Signed by it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.keeping import choices
from audit.models import PromptKeeping
from gateway.connections.access import usable_connections
from gateway.connections.models import ConnectionState
from gateway.identity import devices
from gateway.identity.proving import storage_cap
from gateway.tenants.rights import Right
from hoopweb.api.base import describe
from hoopweb.api.signed import DeviceView


class DevicePersonSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()


class DeviceTenantSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    title = serializers.CharField()


class DeviceConnectionSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    account_id = serializers.CharField()
    regions = serializers.ListField(child=serializers.CharField())


class OwnDeviceSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    state = serializers.CharField()
    key_storage = serializers.CharField()
    level_cap = serializers.CharField(help_text="The most a link through this device can claim.")
    person = DevicePersonSerializer()
    tenant = DeviceTenantSerializer()
    server_time = serializers.DateTimeField()
    connections = DeviceConnectionSerializer(many=True)
    gateway_url = serializers.CharField()
    aws_url = serializers.CharField(help_text="What AWS SDKs take as `endpoint_url`.")
    ca_pem = serializers.CharField(allow_blank=True, help_text="The authority of `aws_url`; empty for public ones.")
    on_unreachable = serializers.ChoiceField(PromptKeeping.OnUnreachable.choices)


class OwnDevice(DeviceView):
    rights: ClassVar = {"GET": Right.CONNECTIONS_READ, "DELETE": None}

    @describe("What this device is here", OwnDeviceSerializer, operation_id="own_device_read")
    def get(self, request: Request) -> Response:
        caller = self.caller
        device, user = self.device
        tenant = caller.tenant
        told = {
            "id": device.pk,
            "name": device.name,
            "state": "active",
            "key_storage": device.key_storage,
            "level_cap": storage_cap(device.key_storage).level.value,
            "person": {"id": user.pk, "username": user.get_username()},
            "tenant": {"id": tenant.pk, "slug": tenant.slug, "title": tenant.title},
            "server_time": self.now,
            "connections": usable_connections(caller).filter(state=ConnectionState.ACTIVE),
            "gateway_url": settings.PUBLIC_URL,
            "aws_url": settings.AWS_ENDPOINT_URL,
            "ca_pem": settings.EDGE_CA_PEM,
            "on_unreachable": choices(tenant).on_unreachable,
        }
        return Response(OwnDeviceSerializer(told).data)

    @describe("End this device and every key it got", None, status=204, operation_id="own_device_end")
    def delete(self, request: Request) -> Response:
        device, user = self.device
        devices.revoke(
            tenant=self.caller.tenant, device_id=device.pk, by=user, by_label=self.caller.label, now=self.now
        )
        return Response(status=204)
