"""`/workload-rules/`: which outside tokens (Kubernetes, CI) stand for which service account."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import workload_rules
from gateway.identity.door_models import WorkloadRule
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest

ORDER = newest("workload-rules", "created_at")


class WorkloadRuleSerializer(serializers.ModelSerializer[WorkloadRule]):
    class Meta:
        model = WorkloadRule
        fields = (
            "id",
            "service_account_id",
            "issuer",
            "audience",
            "subject",
            "claims",
            "scopes",
            "jwks_uri",
            "jwks",
            "created_at",
            "revoked_at",
        )


class WorkloadRuleBody(StrictSerializer):
    service_account = serializers.UUIDField()
    issuer = serializers.CharField(max_length=1000, help_text="Exactly as `iss` in its tokens.")
    audience = serializers.CharField(max_length=300, help_text="For AWS SDKs usually `sts.amazonaws.com`.")
    subject = serializers.CharField(max_length=500, help_text="Exact, or with `*` for a run without `:` and `/`.")
    claims = serializers.DictField(child=serializers.CharField(max_length=300), required=False, default=dict)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        default=list,
        max_length=40,
        help_text="What a token exchanged at /oauth/token may do; none, and it opens AWS alone.",
    )
    jwks_uri = serializers.CharField(max_length=1000, required=False, default="", help_text="Where its keys are.")
    jwks = serializers.DictField(
        required=False, allow_null=True, default=None, help_text="Its keys, for an issuer that cannot be reached."
    )


class WorkloadRules(ApiView):
    rights: ClassVar = {"GET": Right.AGENTS_READ, "POST": Right.AGENTS_WRITE}

    @describe(
        "List rules for outside tokens",
        page_of(WorkloadRuleSerializer),
        query=PageQuery,
        operation_id="workload_rules_list",
    )
    def get(self, request: Request) -> Response:
        rows = workload_rules.workload_rules(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), WorkloadRuleSerializer))

    @describe(
        "Let an issuer's tokens stand for a service account",
        WorkloadRuleSerializer,
        body=WorkloadRuleBody,
        status=201,
        operation_id="workload_rules_create",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        told = self.body(WorkloadRuleBody)
        made = workload_rules.add_workload_rule(
            tenant=self.caller.tenant,
            service_account_id=told.pop("service_account"),
            by_label=self.caller.label,
            granter_rights=self.caller.rights,
            now=self.now,
            **told,
        )
        return Response(WorkloadRuleSerializer(made).data, status=201)


class OneWorkloadRule(ApiView):
    rights: ClassVar = {"DELETE": Right.AGENTS_WRITE}

    @describe("Revoke a rule", WorkloadRuleSerializer, operation_id="workload_rules_revoke")
    def delete(self, request: Request, rule_id: UUID) -> Response:
        revoked = workload_rules.revoke_workload_rule(
            tenant=self.caller.tenant, rule_id=rule_id, by_label=self.caller.label, now=self.now
        )
        return Response(WorkloadRuleSerializer(revoked).data)
