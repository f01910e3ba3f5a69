"""`/agents/`: the AI agents that act for people."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import selectors, services
from gateway.identity.models import Agent
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest

ORDER = newest("agents", "created_at")


class AgentSerializer(serializers.ModelSerializer[Agent]):
    owner = serializers.UUIDField(source="owner_id", allow_null=True)

    class Meta:
        model = Agent
        fields = ("id", "name", "kind", "owner", "is_suspended", "created_at")


class AgentBody(StrictSerializer):
    name = serializers.CharField(max_length=80)
    kind = serializers.CharField(max_length=40, required=False, default="script")


class Agents(ApiView):
    rights: ClassVar = {"GET": Right.AGENTS_READ, "POST": Right.AGENTS_WRITE}

    @describe("List agents", page_of(AgentSerializer), query=PageQuery, operation_id="agents_list")
    def get(self, request: Request) -> Response:
        rows = selectors.agents(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), AgentSerializer))

    @describe("Make an agent known", AgentSerializer, body=AgentBody, status=201, operation_id="agents_create")
    @idempotent
    def post(self, request: Request) -> Response:
        caller = self.caller
        made = services.create_agent(
            tenant=caller.tenant, owner=caller.user, by_label=caller.label, now=self.now, **self.body(AgentBody)
        )
        return Response(AgentSerializer(made).data, status=201)


class OneAgent(ApiView):
    rights: ClassVar = {"GET": Right.AGENTS_READ}

    @describe("Read one agent", AgentSerializer, operation_id="agents_read")
    def get(self, request: Request, agent_id: UUID) -> Response:
        return Response(AgentSerializer(selectors.agent(self.caller.tenant, agent_id)).data)
