"""`/access-reviews/`: each quarter's campaign over who may do what, its lines, their answers, and its CSV."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, ProblemSerializer, StrictSerializer, describe, page_of, paged
from hoopweb.api.errors import CONTENT_TYPE
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest
from hoopweb.reviews import schedule, services
from hoopweb.reviews.export import csv_of, items_of
from hoopweb.reviews.models import AccessReview, ReviewAnswer, ReviewItem
from hoopweb.reviews.problems import ReviewNotFound

ORDER = newest("access-reviews", "opened_at")


class AccessReviewSerializer(serializers.ModelSerializer[AccessReview]):
    class Meta:
        model = AccessReview
        fields: tuple[str, ...] = ("id", "quarter", "opened_by", "opened_at", "due_at", "closed_at")


class ReviewItemSerializer(serializers.ModelSerializer[ReviewItem]):
    class Meta:
        model = ReviewItem
        fields = (
            "id",
            "kind",
            "subject",
            "label",
            "access",
            "since",
            "last_used_at",
            "answer",
            "reason",
            "answered_by",
            "answered_at",
        )


class AccessReviewDetailSerializer(AccessReviewSerializer):
    items = serializers.SerializerMethodField()

    class Meta(AccessReviewSerializer.Meta):
        fields = (*AccessReviewSerializer.Meta.fields, "items")

    def get_items(self, review: AccessReview) -> list[dict[str, Any]]:
        return list(ReviewItemSerializer(items_of(review), many=True).data)


class NothingBody(StrictSerializer):
    """No members."""


class AnswerBody(StrictSerializer):
    answer = serializers.ChoiceField(ReviewAnswer.choices)
    reason = serializers.CharField(max_length=services.LARGEST_REASON)


def one_review(tenant: Tenant, review_id: UUID) -> AccessReview:
    found: AccessReview | None = AccessReview.objects.for_tenant(tenant).filter(pk=review_id).first()
    if found is None:
        raise ReviewNotFound
    return found


class ScheduleSerializer(serializers.Serializer[Any]):
    is_on = serializers.BooleanField(help_text="Each quarter's review begins by itself.")
    days_to_answer = serializers.IntegerField()
    remind_days_before = serializers.ListField(child=serializers.IntegerField())


class ScheduleBody(StrictSerializer):
    is_on = serializers.BooleanField()
    days_to_answer = serializers.IntegerField(min_value=schedule.FEWEST_DAYS, max_value=schedule.MOST_DAYS)
    remind_days_before = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=schedule.MOST_DAYS), max_length=schedule.MOST_REMINDERS
    )


class Schedule(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ, "PATCH": services.REVIEWERS}

    @describe("Read how access reviews are held", ScheduleSerializer, operation_id="access_review_schedule_read")
    def get(self, request: Request) -> Response:
        return Response(ScheduleSerializer(services.schedule_of(self.caller.tenant)).data)

    @describe(
        "Say how access reviews are held",
        ScheduleSerializer,
        body=ScheduleBody,
        operation_id="access_review_schedule_change",
    )
    @idempotent
    def patch(self, request: Request) -> Response:
        made = schedule.choose_schedule(by=self.caller, now=self.now, **self.body(ScheduleBody))
        return Response(ScheduleSerializer(made).data)


class AccessReviews(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ, "POST": services.REVIEWERS}

    @describe(
        "List access reviews", page_of(AccessReviewSerializer), query=PageQuery, operation_id="access_reviews_list"
    )
    def get(self, request: Request) -> Response:
        rows = AccessReview.objects.for_tenant(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), AccessReviewSerializer))

    @describe(
        "Begin this quarter's access review",
        AccessReviewDetailSerializer,
        body=NothingBody,
        status=201,
        operation_id="access_reviews_open",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        self.body(NothingBody)
        review = services.open_review(by=self.caller, now=self.now)
        return Response(AccessReviewDetailSerializer(review).data, status=201)


class OneAccessReview(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ}

    @describe("Read one access review with its lines", AccessReviewDetailSerializer, operation_id="access_reviews_read")
    def get(self, request: Request, review_id: UUID) -> Response:
        return Response(AccessReviewDetailSerializer(one_review(self.caller.tenant, review_id)).data)


class ReviewAnswers(ApiView):
    rights: ClassVar = {"POST": services.REVIEWERS}

    @describe(
        "Keep or remove one line's access",
        ReviewItemSerializer,
        body=AnswerBody,
        status=201,
        operation_id="access_reviews_answer",
    )
    @idempotent
    def post(self, request: Request, review_id: UUID, item_id: UUID) -> Response:
        body = self.body(AnswerBody)
        item = services.answer(
            by=self.caller,
            review_id=review_id,
            item_id=item_id,
            answer=ReviewAnswer(body["answer"]),
            reason=body["reason"],
            now=self.now,
        )
        return Response(ReviewItemSerializer(item).data, status=201)


def csv_answer(review: AccessReview) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(csv_of(review), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="access-review-{review.quarter}.csv"'
    return answer


class ReviewExport(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ}

    @extend_schema(
        summary="One access review as CSV; exporting is recorded",
        operation_id="access_reviews_export",
        responses={(200, "text/csv"): str, ("4XX", CONTENT_TYPE): ProblemSerializer},
    )
    def get(self, request: Request, review_id: UUID) -> StreamingHttpResponse:
        review = one_review(self.caller.tenant, review_id)
        answer = csv_answer(review)
        self.read_evidence(what="access review, exported", subject=review.pk)
        return answer
