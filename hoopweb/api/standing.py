"""The kill switch over REST: `.../suspend/` and `.../resume/` of members, agents, service accounts, connections, tenant.

It reaches the next admission at once and what waits within the edges' next feed. Each throw is an event with its reason.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.connections.services import switch_connection
from gateway.identity import selectors, standing
from gateway.identity.authentication import SwitchAuthentication
from gateway.identity.standing import LARGEST_REASON, Switch
from gateway.tenants.rights import Right
from hoopweb.api.agents import AgentSerializer
from hoopweb.api.base import ApiView, StrictSerializer, describe
from hoopweb.api.connections import ConnectionSerializer
from hoopweb.api.idempotency import idempotent
from hoopweb.api.members import MemberSerializer
from hoopweb.api.service_accounts import ServiceAccountSerializer


class ReasonBody(StrictSerializer):
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=LARGEST_REASON)


class ConfirmedBody(ReasonBody):
    confirm = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=150,
        help_text="The name again, where the switch would lock you out yourself.",
    )


class TenantSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.SlugField()
    is_suspended = serializers.BooleanField()


class SwitchView(ApiView):
    """One direction of the switch: `is_suspended` says which."""

    is_suspended: ClassVar[bool]

    def switch(self, body: dict[str, Any]) -> Switch:
        return Switch(is_suspended=self.is_suspended, reason=body["reason"])


class SuspendMember(SwitchView):
    rights: ClassVar = {"POST": Right.MEMBERS_SUSPEND}
    is_suspended = True

    @describe("Suspend a person at once", MemberSerializer, body=ConfirmedBody, operation_id="members_suspend")
    @idempotent
    def post(self, request: Request, user_id: UUID) -> Response:
        body = self.body(ConfirmedBody)
        standing.switch_member(
            by=self.caller, user_id=user_id, switch=self.switch(body), confirm=body["confirm"], now=self.now
        )
        return Response(MemberSerializer(selectors.members(self.caller.tenant).get(user_id=user_id)).data)


class ResumeMember(SwitchView):
    rights: ClassVar = {"POST": Right.MEMBERS_SUSPEND}
    is_suspended = False

    @describe("Let a person back", MemberSerializer, body=ReasonBody, operation_id="members_resume")
    @idempotent
    def post(self, request: Request, user_id: UUID) -> Response:
        switch = self.switch(self.body(ReasonBody))
        standing.switch_member(by=self.caller, user_id=user_id, switch=switch, now=self.now)
        return Response(MemberSerializer(selectors.members(self.caller.tenant).get(user_id=user_id)).data)


class _AgentSwitch(SwitchView):
    rights: ClassVar = {"POST": Right.AGENTS_WRITE}

    def thrown(self, agent_id: UUID) -> Response:
        switch = self.switch(self.body(ReasonBody))
        return Response(
            AgentSerializer(standing.switch_agent(by=self.caller, agent_id=agent_id, switch=switch, now=self.now)).data
        )


class SuspendAgent(_AgentSwitch):
    is_suspended = True

    @describe("Suspend an agent at once", AgentSerializer, body=ReasonBody, operation_id="agents_suspend")
    @idempotent
    def post(self, request: Request, agent_id: UUID) -> Response:
        return self.thrown(agent_id)


class ResumeAgent(_AgentSwitch):
    is_suspended = False

    @describe("Let an agent go on", AgentSerializer, body=ReasonBody, operation_id="agents_resume")
    @idempotent
    def post(self, request: Request, agent_id: UUID) -> Response:
        return self.thrown(agent_id)


class _AccountSwitch(SwitchView):
    rights: ClassVar = {"POST": Right.AGENTS_WRITE}

    def thrown(self, account_id: UUID) -> Response:
        switch = self.switch(self.body(ReasonBody))
        return Response(
            ServiceAccountSerializer(
                standing.switch_service_account(by=self.caller, account_id=account_id, switch=switch, now=self.now)
            ).data
        )


class SuspendServiceAccount(_AccountSwitch):
    is_suspended = True

    @describe(
        "Suspend a service account at once",
        ServiceAccountSerializer,
        body=ReasonBody,
        operation_id="service_accounts_suspend",
    )
    @idempotent
    def post(self, request: Request, account_id: UUID) -> Response:
        return self.thrown(account_id)


class ResumeServiceAccount(_AccountSwitch):
    is_suspended = False

    @describe(
        "Let a service account go on",
        ServiceAccountSerializer,
        body=ReasonBody,
        operation_id="service_accounts_resume",
    )
    @idempotent
    def post(self, request: Request, account_id: UUID) -> Response:
        return self.thrown(account_id)


class _ConnectionSwitch(SwitchView):
    rights: ClassVar = {"POST": Right.CONNECTIONS_WRITE}

    def thrown(self, connection_id: UUID) -> Response:
        body, caller = self.body(ReasonBody), self.caller
        thrown = switch_connection(
            tenant=caller.tenant,
            connection_id=connection_id,
            is_suspended=self.is_suspended,
            reason=self.switch(body).reason,
            by_label=caller.label,
            now=self.now,
        )
        return Response(ConnectionSerializer(thrown).data)


class SuspendConnection(_ConnectionSwitch):
    is_suspended = True

    @describe("Suspend a connection at once", ConnectionSerializer, body=ReasonBody, operation_id="connections_suspend")
    @idempotent
    def post(self, request: Request, connection_id: UUID) -> Response:
        return self.thrown(connection_id)


class ResumeConnection(_ConnectionSwitch):
    is_suspended = False

    @describe(
        "Lift a connection's suspension; it must pass its test before it is used again",
        ConnectionSerializer,
        body=ReasonBody,
        operation_id="connections_resume",
    )
    @idempotent
    def post(self, request: Request, connection_id: UUID) -> Response:
        return self.thrown(connection_id)


class _TenantSwitch(SwitchView):
    rights: ClassVar = {"POST": Right.TENANT_SUSPEND}
    # The one door that stays open in a suspended tenant.
    authentication_classes = (SwitchAuthentication,)

    def thrown(self, body: dict[str, Any]) -> Response:
        tenant = standing.switch_tenant(
            by=self.caller, switch=self.switch(body), confirm=body.get("confirm", ""), now=self.now
        )
        return Response(TenantSerializer(tenant).data)


class SuspendTenant(_TenantSwitch):
    is_suspended = True

    @describe("Suspend the whole tenant at once", TenantSerializer, body=ConfirmedBody, operation_id="tenant_suspend")
    @idempotent
    def post(self, request: Request) -> Response:
        return self.thrown(self.body(ConfirmedBody))


class ResumeTenant(_TenantSwitch):
    is_suspended = False

    @describe("Lift the tenant's suspension", TenantSerializer, body=ReasonBody, operation_id="tenant_resume")
    @idempotent
    def post(self, request: Request) -> Response:
        return self.thrown(self.body(ReasonBody))
