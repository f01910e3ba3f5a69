"""`/requests/`: calls as they were asked, decided and ended, with their masked halves."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.requests import selectors
from gateway.requests.models import ProxiedRequest, RequestState
from gateway.tenants.rights import Right
from gateway.terms import Effect
from hoopweb.api.approvals import ApprovalSerializer
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.errors import NotFound
from hoopweb.api.pagination import newest

ORDER = newest("requests", "received_at")


class RequestQuery(PageQuery):
    state = serializers.ChoiceField(RequestState.choices, required=False)
    service = serializers.CharField(required=False, max_length=80)
    operation = serializers.CharField(required=False, max_length=120)
    effect = serializers.ChoiceField([effect.value for effect in Effect], required=False)
    session = serializers.UUIDField(required=False)
    prompt = serializers.UUIDField(required=False, help_text="The calls one prompt caused.")


class RequestSerializer(serializers.ModelSerializer[ProxiedRequest]):
    session = serializers.UUIDField(source="session_id")
    prompt = serializers.UUIDField(source="prompt_id", allow_null=True)
    person = serializers.UUIDField(source="person_id", allow_null=True)
    agent = serializers.UUIDField(source="agent_id", allow_null=True)
    connection = serializers.UUIDField(source="connection_id")
    approval = serializers.UUIDField(source="approval_id", allow_null=True)
    edge = serializers.UUIDField(source="edge_id")
    tool_use = serializers.UUIDField(
        source="tool_use_id", allow_null=True, help_text="The one tool use that was open when the call came."
    )

    class Meta:
        model = ProxiedRequest
        fields: tuple[str, ...] = (
            "id",
            "session",
            "prompt",
            "tool_use",
            "link",
            "link_reason",
            "person",
            "person_label",
            "agent",
            "agent_label",
            "connection",
            "connection_label",
            "edge",
            "source",
            "method",
            "service",
            "operation",
            "region",
            "access",
            "actions",
            "resources",
            "effect",
            "would_be",
            "rule_ids",
            "revision",
            "advice",
            "reason",
            "refusal_code",
            "approval",
            "state",
            "received_at",
            "decided_at",
            "started_at",
            "ended_at",
            "event_sequence",
            "status",
            "aws_request_id",
            "error",
            "bytes_up",
            "bytes_down",
            "bytes_scanned",
            "bytes_unscanned",
            "masked",
        )


class HalfSerializer(serializers.Serializer[Any]):
    content_type = serializers.CharField()
    text = serializers.CharField(help_text="The masked body, as far as it was kept.")
    byte_count = serializers.IntegerField()
    is_whole = serializers.BooleanField()


class RunSerializer(serializers.Serializer[Any]):
    state = serializers.CharField()
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class CallSerializer(serializers.Serializer[selectors.Call]):
    """A request with everything told of it."""

    request = RequestSerializer()
    parameters = serializers.JSONField(source="request.parameters", help_text="Typed parameters, secrets replaced.")
    approval = ApprovalSerializer(allow_null=True)
    run = RunSerializer(allow_null=True)
    masked_request = serializers.SerializerMethodField()
    masked_response = serializers.SerializerMethodField()

    def get_masked_request(self, call: selectors.Call) -> dict[str, Any] | None:
        return _half(call, "request")

    def get_masked_response(self, call: selectors.Call) -> dict[str, Any] | None:
        return _half(call, "response")


class CallDetailSerializer(CallSerializer):
    question = serializers.JSONField(source="request.question", help_text="Everything policy looked at.")


def _half(call: selectors.Call, part: str) -> dict[str, Any] | None:
    half = call.halves.get(part)
    return dict(HalfSerializer(half).data) if half else None


class SuspectedValueBody(StrictSerializer):
    value = serializers.CharField(max_length=4096, trim_whitespace=False, help_text="It is compared, never kept.")


class MaskedValueSerializer(serializers.Serializer[Any]):
    was_masked = serializers.BooleanField(help_text="Of the first 64 masked values of the answer.")


class Requests(ApiView):
    rights: ClassVar = {"GET": Right.REQUESTS_READ}

    @describe("List requests", page_of(RequestSerializer), query=RequestQuery, operation_id="requests_list")
    def get(self, request: Request) -> Response:
        query = self.query(RequestQuery)
        cursor, limit = query.pop("cursor", None), query.pop("limit")
        named = {"session_id": query.pop("session", None), "prompt_id": query.pop("prompt", None)}
        rows = selectors.listed(tenant=self.caller.tenant, **named, **query)
        return Response(paged(ORDER.page(rows, cursor=cursor, limit=limit), RequestSerializer))


class OneRequest(ApiView):
    rights: ClassVar = {"GET": Right.REQUESTS_READ}

    @describe(
        "Read one request with its question and masked halves", CallDetailSerializer, operation_id="requests_read"
    )
    def get(self, request: Request, request_id: UUID) -> Response:
        try:
            call = selectors.detail(tenant=self.caller.tenant, request_id=request_id)
        except ProxiedRequest.DoesNotExist:
            raise NotFound from None
        answer = CallDetailSerializer(call).data
        self.read_evidence(what="request", subject=call.request.pk, session_id=call.request.session_id)
        return Response(answer)


class MaskedValue(ApiView):
    rights: ClassVar = {"POST": Right.REQUESTS_READ}

    @describe(
        "Confirm that an answer held a suspected value",
        MaskedValueSerializer,
        body=SuspectedValueBody,
        operation_id="requests_masked_value",
    )
    def post(self, request: Request, request_id: UUID) -> Response:
        value = self.body(SuspectedValueBody)["value"]
        try:
            row, was_masked = selectors.held_masked_value(
                tenant=self.caller.tenant, request_id=request_id, plaintext_value=value
            )
        except ProxiedRequest.DoesNotExist:
            raise NotFound from None
        self.read_evidence(what="masked value", subject=row.pk, session_id=row.session_id)
        return Response(MaskedValueSerializer({"was_masked": was_masked}).data)
