"""`/members/`: the people of the tenant."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import mfa, selectors
from gateway.identity.models import Membership
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, describe, page_of, paged
from hoopweb.api.pagination import newest

ORDER = newest("members", "created_at")


class MemberSerializer(serializers.ModelSerializer[Membership]):
    user = serializers.UUIDField(source="user_id")
    username = serializers.CharField(source="user.username")

    class Meta:
        model = Membership
        fields = ("id", "user", "username", "roles", "groups", "is_active", "created_at")


class Members(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ}

    @describe("List members", page_of(MemberSerializer), query=PageQuery, operation_id="members_list")
    def get(self, request: Request) -> Response:
        rows = selectors.members(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), MemberSerializer))


class MemberSecondFactor(ApiView):
    # As with providers: who comes in, and by what, is the owner's to say.
    rights: ClassVar = {"DELETE": Right.PROVIDERS_WRITE}

    @describe("Forget a member's lost one-time code", None, status=204, operation_id="members_second_factor_remove")
    def delete(self, request: Request, user_id: UUID) -> Response:
        mfa.remove(by=self.caller, user_id=user_id, now=self.now)
        return Response(status=204)
