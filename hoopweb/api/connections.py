"""`/connections/`: AWS accounts reached through one role each."""

from __future__ import annotations

import os
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.connections import selectors, services
from gateway.connections.models import Connection, OpaquePayloads
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest
from hoopweb.principal import trust_policy_of

ORDER = newest("connections", "created_at")


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    class Meta:
        model = Connection
        fields = (
            "id",
            "name",
            "account_id",
            "role_arn",
            "regions",
            "state",
            "observe_only",
            "opaque_payloads",
            "tested_at",
            "test_report",
            "created_at",
        )


class ConnectionBody(StrictSerializer):
    name = serializers.CharField(max_length=80)
    account_id = serializers.CharField(max_length=12)
    role_arn = serializers.CharField(max_length=200)
    regions = serializers.ListField(child=serializers.CharField(max_length=40), min_length=1, max_length=40)
    observe_only = serializers.BooleanField(required=False, default=False)


class PayloadsBody(StrictSerializer):
    opaque_payloads = serializers.ChoiceField(
        choices=OpaquePayloads.choices,
        help_text="What becomes of payloads that cannot be read: images, archives, encrypted or unknown ones.",
    )


class TrustPolicySerializer(serializers.Serializer[Any]):
    external_id = serializers.CharField()
    policy = serializers.JSONField(help_text="Paste it as the role's trust policy.")


class Connections(ApiView):
    rights: ClassVar = {"GET": Right.CONNECTIONS_READ, "POST": Right.CONNECTIONS_WRITE}

    @describe("List connections", page_of(ConnectionSerializer), query=PageQuery, operation_id="connections_list")
    def get(self, request: Request) -> Response:
        rows = selectors.connections(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), ConnectionSerializer))

    @describe(
        "Add an AWS account",
        ConnectionSerializer,
        body=ConnectionBody,
        status=201,
        operation_id="connections_create",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        made = services.create_connection(
            tenant=self.caller.tenant,
            by_label=self.caller.label,
            now=self.now,
            random=os.urandom,
            **self.body(ConnectionBody),
        )
        return Response(ConnectionSerializer(made).data, status=201)


class OneConnection(ApiView):
    rights: ClassVar = {"GET": Right.CONNECTIONS_READ}

    @describe("Read one connection", ConnectionSerializer, operation_id="connections_read")
    def get(self, request: Request, connection_id: UUID) -> Response:
        return Response(ConnectionSerializer(selectors.connection(self.caller.tenant, connection_id)).data)


class Payloads(ApiView):
    rights: ClassVar = {"POST": Right.CONNECTIONS_WRITE}

    @describe(
        "Choose what becomes of unreadable payloads",
        ConnectionSerializer,
        body=PayloadsBody,
        operation_id="connections_payloads",
    )
    @idempotent
    def post(self, request: Request, connection_id: UUID) -> Response:
        changed = services.choose_opaque_payloads(
            tenant=self.caller.tenant,
            connection_id=connection_id,
            choice=OpaquePayloads(self.body(PayloadsBody)["opaque_payloads"]),
            by_label=self.caller.label,
            now=self.now,
        )
        return Response(ConnectionSerializer(changed).data)


class Test(ApiView):
    rights: ClassVar = {"POST": Right.CONNECTIONS_WRITE}
    # AWS is asked, which may take seconds.
    works_outside_transactions = True

    @describe("Test a connection", ConnectionSerializer, body=StrictSerializer, operation_id="connections_test")
    @idempotent
    def post(self, request: Request, connection_id: UUID) -> Response:
        self.body(StrictSerializer)
        tested = services.test_connection(
            tenant=self.caller.tenant, connection_id=connection_id, by_label=self.caller.label, now=self.now
        )
        return Response(ConnectionSerializer(tested).data)


class TrustPolicy(ApiView):
    # The ExternalId is not secret to AWS, but whoever need not paste it need not know it.
    rights: ClassVar = {"GET": Right.CONNECTIONS_WRITE}

    @describe("Read the trust policy to paste", TrustPolicySerializer, operation_id="connections_trust_policy")
    def get(self, request: Request, connection_id: UUID) -> Response:
        connection = selectors.connection(self.caller.tenant, connection_id)
        return Response({"external_id": connection.external_id, "policy": trust_policy_of(connection)})
