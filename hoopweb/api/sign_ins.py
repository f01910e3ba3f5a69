"""`/sign-ins/`: browsers inside the tenant, each listed with its proof, each to be ended."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import sign_ins
from gateway.identity.door_models import SignIn
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, describe, page_of, paged
from hoopweb.api.pagination import newest

ORDER = newest("sign-ins", "opened_at")


class SignInSerializer(serializers.ModelSerializer[SignIn]):
    user = serializers.UUIDField(source="user_id")
    username = serializers.CharField(source="user.username")

    class Meta:
        model = SignIn
        fields = (
            "id",
            "user",
            "username",
            "proof",
            "opened_at",
            "proved_at",
            "last_seen_at",
            "expires_at",
            "ended_at",
            "ended_by",
            "source",
            "browser",
        )


class SignIns(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ}

    @describe("List signed-in browsers", page_of(SignInSerializer), query=PageQuery, operation_id="sign_ins_list")
    def get(self, request: Request) -> Response:
        rows = sign_ins.sign_ins(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), SignInSerializer))


class OneSignIn(ApiView):
    rights: ClassVar = {"DELETE": Right.KEYS_REVOKE}

    @describe("Sign a browser out", None, status=204, operation_id="sign_ins_end")
    def delete(self, request: Request, sign_in_id: UUID) -> Response:
        caller = self.caller
        sign_ins.end_sign_in(tenant=caller.tenant, sign_in_id=sign_in_id, by=None, by_label=caller.label, now=self.now)
        return Response(status=204)
