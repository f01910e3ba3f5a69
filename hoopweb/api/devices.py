"""`/devices/`: machines people enrolled with `hoopweb login`, listed and revoked. Enrolling is `oauth`'s."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import devices
from gateway.identity.models import Device
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, describe, page_of, paged
from hoopweb.api.pagination import newest

ORDER = newest("devices", "enrolled_at")


class DeviceSerializer(serializers.ModelSerializer[Device]):
    user = serializers.UUIDField(source="user_id")
    username = serializers.CharField(source="user.username")

    class Meta:
        model = Device
        fields = ("id", "name", "user", "username", "key_storage", "enrolled_at", "revoked_at")


class Devices(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ}

    @describe("List devices", page_of(DeviceSerializer), query=PageQuery, operation_id="devices_list")
    def get(self, request: Request) -> Response:
        rows = devices.devices(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), DeviceSerializer))


class OneDevice(ApiView):
    rights: ClassVar = {"DELETE": None}

    @describe("Revoke a device and every key it got", None, status=204, operation_id="devices_revoke")
    def delete(self, request: Request, device_id: UUID) -> Response:
        caller = self.caller
        # Everybody may revoke his own machine; anybody's takes the right to revoke keys.
        own = None if Right.KEYS_REVOKE in caller.rights else caller.user
        if own is None:
            caller.must(Right.KEYS_REVOKE)
        devices.revoke(tenant=caller.tenant, device_id=device_id, by=own, by_label=caller.label, now=self.now)
        return Response(status=204)
