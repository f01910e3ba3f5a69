"""`/prompts/`: the words that set agents to work. Agents' hooks post them; people read the masked copy.

The exact words need a right of their own, and reading them is itself written down.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any, ClassVar, cast
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import Prompt
from audit.problems import PromptNotFound
from audit.prompts import (
    BY_API_KEY,
    LARGEST_NAME,
    LARGEST_PROMPT,
    read_exact,
    record_forgery,
    record_prompt,
)
from audit.searching import LONGEST_SEARCH, searched
from gateway.identity.agent_keys import agent_of
from gateway.identity.authentication import DeviceAuthentication
from gateway.identity.caller import Caller
from gateway.identity.device_problems import PromptForged
from gateway.identity.models import Agent
from gateway.identity.proof import fresh_proof
from gateway.identity.proving import Cap, forgery_of, prompt_cap
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.terms import LinkLevel
from hoopweb.api.base import ApiView, PageQuery, describe, page_of, paged
from hoopweb.api.errors import refused
from hoopweb.api.idempotency import idempotent
from hoopweb.api.keys import own_agent
from hoopweb.api.pagination import Page, newest
from hoopweb.api.signed import LONGEST_PATH, MOST_ATTACHMENTS, HookBody, facts_of, id_or_none, told

ORDER = newest("prompts", "recorded_at")
# Who speaks in this turn: a person, or a machine (a schedule, another agent's hand-over).
SOURCES = ("person", "machine")


class PromptSerializer(serializers.ModelSerializer[Prompt]):
    person = serializers.UUIDField(source="person_id", allow_null=True)
    agent = serializers.UUIDField(source="agent_id", allow_null=True)
    text = serializers.CharField(source="masked_text", help_text="Secrets replaced.")
    device = serializers.UUIDField(source="device_id", allow_null=True)
    caused_by = serializers.UUIDField(source="caused_by_id", allow_null=True)
    url = serializers.SerializerMethodField(help_text="The prompt's page, with everything it caused.")

    class Meta:
        model = Prompt
        fields = (
            "id",
            "person",
            "person_label",
            "agent",
            "agent_label",
            "conversation",
            "generation",
            "source",
            "text",
            "characters",
            "commitment",
            "recorded_at",
            "device",
            "device_label",
            "agent_kind",
            "agent_version",
            "attachments",
            "workspace",
            "parent_conversation",
            "parent_tool_use",
            "subagent",
            "caused_by",
            "is_late",
            "occurred_at",
            "level_cap",
            "cap_reason",
            "erased_at",
            "url",
        )

    def get_url(self, row: Prompt) -> str:
        return f"{settings.PUBLIC_URL}/prompts/{row.pk}/"


class ExactPromptSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    text = serializers.CharField(help_text="Exactly as recorded, secrets included.")


class PromptBody(HookBody):
    text = serializers.CharField(trim_whitespace=False, max_length=LARGEST_PROMPT)
    generation = serializers.CharField(max_length=LARGEST_NAME)
    attachments = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_PATH), required=False, default=list, max_length=MOST_ATTACHMENTS
    )
    workspace = serializers.CharField(required=False, allow_blank=True, default="", max_length=LONGEST_PATH)
    source = serializers.ChoiceField(SOURCES, required=False, default="person")  # type: ignore[assignment]  # DRF takes declared fields off the class, so nothing is hidden


class PromptQuery(PageQuery):
    conversation = serializers.CharField(required=False, max_length=LARGEST_NAME)
    q = serializers.CharField(
        required=False,
        max_length=LONGEST_SEARCH,
        help_text="Words of the masked text: all must occur, each as the beginning of a word; quoted, exactly so.",
    )


def prompts_of_tenant(tenant: Tenant) -> QuerySet[Prompt]:
    rows = Prompt.objects.for_tenant(tenant).defer("sealed_text", "sealed_salt")
    return cast("QuerySet[Prompt]", rows)


def one_prompt(tenant: Tenant, prompt_id: UUID) -> Prompt:
    """One prompt without its sealed text; raises PromptNotFound, for another tenant's as for none."""
    row = prompts_of_tenant(tenant).filter(pk=prompt_id).first()
    if row is None:
        raise PromptNotFound
    return row


def prompt_page(
    tenant: Tenant, *, q: str | None = None, conversation: str | None = None, cursor: str | None = None, limit: int
) -> Page:
    """One page of prompts, newest first: all, of one conversation, or those with these words."""
    if q is None:
        rows = prompts_of_tenant(tenant)
        return ORDER.page(rows.filter(conversation=conversation) if conversation else rows, cursor=cursor, limit=limit)
    before = _place(cursor) if cursor else None
    found = searched(tenant=tenant, words=q, conversation=conversation, before=before, most=limit + 1)
    return ORDER.cut(found, limit=limit)


def _place(cursor: str) -> tuple[datetime, UUID]:
    at, id_ = ORDER.read(cursor)
    return at, id_


class Prompts(ApiView):
    authentication_classes = (DeviceAuthentication,)
    rights: ClassVar = {"GET": Right.SESSIONS_READ, "POST": Right.PROMPTS_WRITE}

    @describe(
        "List or search prompts, secrets replaced",
        page_of(PromptSerializer),
        query=PromptQuery,
        operation_id="prompts_list",
    )
    def get(self, request: Request) -> Response:
        return Response(paged(prompt_page(self.caller.tenant, **self.query(PromptQuery)), PromptSerializer))

    @describe(
        "Record the exact words that set an agent to work",
        PromptSerializer,
        body=PromptBody,
        status=201,
        operation_id="prompts_record",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        caller, body = self.caller, self.body(PromptBody)
        agent, hook = self._agent(body["agent"]), told(body, caller, _cap_of(caller, body))
        named = {"conversation": body["conversation"], "generation": body["generation"]}
        said = {"person_label": caller.label, "agent_label": agent.name if agent else "", "hook": hook, **named}
        forged = forgery_of(facts_of(body)) if caller.device is not None else ""
        if forged and caller.device is not None:
            # Answered, not raised: what is raised is rolled back, and this refusal is the finding itself.
            record_forgery(tenant=caller.tenant, subject=caller.device.pk, reason=forged, now=self.now, **said)
            return refused(PromptForged(forged))
        prompt = record_prompt(
            tenant=caller.tenant,
            person_id=caller.user.pk if caller.user else None,
            agent_id=agent.pk if agent else None,
            text=body["text"],
            source=body["source"],
            now=self.now,
            random=os.urandom,
            **said,
        )
        return Response(PromptSerializer(prompt).data, status=201)

    def _agent(self, named: str | None) -> Agent | None:
        """A device names the kind of its person's agent, an API key an agent by its id."""
        caller = self.caller
        if caller.device is not None and caller.user is not None:
            return agent_of(caller.tenant, owner=caller.user, kind=named or "", now=self.now)
        found = id_or_none(named) if named else None
        if named and found is None:
            raise serializers.ValidationError({"agent": ["With an API key, the id of an agent."]})
        return own_agent(caller, found)


def _cap_of(caller: Caller, body: dict[str, Any]) -> Cap:
    if caller.device is None:
        return Cap(level=LinkLevel.CONVERSATION, reason=BY_API_KEY.cap_reason)
    return prompt_cap(caller.device.key_storage, facts_of(body), is_late=body["is_late"])


class OnePrompt(ApiView):
    rights: ClassVar = {"GET": Right.SESSIONS_READ}

    @describe("Read one prompt, secrets replaced", PromptSerializer, operation_id="prompts_read")
    def get(self, request: Request, prompt_id: UUID) -> Response:
        return Response(PromptSerializer(one_prompt(self.caller.tenant, prompt_id)).data)


class ExactPrompt(ApiView):
    rights: ClassVar = {"GET": Right.PROMPTS_READ}

    @describe("Read the exact words; reading is recorded", ExactPromptSerializer, operation_id="prompts_read_exact")
    def get(self, request: Request, prompt_id: UUID) -> Response:
        caller = self.caller
        # What is not there is nowhere, whatever the proof.
        one_prompt(caller.tenant, prompt_id)
        proof = fresh_proof(caller, self.now).facts
        if caller.api_key is not None:
            proof["key"] = str(caller.api_key.pk)
        text = read_exact(tenant=caller.tenant, prompt_id=prompt_id, by_label=caller.label, proof=proof, now=self.now)
        return Response({"id": prompt_id, "text": text}, headers={"Cache-Control": "no-store"})
