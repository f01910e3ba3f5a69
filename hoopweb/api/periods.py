"""`/members/{id}/period/` and `/operator-access/`: who sees only some days of evidence, and the vendor's requests to look."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest
from hoopweb.reviews import periods
from hoopweb.reviews.models import EvidencePeriod, OperatorAccess

ORDER = newest("operator-access", "asked_at")


class PeriodSerializer(serializers.ModelSerializer[EvidencePeriod]):
    user = serializers.UUIDField(source="user_id")

    class Meta:
        model = EvidencePeriod
        fields = ("user", "since", "until", "ends_at", "set_by", "set_at")


class PeriodBody(StrictSerializer):
    since = serializers.DateTimeField(required=False, allow_null=True, default=None)
    until = serializers.DateTimeField(required=False, allow_null=True, default=None)
    ends_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class OperatorAccessSerializer(serializers.ModelSerializer[OperatorAccess]):
    class Meta:
        model = OperatorAccess
        fields = (
            "id",
            "operator",
            "reason",
            "hours",
            "asked_at",
            "is_allowed",
            "answered_by",
            "answered_at",
            "ends_at",
        )


class OperatorAnswerBody(StrictSerializer):
    is_allowed = serializers.BooleanField()


class MemberPeriod(ApiView):
    # Who comes in, and how far, is the owner's to say, as with providers; the services ask for `members:write` besides.
    rights: ClassVar = {"POST": Right.PROVIDERS_WRITE}

    @describe(
        "Confine a member to the evidence of a period", PeriodSerializer, body=PeriodBody, operation_id="members_period"
    )
    @idempotent
    def post(self, request: Request, user_id: UUID) -> Response:
        made = periods.set_period(by=self.caller, user_id=user_id, now=self.now, **self.body(PeriodBody))
        return Response(PeriodSerializer(made).data)


class OperatorAccesses(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ}

    @describe(
        "List operators' requests to look inside",
        page_of(OperatorAccessSerializer),
        query=PageQuery,
        operation_id="operator_access_list",
    )
    def get(self, request: Request) -> Response:
        rows = OperatorAccess.objects.for_tenant(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), OperatorAccessSerializer))


class OneOperatorAccess(ApiView):
    # Who comes in, and how far, is the owner's to say, as with providers; the services ask for `members:write` besides.
    rights: ClassVar = {"POST": Right.PROVIDERS_WRITE, "DELETE": Right.PROVIDERS_WRITE}

    @describe(
        "Let an operator of the vendor look inside, or not",
        OperatorAccessSerializer,
        body=OperatorAnswerBody,
        operation_id="operator_access_answer",
    )
    @idempotent
    def post(self, request: Request, access_id: UUID) -> Response:
        body = self.body(OperatorAnswerBody)
        made = periods.answer_access(by=self.caller, access_id=access_id, is_allowed=body["is_allowed"], now=self.now)
        return Response(OperatorAccessSerializer(made).data)

    @describe("Put an operator out before his hours are over", None, status=204, operation_id="operator_access_end")
    def delete(self, request: Request, access_id: UUID) -> Response:
        periods.end_access(by=self.caller, access_id=access_id, now=self.now)
        return Response(status=204)
