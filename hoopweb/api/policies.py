"""`/policies/`: the tenant's policy texts and their immutable revisions. Publishing makes a new one current."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import rules
from gateway.policy import selectors, services
from gateway.policy.access import must_change
from gateway.policy.models import Policy, Revision
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.errors import NotFound
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import Keyset, newest

ORDER = newest("policies", "created_at")
REVISIONS = Keyset(name="revisions", fields={"number": int})
# Room for thousands of rules; the engine has its own limits on what they hold.
LARGEST_TEXT = 512 * 1024
MOST_PACKS = 50


class RevisionSerializer(serializers.ModelSerializer[Revision]):
    label = serializers.SerializerMethodField(help_text="How decisions cite it.")  # type: ignore[assignment]  # DRF takes declared fields off the class, so nothing is hidden

    class Meta:
        model = Revision
        fields = ("id", "label", "number", "packs", "text", "sha256", "published_at", "published_by")

    def get_label(self, revision: Revision) -> str:
        return services.label(revision)


class PolicySerializer(serializers.ModelSerializer[Policy]):
    current = serializers.UUIDField(source="current_id", allow_null=True)
    current_number = serializers.IntegerField(source="current.number", default=None, allow_null=True)

    class Meta:
        model = Policy
        fields = ("id", "name", "current", "current_number", "created_at")


class RevisionBody(StrictSerializer):
    packs = serializers.ListField(
        child=serializers.CharField(max_length=80), required=False, default=list, max_length=MOST_PACKS
    )
    text = serializers.CharField(trim_whitespace=False, allow_blank=True, max_length=LARGEST_TEXT)


class PolicyBody(RevisionBody):
    name = serializers.CharField(max_length=services.LONGEST_NAME, required=False, default=services.MAIN)


class Policies(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ, "POST": Right.POLICIES_WRITE}

    @describe("List policies", page_of(PolicySerializer), query=PageQuery, operation_id="policies_list")
    def get(self, request: Request) -> Response:
        rows = selectors.policies(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), PolicySerializer))

    @describe(
        "Publish under a policy's name, making the policy if it is new",
        RevisionSerializer,
        body=PolicyBody,
        status=201,
        operation_id="policies_publish",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = self.body(PolicyBody)
        return _publish(self, body.pop("name"), **body)


class Revisions(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ, "POST": Right.POLICIES_WRITE}

    @describe("List a policy's revisions", page_of(RevisionSerializer), query=PageQuery, operation_id="revisions_list")
    def get(self, request: Request, policy_id: UUID) -> Response:
        rows = selectors.revisions(self.caller.tenant, policy_name=self._policy(policy_id).name)
        return Response(paged(REVISIONS.page(rows, **self.query(PageQuery)), RevisionSerializer))

    @describe(
        "Publish a revision: from now on it decides",
        RevisionSerializer,
        body=RevisionBody,
        status=201,
        operation_id="revisions_publish",
    )
    @idempotent
    def post(self, request: Request, policy_id: UUID) -> Response:
        return _publish(self, self._policy(policy_id).name, **self.body(RevisionBody))

    def _policy(self, policy_id: UUID) -> Policy:
        found = selectors.policies(self.caller.tenant).filter(pk=policy_id).first()
        if found is None:
            raise NotFound
        return found


def _publish(view: ApiView, name: str, *, packs: list[str], text: str) -> Response:
    must_change(view.caller, name)
    made = rules.publish(
        tenant=view.caller.tenant, policy_name=name, packs=packs, text=text, by_label=view.caller.label, now=view.now
    )
    return Response(RevisionSerializer(made).data, status=201)
