"""`/agent-credentials/`: three-minute AWS keys for the agent at work on a device, bound to conversation and generation."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import Prompt
from audit.prompts import LARGEST_NAME, newest_of
from gateway.connections.access import usable_connection
from gateway.connections.models import Connection
from gateway.connections.problems import ConnectionUnknown
from gateway.connections.selectors import active_connection, connections
from gateway.identity import agent_keys
from gateway.identity.proving import Cap, HelperFacts, key_cap, weakest
from gateway.tenants.rights import Right
from gateway.terms import LinkLevel
from hoopweb.api.base import StrictSerializer, describe
from hoopweb.api.signed import DeviceView, agent_named, id_or_none


def _name() -> serializers.CharField:
    return serializers.CharField(required=False, allow_null=True, allow_blank=True, default="", max_length=LARGEST_NAME)


class HelperBody(StrictSerializer):
    is_below_agent = serializers.BooleanField(required=False, default=False)
    is_outlived = serializers.BooleanField(required=False, default=False)


class AgentCredentialsBody(StrictSerializer):
    connection = serializers.CharField(max_length=80, help_text="Its name or id.")
    agent = serializers.CharField(required=False, allow_null=True, allow_blank=True, default="", max_length=40)
    conversation = _name()
    generation = _name()
    how = serializers.CharField(required=False, allow_blank=True, default="", max_length=400)
    process = HelperBody(required=False, allow_null=True, default=None)


class AgentCredentialsSerializer(serializers.Serializer[Any]):
    access_key_id = serializers.CharField()
    secret_access_key = serializers.CharField()
    session_token = serializers.CharField(allow_null=True)
    expires_at = serializers.DateTimeField()
    level_cap = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    prompt = serializers.UUIDField(allow_null=True)
    connection = serializers.UUIDField()


class AgentCredentials(DeviceView):
    rights: ClassVar = {"POST": Right.KEYS_ISSUE}

    @describe(
        "Issue three-minute AWS keys bound to a conversation, signed by a device",
        AgentCredentialsSerializer,
        body=AgentCredentialsBody,
        status=201,
        operation_id="agent_credentials_issue",
    )
    def post(self, request: Request) -> Response:
        body = self.body(AgentCredentialsBody)
        found = self._connection(body["connection"])
        conversation, generation = body["conversation"] or "", body["generation"] or ""
        cap = self._cap(body, conversation, generation)
        prompt = self._prompt(conversation, generation)
        key, issued = agent_keys.issue(
            by=self.caller,
            agent=agent_named(self, body["agent"]),
            connection_id=found.pk,
            conversation=conversation,
            generation=generation,
            prompt_id=prompt.pk if prompt else None,
            cap=cap,
            how=body["how"],
            now=self.now,
            random=os.urandom,
        )
        told = weakest(cap, _of_prompt(prompt))
        answer = {
            "access_key_id": issued.access_key_id,
            "secret_access_key": issued.plaintext_secret,
            "session_token": issued.plaintext_token,
            "expires_at": key.expires_at.isoformat(),
            "level_cap": told.level.value,
            "reason": told.reason,
            "prompt": str(prompt.pk) if prompt else None,
            "connection": str(found.pk),
        }
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})

    def _connection(self, named: str) -> Connection:
        tenant, found = self.caller.tenant, id_or_none(named)
        if found is None:
            found = connections(tenant).filter(name=named).values_list("pk", flat=True).first()
        if found is None:
            raise ConnectionUnknown
        return active_connection(tenant, usable_connection(self.caller, found).pk)

    def _cap(self, body: dict[str, Any], conversation: str, generation: str) -> Cap:
        device, _ = self.device
        facts = HelperFacts(**body["process"]) if body["process"] is not None else None
        return key_cap(device.key_storage, facts, has_conversation=bool(conversation), has_generation=bool(generation))

    def _prompt(self, conversation: str, generation: str) -> Prompt | None:
        if not conversation:
            return None
        _, user = self.device
        return newest_of(
            self.caller.tenant, person_id=user.pk, conversation=conversation, generation=generation or None
        )


def _of_prompt(prompt: Prompt | None) -> Cap:
    if prompt is None:
        return Cap(level=LinkLevel.PERSON, reason="no prompt is recorded for it")
    return Cap(level=LinkLevel(prompt.level_cap), reason=prompt.cap_reason)
