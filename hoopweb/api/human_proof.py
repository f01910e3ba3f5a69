"""`/human-proof/`: how old the proof that a person is there may be, for votes and for reading prompts in full."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity.proof import LONGEST_MINUTES, choose_minutes
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, StrictSerializer, describe
from hoopweb.api.idempotency import idempotent


class HumanProofSerializer(serializers.Serializer[Any]):
    minutes = serializers.IntegerField(source="fresh_proof_minutes")


class HumanProofBody(StrictSerializer):
    minutes = serializers.IntegerField(min_value=1, max_value=LONGEST_MINUTES)


class HumanProof(ApiView):
    rights: ClassVar = {"GET": Right.SESSIONS_READ, "PATCH": Right.PROVIDERS_WRITE}

    @describe("Read how fresh a human proof must be", HumanProofSerializer, operation_id="human_proof_read")
    def get(self, request: Request) -> Response:
        return Response(HumanProofSerializer(self.caller.tenant).data)

    @describe(
        "Change how fresh a human proof must be",
        HumanProofSerializer,
        body=HumanProofBody,
        operation_id="human_proof_change",
    )
    @idempotent
    def patch(self, request: Request) -> Response:
        caller = self.caller
        minutes = self.body(HumanProofBody)["minutes"]
        changed = choose_minutes(caller.tenant, minutes, by_label=caller.label, now=self.now)
        return Response(HumanProofSerializer(changed).data)
