"""`/tool-uses/`: agents' hooks tell before and after each use of a tool; the exact command is sealed."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import ToolUse
from audit.prompts import LARGEST_NAME, LARGEST_PROMPT
from audit.tool_uses import Phase, Told, record_tool_use
from gateway.identity.proving import BOUND
from gateway.requests.decoy_sightings import in_tool_use
from gateway.tenants.rights import Right
from hoopweb.api.base import describe
from hoopweb.api.idempotency import idempotent
from hoopweb.api.signed import LONGEST_PATH, DeviceView, HookBody, agent_named, told


class ToolUseSerializer(serializers.ModelSerializer[ToolUse]):
    prompt = serializers.UUIDField(source="prompt_id", allow_null=True)
    tool_use_id = serializers.CharField(source="name")
    command = serializers.CharField(source="masked_command", help_text="Secrets replaced.")

    class Meta:
        model = ToolUse
        fields = (
            "id",
            "prompt",
            "conversation",
            "generation",
            "tool_use_id",
            "tool",
            "command",
            "cwd",
            "subagent",
            "commitment",
            "began_at",
            "ended_at",
            "is_late",
        )


class ToolUseBody(HookBody):
    generation = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, default=None, max_length=LARGEST_NAME
    )
    phase = serializers.ChoiceField([phase.value for phase in Phase])
    tool = serializers.CharField(max_length=LARGEST_NAME)
    command = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=LARGEST_PROMPT)
    cwd = serializers.CharField(required=False, allow_blank=True, default="", max_length=LONGEST_PATH)
    tool_use_id = serializers.CharField(max_length=LARGEST_NAME)


class ToolUses(DeviceView):
    rights: ClassVar = {"POST": Right.PROMPTS_WRITE}

    @describe(
        "Record the beginning or end of a tool use, signed by a device",
        ToolUseSerializer,
        body=ToolUseBody,
        status=201,
        operation_id="tool_uses_record",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        caller, body = self.caller, self.body(ToolUseBody)
        agent = agent_named(self, body["agent"])
        made = record_tool_use(
            tenant=caller.tenant,
            told=Told(
                person_id=caller.actor_id,
                person_label=caller.label,
                agent_label=agent.name if agent else "",
                hook=told(body, caller, BOUND),
                phase=Phase(body["phase"]),
                name=body["tool_use_id"],
                generation=body["generation"] or None,
                **_plain(body),
            ),
            now=self.now,
            random=os.urandom,
        )
        use = {
            "person": caller.label,
            "agent": agent.name if agent else "",
            "operation": made.tool,
            "prompt": str(made.prompt_id) if made.prompt_id else None,
        }
        in_tool_use(tenant_id=caller.tenant.pk, tool_use_id=made.pk, command=body["command"], use=use, now=self.now)
        return Response(ToolUseSerializer(made).data, status=201)


def _plain(body: dict[str, Any]) -> dict[str, str]:
    return {name: body[name] for name in ("conversation", "tool", "command", "cwd")}
