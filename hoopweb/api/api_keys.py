"""`/api-keys/`: keys of this API, for programs. The key itself is in the answer to POST, this once.

Keys agents call AWS with are gateway keys: `/keys/`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import issuing
from gateway.identity.models import ApiKey
from gateway.identity.services import LONGEST_API_KEY, SHORTEST_API_KEY, revoke_api_key
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest

ORDER = newest("api-keys", "created_at")
USUAL_SECONDS = int(timedelta(days=90).total_seconds())


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    prefix = serializers.CharField(help_text="How the key begins: enough to know a found one by, worth nothing alone.")
    user = serializers.UUIDField(source="user_id", allow_null=True)
    username = serializers.CharField(source="user.username", default=None, allow_null=True)
    service_account = serializers.UUIDField(source="service_account_id", allow_null=True)

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            "id",
            "name",
            "prefix",
            "user",
            "username",
            "service_account",
            "scopes",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "warned_at",
        )


class IssuedApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(help_text="The key. It is shown this once and kept nowhere.")

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")


class ApiKeyBody(StrictSerializer):
    name = serializers.CharField(max_length=80)
    scopes = serializers.ListField(child=serializers.ChoiceField([right.value for right in Right]), min_length=1)
    seconds = serializers.IntegerField(
        required=False,
        default=USUAL_SECONDS,
        min_value=int(SHORTEST_API_KEY.total_seconds()),
        max_value=int(LONGEST_API_KEY.total_seconds()),
    )
    person_bound = serializers.BooleanField(
        required=False, default=True, help_text="False: the key is no person's, and an administrator's to give."
    )
    service_account = serializers.UUIDField(required=False, allow_null=True, default=None)


class ApiKeys(ApiView):
    # A person sees and makes his own; the right to all keys is asked for where it is needed.
    rights: ClassVar = {"GET": None, "POST": None}

    @describe(
        "List API keys: your own, or all of them with the right to",
        page_of(ApiKeySerializer),
        query=PageQuery,
        operation_id="api_keys_list",
    )
    def get(self, request: Request) -> Response:
        rows = issuing.visible_api_keys(self.caller)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), ApiKeySerializer))

    @describe("Make an API key", IssuedApiKeySerializer, body=ApiKeyBody, status=201, operation_id="api_keys_create")
    @idempotent
    def post(self, request: Request) -> Response:
        issuing.must_make_keys(self.caller)
        body = self.body(ApiKeyBody)
        made, key = issuing.issue_for_caller(
            by=self.caller,
            name=body["name"],
            scopes=body["scopes"],
            lifetime=timedelta(seconds=body["seconds"]),
            is_person_bound=body["person_bound"],
            service_account_id=body["service_account"],
            now=self.now,
            random=os.urandom,
        )
        return Response({**ApiKeySerializer(made).data, "key": key}, status=201)


class OneApiKey(ApiView):
    rights: ClassVar = {"GET": None, "DELETE": None}

    @describe("Read one API key", ApiKeySerializer, operation_id="api_keys_read")
    def get(self, request: Request, key_id: UUID) -> Response:
        return Response(ApiKeySerializer(issuing.visible_api_key(self.caller, key_id)).data)

    @describe("Revoke an API key at once", None, status=204, operation_id="api_keys_revoke")
    def delete(self, request: Request, key_id: UUID) -> Response:
        key = issuing.visible_api_key(self.caller, key_id)
        revoke_api_key(tenant=self.caller.tenant, key_id=key.pk, by_label=self.caller.label, now=self.now)
        return Response(status=204)
