"""`/service-accounts/<id>/secrets/`: what a workload gets its short-lived tokens for. Getting one is `oauth`'s."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import workloads
from gateway.identity.door_models import AccountSecret
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, StrictSerializer, describe
from hoopweb.api.idempotency import idempotent

USUAL_DAYS = 90


class AccountSecretBody(StrictSerializer):
    scopes = serializers.ListField(child=serializers.CharField(max_length=40), min_length=1, max_length=40)
    days = serializers.IntegerField(required=False, default=USUAL_DAYS, min_value=1, max_value=180)


class AccountSecretSerializer(serializers.ModelSerializer[AccountSecret]):
    client_id = serializers.UUIDField(source="service_account_id")
    client_secret = serializers.CharField(required=False, help_text="Shown this once.")

    class Meta:
        model = AccountSecret
        fields = ("id", "client_id", "client_secret", "scopes", "created_at", "expires_at", "warned_at")


class Secrets(ApiView):
    rights: ClassVar = {"POST": Right.API_KEYS_WRITE}

    @describe(
        "Make a client secret; two may live at once",
        AccountSecretSerializer,
        body=AccountSecretBody,
        status=201,
        operation_id="service_accounts_secret_create",
    )
    @idempotent
    def post(self, request: Request, account_id: UUID) -> Response:
        given, caller = self.body(AccountSecretBody), self.caller
        made, plaintext = workloads.issue_secret(
            tenant=caller.tenant,
            account_id=account_id,
            scopes=given["scopes"],
            granter_rights=caller.rights,
            lifetime=timedelta(days=given["days"]),
            by_label=caller.label,
            now=self.now,
            random=os.urandom,
        )
        return Response({**AccountSecretSerializer(made).data, "client_secret": plaintext}, status=201)


class OneSecret(ApiView):
    rights: ClassVar = {"DELETE": Right.API_KEYS_WRITE}

    @describe("Revoke a client secret", None, status=204, operation_id="service_accounts_secret_revoke")
    def delete(self, request: Request, account_id: UUID, secret_id: UUID) -> Response:
        caller = self.caller
        workloads.revoke_secret(
            tenant=caller.tenant, account_id=account_id, secret_id=secret_id, by_label=caller.label, now=self.now
        )
        return Response(status=204)
