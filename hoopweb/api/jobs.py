"""`/masking-jobs/`: recordings masked again, masked copies of objects, and scans for where secrets lie."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.jobs import services, tasks
from gateway.jobs.models import JobFinding, JobKind, JobState, MaskingJob
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import Keyset, newest

ORDER = newest("masking-jobs", "created_at")
FINDINGS = Keyset(name="masking-job-findings", fields={"place": str, "id": UUID})
SCANNED = ("bucket", "table", "log-group")


class JobSerializer(serializers.ModelSerializer[MaskingJob]):
    kind = serializers.ChoiceField(JobKind.choices)
    state = serializers.ChoiceField(JobState.choices)
    connection = serializers.UUIDField(source="connection_id", allow_null=True)
    about = serializers.SerializerMethodField(help_text="On what, in words.")
    target = serializers.DictField()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="What came of it so far.")
    progress = serializers.DictField(
        allow_null=True, help_text="What is being read at this moment: `place`, and how many `bytes` of it were."
    )
    rules = serializers.CharField(help_text="The version of the rules it began with.")

    class Meta:
        model = MaskingJob
        fields = (
            "id",
            "kind",
            "state",
            "connection",
            "about",
            "target",
            "counts",
            "pages",
            "progress",
            "rules",
            "error",
            "started_by",
            "reason",
            "created_at",
            "began_at",
            "ended_at",
        )

    def get_about(self, job: MaskingJob) -> str:
        return services.described(job)


class JobFindingSerializer(serializers.ModelSerializer[JobFinding]):
    types = serializers.DictField(child=serializers.IntegerField())
    rules = serializers.DictField(child=serializers.IntegerField())

    class Meta:
        model = JobFinding
        fields = ("place", "types", "rules")


class RemaskBody(StrictSerializer):
    reason = serializers.CharField(max_length=400, required=False, default="", allow_blank=True)


class ScanBody(RemaskBody):
    connection = serializers.UUIDField()
    what = serializers.ChoiceField([(one, one) for one in SCANNED])
    region = serializers.CharField(
        max_length=40, required=False, default="", allow_blank=True, help_text="One of the connection's; its first."
    )
    bucket = serializers.CharField(max_length=63, required=False, default="", allow_blank=True)
    prefix = serializers.CharField(
        max_length=services.LONGEST_PREFIX, required=False, default="", allow_blank=True, trim_whitespace=False
    )
    table = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)
    log_group = serializers.CharField(max_length=512, required=False, default="", allow_blank=True)
    percent = serializers.IntegerField(min_value=1, max_value=100, required=False, default=100)


class CopyBody(RemaskBody):
    connection = serializers.UUIDField()
    region = serializers.CharField(max_length=40, required=False, default="", allow_blank=True)
    bucket = serializers.CharField(max_length=63)
    prefix = serializers.CharField(
        max_length=services.LONGEST_PREFIX,
        allow_blank=True,
        trim_whitespace=False,
        help_text="A whole key for one object.",
    )
    to_bucket = serializers.CharField(max_length=63)
    to_prefix = serializers.CharField(max_length=services.LONGEST_PREFIX, allow_blank=True, trim_whitespace=False)


class Jobs(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ}

    @describe("List masking jobs", page_of(JobSerializer), query=PageQuery, operation_id="masking_jobs_list")
    def get(self, request: Request) -> Response:
        return Response(paged(ORDER.page(services.jobs(self.caller.tenant), **self.query(PageQuery)), JobSerializer))


class OneJob(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ, "DELETE": Right.JOBS_RUN}

    @describe("Read one job with its progress", JobSerializer, operation_id="masking_jobs_read")
    def get(self, request: Request, job_id: UUID) -> Response:
        return Response(JobSerializer(services.job_of(self.caller.tenant, job_id)).data)

    @describe("Cancel a job: the page at work is its last", JobSerializer, operation_id="masking_jobs_cancel")
    def delete(self, request: Request, job_id: UUID) -> Response:
        caller = self.caller
        ended = services.cancel(tenant=caller.tenant, job_id=job_id, by_label=caller.label, now=self.now)
        return Response(JobSerializer(ended).data)


class JobFindings(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ}

    @describe(
        "List where a job found secrets",
        page_of(JobFindingSerializer),
        query=PageQuery,
        operation_id="masking_job_findings_list",
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        rows = services.findings(services.job_of(self.caller.tenant, job_id))
        return Response(paged(FINDINGS.page(rows, **self.query(PageQuery)), JobFindingSerializer))


class _Starts(ApiView):
    rights: ClassVar = {"POST": Right.JOBS_RUN}

    def by(self) -> dict[str, Any]:
        return {"tenant": self.caller.tenant, "by_label": self.caller.label, "now": self.now}

    def started(self, job: MaskingJob) -> Response:
        queue_soon(self.caller.tenant, job)
        return Response(JobSerializer(job).data, status=201)


def queue_soon(tenant: Tenant, job: MaskingJob) -> None:
    """Tell a worker once the job is committed."""
    transaction.on_commit(lambda: tasks.queue(tenant.pk, job.pk))


class Remasks(_Starts):
    @describe(
        "Mask all recordings again with the rules of today",
        JobSerializer,
        body=RemaskBody,
        status=201,
        operation_id="masking_jobs_remask",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        return self.started(services.start_remask(reason=self.body(RemaskBody)["reason"], **self.by()))


class Scans(_Starts):
    @describe(
        "Scan a bucket, table or log group for where secrets lie",
        JobSerializer,
        body=ScanBody,
        status=201,
        operation_id="masking_jobs_scan",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = self.body(ScanBody)
        connection, reason = body.pop("connection"), body.pop("reason")
        return self.started(services.start_scan(connection_id=connection, target=body, reason=reason, **self.by()))


class Copies(_Starts):
    @describe(
        "Copy the objects below a prefix, masked",
        JobSerializer,
        body=CopyBody,
        status=201,
        operation_id="masking_jobs_copy",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = self.body(CopyBody)
        connection, reason = body.pop("connection"), body.pop("reason")
        return self.started(services.start_copy(connection_id=connection, target=body, reason=reason, **self.by()))
