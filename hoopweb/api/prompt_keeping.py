"""`/prompt-keeping/`: what agents do while the gateway is away, and how long the words of prompts are kept."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.keeping import LONGEST_DAYS, choices, choose
from audit.models import PromptKeeping
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, StrictSerializer, describe
from hoopweb.api.idempotency import idempotent


class PromptKeepingSerializer(serializers.Serializer[Any]):
    on_unreachable = serializers.ChoiceField(PromptKeeping.OnUnreachable.choices)
    retention_days = serializers.IntegerField(allow_null=True)


class PromptKeepingBody(StrictSerializer):
    on_unreachable = serializers.ChoiceField(PromptKeeping.OnUnreachable.choices, required=False)
    retention_days = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LONGEST_DAYS, help_text="null keeps them."
    )


class PromptKeepings(ApiView):
    rights: ClassVar = {"GET": Right.SESSIONS_READ, "PATCH": Right.POLICIES_WRITE}

    @describe("Read how prompts are kept", PromptKeepingSerializer, operation_id="prompt_keeping_read")
    def get(self, request: Request) -> Response:
        return Response(PromptKeepingSerializer(choices(self.caller.tenant)).data)

    @describe(
        "Change how prompts are kept",
        PromptKeepingSerializer,
        body=PromptKeepingBody,
        operation_id="prompt_keeping_change",
    )
    @idempotent
    def patch(self, request: Request) -> Response:
        caller, known = self.caller, choices(self.caller.tenant)
        asked = {"on_unreachable": known.on_unreachable, "retention_days": known.retention_days}
        made = choose(
            tenant=caller.tenant, by_label=caller.label, now=self.now, **{**asked, **self.body(PromptKeepingBody)}
        )
        return Response(PromptKeepingSerializer(made).data)
