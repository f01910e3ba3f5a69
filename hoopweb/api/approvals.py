"""`/approvals/`: calls that wait for people, and people's votes. GET never votes."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import selectors, services
from approvals.escaping import visible_lines
from approvals.models import ApprovalRequest, ApprovalRequirement, ApprovalState, Vote, VoteAnswer
from audit.models import Prompt
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.escaped import EscapedField
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest
from hoopweb.presence import signed_in_at

ORDER = newest("approvals", "opened_at")


class RequirementSerializer(serializers.ModelSerializer[ApprovalRequirement]):
    class Meta:
        model = ApprovalRequirement
        fields = ("rule_id", "approvers", "quorum")


class VoteSerializer(serializers.ModelSerializer[Vote]):
    voter = serializers.UUIDField(source="voter_id")
    reason = EscapedField()
    by_api_key = serializers.UUIDField(source="api_key_id", allow_null=True)

    class Meta:
        model = Vote
        fields = ("voter", "voter_label", "answer", "reason", "groups", "by_api_key", "voted_at")


class ApprovalSerializer(serializers.ModelSerializer[ApprovalRequest]):
    request = serializers.UUIDField(source="request_id")
    session = serializers.UUIDField(source="session_id", allow_null=True)
    prompt = serializers.UUIDField(source="prompt_id", allow_null=True)
    asker = serializers.UUIDField(source="asker_id")
    agent = serializers.UUIDField(source="agent_id", allow_null=True)
    connection = serializers.UUIDField(source="connection_id")
    resources = EscapedField()
    parameters = EscapedField(help_text="Escaped: no invisible or reordering character passes as text.")
    pins = EscapedField(help_text="What moving references in the call were when people were asked; checked at the run.")
    not_pinned = EscapedField(
        help_text="References nobody could read: they may mean something else when the call runs."
    )
    requirements = RequirementSerializer(many=True)
    votes = VoteSerializer(many=True)

    class Meta:
        model = ApprovalRequest
        fields: tuple[str, ...] = (
            "id",
            "state",
            "request",
            "session",
            "prompt",
            "asker",
            "asker_label",
            "agent",
            "agent_label",
            "connection",
            "connection_label",
            "service",
            "operation",
            "region",
            "resources",
            "parameters",
            "pins",
            "not_pinned",
            "revision",
            "digest",
            "runs_at_once",
            "client_is_waiting",
            "opened_at",
            "expires_at",
            "decided_at",
            "used_by_request",
            "requirements",
            "votes",
        )


class ApprovalDetailSerializer(ApprovalSerializer):
    prompt_text = serializers.SerializerMethodField(help_text="The masked prompt that led here, escaped.")

    class Meta(ApprovalSerializer.Meta):
        fields = (*ApprovalSerializer.Meta.fields, "prompt_text")

    def get_prompt_text(self, approval: ApprovalRequest) -> str | None:
        prompt = prompt_of(approval)
        return visible_lines(prompt.masked_text) if prompt else None


class ApprovalQuery(PageQuery):
    state = serializers.ChoiceField(ApprovalState.choices, required=False)


class VoteBody(StrictSerializer):
    answer = serializers.ChoiceField(VoteAnswer.choices)
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=2000)


def prompt_of(approval: ApprovalRequest) -> Prompt | None:
    """Return the prompt an approver must read: the one that caused the call, or None where none is known."""
    if approval.prompt_id is None:
        return None
    rows = Prompt.objects.for_tenant(approval.tenant_id).defer("sealed_text", "sealed_salt")
    return rows.filter(pk=approval.prompt_id).first()


def _told(tenant: Tenant, approval_id: UUID) -> dict[str, Any]:
    detail = selectors.detail(tenant=tenant, approval_id=approval_id)
    return dict(ApprovalDetailSerializer(detail.approval).data)


class Approvals(ApiView):
    rights: ClassVar = {"GET": Right.APPROVALS_READ}

    @describe("List approval requests", page_of(ApprovalSerializer), query=ApprovalQuery, operation_id="approvals_list")
    def get(self, request: Request) -> Response:
        query = self.query(ApprovalQuery)
        rows = selectors.listed(tenant=self.caller.tenant, state=query.pop("state", None))
        return Response(paged(ORDER.page(rows, **query), ApprovalSerializer))


class OneApproval(ApiView):
    rights: ClassVar = {"GET": Right.APPROVALS_READ}

    @describe("Read one approval request, with its prompt", ApprovalDetailSerializer, operation_id="approvals_read")
    def get(self, request: Request, approval_id: UUID) -> Response:
        return Response(_told(self.caller.tenant, approval_id))


class Votes(ApiView):
    rights: ClassVar = {"POST": Right.APPROVALS_VOTE}

    @describe("Approve or refuse", ApprovalDetailSerializer, body=VoteBody, status=201, operation_id="approvals_vote")
    @idempotent
    def post(self, request: Request, approval_id: UUID) -> Response:
        body = self.body(VoteBody)
        tenant = self.caller.tenant
        services.vote(
            tenant=tenant,
            approval_id=approval_id,
            caller=self.caller,
            now=self.now,
            # A key proves itself each time; a browser's session may have been open for long.
            signed_in_at=None if self.caller.api_key else signed_in_at(request._request),
            **body,
        )
        return Response(_told(tenant, approval_id), status=201)
