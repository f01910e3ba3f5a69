"""`.../access/` of connections and policies: the groups one is kept for. Whose groups they are the provider says."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.connections.access import keep_connection_for, visible_connection
from gateway.identity.object_rights import MOST_GROUPS, groups_of
from gateway.policy.access import keep_policy_for, policy_of
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, StrictSerializer, describe
from hoopweb.api.idempotency import idempotent


class AccessBody(StrictSerializer):
    groups = serializers.ListField(
        child=serializers.CharField(max_length=80),
        max_length=MOST_GROUPS,
        help_text="Exactly these from now on. None: whoever's role opens its kind.",
    )


class AccessSerializer(serializers.Serializer[Any]):
    groups = serializers.ListField(child=serializers.CharField())


class ConnectionAccess(ApiView):
    rights: ClassVar = {"GET": Right.CONNECTIONS_READ, "POST": Right.CONNECTIONS_WRITE}

    @describe("Read which groups a connection is kept for", AccessSerializer, operation_id="connections_access")
    def get(self, request: Request, connection_id: UUID) -> Response:
        return Response({"groups": groups_of(visible_connection(self.caller, connection_id))})

    @describe(
        "Keep a connection for these groups: nobody else sees it, or has keys to it any more",
        AccessSerializer,
        body=AccessBody,
        operation_id="connections_keep_for",
    )
    @idempotent
    def post(self, request: Request, connection_id: UUID) -> Response:
        caller, given = self.caller, self.body(AccessBody)
        kept = keep_connection_for(
            tenant=caller.tenant, connection_id=connection_id, by_label=caller.label, now=self.now, **given
        )
        return Response({"groups": groups_of(kept)})


class PolicyAccess(ApiView):
    # Whoever is kept out by it must not be able to lift it: owners alone, who say what a group is.
    rights: ClassVar = {"GET": Right.POLICIES_READ, "POST": Right.PROVIDERS_WRITE}

    @describe("Read which groups may publish under a policy", AccessSerializer, operation_id="policies_access")
    def get(self, request: Request, policy_id: UUID) -> Response:
        return Response({"groups": groups_of(policy_of(self.caller.tenant, policy_id))})

    @describe(
        "Let these groups alone publish under a policy",
        AccessSerializer,
        body=AccessBody,
        operation_id="policies_keep_for",
    )
    @idempotent
    def post(self, request: Request, policy_id: UUID) -> Response:
        caller, given = self.caller, self.body(AccessBody)
        kept = keep_policy_for(tenant=caller.tenant, policy_id=policy_id, by_label=caller.label, now=self.now, **given)
        return Response({"groups": groups_of(kept)})
