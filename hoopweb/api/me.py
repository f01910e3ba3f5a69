"""`/me/`: who the caller is, in which tenant, and what he may do."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hoopweb.api.base import ApiView, describe


class MeSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class, so nothing is hidden
    user = serializers.UUIDField(allow_null=True)
    api_key = serializers.UUIDField(allow_null=True)
    tenant = serializers.SlugField()
    tenant_id = serializers.UUIDField()
    roles = serializers.ListField(child=serializers.CharField())
    groups = serializers.ListField(child=serializers.CharField())
    rights = serializers.ListField(child=serializers.CharField())


class Me(ApiView):
    rights: ClassVar = {"GET": None}

    @describe("Who you are and what you may do", MeSerializer, operation_id="me")
    def get(self, request: Request) -> Response:
        caller = self.caller
        answer = {
            "label": caller.label,
            "user": caller.user.pk if caller.user else None,
            "api_key": caller.api_key.pk if caller.api_key else None,
            "tenant": caller.tenant.slug,
            "tenant_id": caller.tenant.pk,
            "roles": caller.membership.roles if caller.membership else [],
            "groups": caller.membership.groups if caller.membership else [],
            "rights": sorted(caller.rights),
        }
        return Response(MeSerializer(answer).data)
