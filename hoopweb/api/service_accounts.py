"""`/service-accounts/`: workloads that act without a person at hand."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import selectors, services
from gateway.identity.models import ServiceAccount
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest

ORDER = newest("service-accounts", "created_at")


class ServiceAccountSerializer(serializers.ModelSerializer[ServiceAccount]):
    class Meta:
        model = ServiceAccount
        fields = ("id", "name", "is_suspended", "created_at")


class ServiceAccountBody(StrictSerializer):
    name = serializers.CharField(max_length=80)


class ServiceAccounts(ApiView):
    rights: ClassVar = {"GET": Right.AGENTS_READ, "POST": Right.AGENTS_WRITE}

    @describe(
        "List service accounts",
        page_of(ServiceAccountSerializer),
        query=PageQuery,
        operation_id="service_accounts_list",
    )
    def get(self, request: Request) -> Response:
        rows = selectors.service_accounts(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), ServiceAccountSerializer))

    @describe(
        "Make a service account known",
        ServiceAccountSerializer,
        body=ServiceAccountBody,
        status=201,
        operation_id="service_accounts_create",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        caller = self.caller
        made = services.create_service_account(
            tenant=caller.tenant, by_label=caller.label, now=self.now, **self.body(ServiceAccountBody)
        )
        return Response(ServiceAccountSerializer(made).data, status=201)
