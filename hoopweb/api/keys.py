"""`/keys/`: AWS-shaped keys for agents, worth nothing at AWS and open to one connection here.

The answer to POST is what `credential_process` expects; the secret and the token are shown this once.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.connections.access import usable_connection
from gateway.identity import selectors, services
from gateway.identity.caller import Caller
from gateway.identity.keys import IssuedGatewayKey
from gateway.identity.models import Agent, GatewayKey, ServiceAccount
from gateway.identity.problems import KeyUnknown, NotAMember, RightMissing
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest

ORDER = newest("keys", "issued_at")
USUAL_SECONDS = 3600


class KeySerializer(serializers.ModelSerializer[GatewayKey]):
    user = serializers.UUIDField(source="user_id", allow_null=True)
    username = serializers.CharField(source="user.username", default=None, allow_null=True)
    agent = serializers.UUIDField(source="agent_id", allow_null=True)
    connection = serializers.UUIDField(source="connection_id")

    class Meta:
        model = GatewayKey
        fields = (
            "id",
            "access_key_id",
            "user",
            "username",
            "agent",
            "connection",
            "conversation",
            "generation",
            "issued_at",
            "expires_at",
            "revoked_at",
        )


class KeyBody(StrictSerializer):
    connection = serializers.UUIDField()
    agent = serializers.UUIDField(required=False, allow_null=True, default=None)
    conversation = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    generation = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    seconds = serializers.IntegerField(
        required=False,
        default=USUAL_SECONDS,
        min_value=int(services.SHORTEST_GATEWAY_KEY.total_seconds()),
        max_value=int(services.LONGEST_GATEWAY_KEY.total_seconds()),
    )


class CredentialsSerializer(serializers.Serializer[Any]):
    """The shape `credential_process` expects, with the key's id and connection beside it."""

    Version = serializers.IntegerField()
    AccessKeyId = serializers.CharField()
    SecretAccessKey = serializers.CharField()
    SessionToken = serializers.CharField()
    Expiration = serializers.DateTimeField()
    id = serializers.UUIDField()
    connection = serializers.UUIDField()


def own_agent(caller: Caller, agent_id: UUID | None) -> Agent | None:
    """The agent to act as: one's own or nobody's, since its owner answers for what it does."""
    if agent_id is None:
        return None
    agent = selectors.agent(caller.tenant, agent_id)
    if agent.owner_id is not None and agent.owner_id != caller.actor_id:
        raise RightMissing(f"Agent `{agent.name}` belongs to another person")
    return agent


def _credentials(key: GatewayKey, issued: IssuedGatewayKey) -> dict[str, Any]:
    return {
        "Version": 1,
        "AccessKeyId": issued.access_key_id,
        "SecretAccessKey": issued.plaintext_secret,
        "SessionToken": issued.plaintext_token,
        "Expiration": key.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": str(key.pk),
        "connection": str(key.connection_id),
    }


def _held_by(caller: Caller) -> dict[str, Any]:
    """Which keys are the caller's own. A key that is nobody's has none."""
    if caller.user is not None:
        return {"user": caller.user}
    account = caller.api_key.service_account if caller.api_key else None
    return {"service_account": account} if account is not None else {"pk__in": ()}


def _workload(caller: Caller) -> ServiceAccount | None:
    """The service account behind a key that is no person's; raises NotAMember where there is neither."""
    if caller.user is not None:
        return None
    found: ServiceAccount | None = caller.api_key.service_account if caller.api_key else None
    if found is None:
        raise NotAMember("Gateway keys are issued to a person or a workload, and this API key is nobody's own")
    return found


def _lifetime(caller: Caller, wanted: timedelta, now: datetime) -> timedelta:
    """A workload's AWS keys end no later than the token they were asked with."""
    if caller.user is not None or caller.api_key is None:
        return wanted
    return min(wanted, caller.api_key.expires_at - now)


class Keys(ApiView):
    rights: ClassVar = {"GET": Right.KEYS_ISSUE, "POST": Right.KEYS_ISSUE}

    @describe(
        "List gateway keys: your own, or all of them with the right to revoke",
        page_of(KeySerializer),
        query=PageQuery,
        operation_id="keys_list",
    )
    def get(self, request: Request) -> Response:
        rows = selectors.gateway_keys(self.caller.tenant)
        if Right.KEYS_REVOKE not in self.caller.rights:
            rows = rows.filter(**_held_by(self.caller))
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), KeySerializer))

    @describe("Issue AWS keys for an agent", CredentialsSerializer, body=KeyBody, status=201, operation_id="keys_issue")
    @idempotent
    def post(self, request: Request) -> Response:
        caller, body = self.caller, self.body(KeyBody)
        workload = _workload(caller)
        key, issued = services.issue_gateway_key(
            tenant=caller.tenant,
            user=caller.user,
            service_account=workload,
            agent=own_agent(caller, body["agent"]),
            connection_id=usable_connection(caller, body["connection"]).pk,
            conversation=body["conversation"],
            generation=body["generation"],
            lifetime=_lifetime(caller, timedelta(seconds=body["seconds"]), self.now),
            by_label=caller.label,
            issued_by_key=caller.api_key.pk if caller.api_key else None,
            now=self.now,
            random=os.urandom,
        )
        return Response(_credentials(key, issued), status=201, headers={"Cache-Control": "no-store"})


class OneKey(ApiView):
    # Whoever issues keys may end his own; ending another's needs the right to revoke.
    rights: ClassVar = {"DELETE": Right.KEYS_ISSUE}

    @describe("Revoke a gateway key at once", None, status=204, operation_id="keys_revoke")
    def delete(self, request: Request, key_id: UUID) -> Response:
        caller = self.caller
        if Right.KEYS_REVOKE not in caller.rights:
            self._must_be_own(key_id)
        services.revoke_gateway_key(tenant=caller.tenant, key_id=key_id, by_label=caller.label, now=self.now)
        return Response(status=204)

    def _must_be_own(self, key_id: UUID) -> None:
        key = selectors.gateway_keys(self.caller.tenant).filter(pk=key_id).first()
        if key is None:
            raise KeyUnknown
        if not selectors.gateway_keys(self.caller.tenant).filter(pk=key_id, **_held_by(self.caller)).exists():
            self.caller.must(Right.KEYS_REVOKE)
