"""`/approval-rules/`: which group answers where policy says `@approvers("name")`. What is asked is the policy's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import rules
from approvals.models import ApprovalRule
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import Keyset

ORDER = Keyset(name="approval-rules", fields={"id": UUID})


class ApprovalRuleSerializer(serializers.ModelSerializer[ApprovalRule]):
    people = serializers.SerializerMethodField(help_text="How many could vote today. An ask waits for its quorum.")

    class Meta:
        model = ApprovalRule
        fields = ("id", "name", "group", "people")

    def get_people(self, rule: ApprovalRule) -> int:
        people: dict[str, int] = self.context["people"]
        return people[rule.group]


class ChangedApprovalRuleBody(StrictSerializer):
    group = serializers.CharField(max_length=80, trim_whitespace=False, help_text="Members with the right to vote.")


class ApprovalRuleBody(ChangedApprovalRuleBody):
    name = serializers.CharField(max_length=80, trim_whitespace=False, help_text="What policy's `@approvers` says.")


def told(tenant: Tenant, rule: ApprovalRule) -> dict[str, Any]:
    return dict(ApprovalRuleSerializer(rule, context=_people(tenant, [rule])).data)


def _people(tenant: Tenant, shown: Sequence[ApprovalRule]) -> dict[str, Any]:
    return {"people": rules.answering_now(tenant, {rule.group for rule in shown})}


class ApprovalRules(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ, "POST": Right.POLICIES_WRITE}

    @describe(
        "List approval rules", page_of(ApprovalRuleSerializer), query=PageQuery, operation_id="approval_rules_list"
    )
    def get(self, request: Request) -> Response:
        tenant = self.caller.tenant
        page = ORDER.page(rules.approval_rules(tenant), **self.query(PageQuery))
        return Response(paged(page, ApprovalRuleSerializer, **_people(tenant, page.items)))

    @describe(
        "Let a group answer for a name that policy asks",
        ApprovalRuleSerializer,
        body=ApprovalRuleBody,
        status=201,
        operation_id="approval_rules_create",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        tenant, body = self.caller.tenant, self.body(ApprovalRuleBody)
        made = rules.create_approval_rule(tenant=tenant, by_label=self.caller.label, now=self.now, **body)
        return Response(told(tenant, made), status=201)


class OneApprovalRule(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ, "PATCH": Right.POLICIES_WRITE}

    @describe("Read an approval rule", ApprovalRuleSerializer, operation_id="approval_rules_read")
    def get(self, request: Request, approval_rule_id: UUID) -> Response:
        tenant = self.caller.tenant
        return Response(told(tenant, rules.approval_rule(tenant, approval_rule_id)))

    @describe(
        "Let another group answer, open requests included",
        ApprovalRuleSerializer,
        body=ChangedApprovalRuleBody,
        operation_id="approval_rules_change",
    )
    @idempotent
    def patch(self, request: Request, approval_rule_id: UUID) -> Response:
        tenant = self.caller.tenant
        changed = rules.change_approval_rule(
            tenant=tenant,
            rule_id=approval_rule_id,
            by_label=self.caller.label,
            now=self.now,
            **self.body(ChangedApprovalRuleBody),
        )
        return Response(told(tenant, changed))
