"""`/connections/`: AWS accounts reached through one role each."""

from __future__ import annotations

import os
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.rules import check_named
from gateway.connections import selectors, services
from gateway.connections.access import visible_connection, visible_connections
from gateway.connections.models import Connection, OpaquePayloads
from gateway.connections.session_deny import POLICY_NAME, command, session_deny
from gateway.connections.sts import source_identity
from gateway.identity import selectors as identity
from gateway.identity.problems import NotAMember, ServiceAccountUnknown
from gateway.tenants.models import Tenant
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
            "further_accounts",
            "regions",
            "state",
            "observe_only",
            "opaque_payloads",
            "opaque_approvers",
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
    approvers = serializers.CharField(
        max_length=80,
        required=False,
        default="",
        help_text="With `ask`: the approval rule whose people are asked when a call comes again that was withheld.",
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Whoever is asked must be somebody."""
        if (data["opaque_payloads"] == OpaquePayloads.ASK) != bool(data["approvers"]):
            raise serializers.ValidationError({"approvers": "Name an approval rule, with `ask` and only with it."})
        return data


class AccountsBody(StrictSerializer):
    account_ids = serializers.ListField(
        child=serializers.RegexField(r"\A[0-9]{12}\Z"),
        max_length=services.MOST_FURTHER_ACCOUNTS,
        help_text="Accounts beside its own that its calls and role chains may reach; an empty list closes them.",
    )


class TrustPolicySerializer(serializers.Serializer[Any]):
    external_id = serializers.CharField()
    policy = serializers.JSONField(help_text="Paste it as the role's trust policy.")


class Connections(ApiView):
    rights: ClassVar = {"GET": Right.CONNECTIONS_READ, "POST": Right.CONNECTIONS_WRITE}

    @describe("List connections", page_of(ConnectionSerializer), query=PageQuery, operation_id="connections_list")
    def get(self, request: Request) -> Response:
        rows = visible_connections(self.caller)
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
        return Response(ConnectionSerializer(visible_connection(self.caller, connection_id)).data)


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
        body = self.body(PayloadsBody)
        if body["approvers"]:
            check_named(self.caller.tenant, body["approvers"])
        changed = services.choose_opaque_payloads(
            tenant=self.caller.tenant,
            connection_id=connection_id,
            choice=OpaquePayloads(body["opaque_payloads"]),
            approvers=body["approvers"],
            by_label=self.caller.label,
            now=self.now,
        )
        return Response(ConnectionSerializer(changed).data)


class Accounts(ApiView):
    rights: ClassVar = {"POST": Right.CONNECTIONS_WRITE}

    @describe(
        "Choose which further accounts a connection may reach",
        ConnectionSerializer,
        body=AccountsBody,
        operation_id="connections_accounts",
    )
    @idempotent
    def post(self, request: Request, connection_id: UUID) -> Response:
        changed = services.open_accounts(
            tenant=self.caller.tenant,
            connection_id=connection_id,
            by_label=self.caller.label,
            now=self.now,
            **self.body(AccountsBody),
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


class SessionDenyQuery(StrictSerializer):
    member = serializers.UUIDField(required=False, help_text="End this person's sessions alone.")
    service_account = serializers.UUIDField(required=False, help_text="End this workload's sessions alone.")


class SessionDenySerializer(serializers.Serializer[Any]):
    role_arn = serializers.CharField()
    policy_name = serializers.CharField()
    policy = serializers.JSONField(help_text="Paste it into the role as an inline policy.")
    command = serializers.CharField(help_text="The same by the AWS CLI, with your own rights.")


class SessionDeny(ApiView):
    rights: ClassVar = {"GET": Right.CONNECTIONS_WRITE}

    @describe(
        "Read the deny that ends this role's sessions at AWS: all of them, or one person's",
        SessionDenySerializer,
        query=SessionDenyQuery,
        operation_id="connections_session_deny",
    )
    def get(self, request: Request, connection_id: UUID) -> Response:
        role_arn = selectors.connection(self.caller.tenant, connection_id).role_arn
        named = self.query(SessionDenyQuery)
        if len(named) > 1:
            raise serializers.ValidationError({"member": ["Name a member or a service account, not both."]})
        policy = session_deny(issued_before=self.now, source_identity=_source_identity(self.caller.tenant, **named))
        told = {"role_arn": role_arn, "policy_name": POLICY_NAME, "policy": policy}
        return Response({**told, "command": command(role_arn=role_arn, policy=policy)})


def _source_identity(tenant: Tenant, member: UUID | None = None, service_account: UUID | None = None) -> str | None:
    """How AWS knows a person's or workload's sessions; raises NotAMember or ServiceAccountUnknown."""
    if member is not None:
        found = identity.members(tenant).filter(user_id=member).first()
        if found is None:
            raise NotAMember
        return source_identity(label=found.user.get_username(), person_id=member)
    if service_account is not None:
        account = identity.service_accounts(tenant).filter(pk=service_account).first()
        if account is None:
            raise ServiceAccountUnknown
        return source_identity(label=account.name, person_id=service_account)
    return None
