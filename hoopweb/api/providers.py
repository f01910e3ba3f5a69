"""`/identity-providers/`: the tenant's single sign-on. Secrets go in and never come out."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.identity import providers, saml
from gateway.identity.door_models import IdentityProvider
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, PageQuery, StrictSerializer, describe, page_of, paged
from hoopweb.api.idempotency import idempotent
from hoopweb.api.pagination import newest

ORDER = newest("identity-providers", "created_at")


class IdentityProviderSerializer(serializers.ModelSerializer[IdentityProvider]):
    group_map = serializers.DictField()
    default_roles = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = IdentityProvider
        fields = (
            "id",
            "kind",
            "name",
            "title",
            "issuer",
            "client_id",
            "group_claim",
            "group_map",
            "default_roles",
            "is_enabled",
            "created_at",
        )


class OidcProviderBody(StrictSerializer):
    name = serializers.CharField(max_length=40)
    title = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    issuer = serializers.CharField(max_length=1000, help_text="Exactly as the provider calls itself.")
    client_id = serializers.CharField(max_length=300)
    client_secret = serializers.CharField(max_length=1000, trim_whitespace=False)
    group_claim = serializers.CharField(max_length=200, required=False, default="groups")
    group_map: Any = serializers.DictField(
        required=False, default=dict, help_text='{"group there": {"roles": [...], "groups": [...]}}'
    )
    default_roles = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, default=list, max_length=10
    )


class Providers(ApiView):
    rights: ClassVar = {"GET": Right.MEMBERS_READ, "POST": Right.PROVIDERS_WRITE}

    @describe(
        "List identity providers",
        page_of(IdentityProviderSerializer),
        query=PageQuery,
        operation_id="identity_providers_list",
    )
    def get(self, request: Request) -> Response:
        rows = providers.providers(self.caller.tenant)
        return Response(paged(ORDER.page(rows, **self.query(PageQuery)), IdentityProviderSerializer))

    @describe(
        "Connect an OpenID provider",
        IdentityProviderSerializer,
        body=OidcProviderBody,
        status=201,
        operation_id="identity_providers_create",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = self.body(OidcProviderBody)
        made = providers.create_oidc_provider(
            tenant=self.caller.tenant,
            plaintext_client_secret=given.pop("client_secret"),
            by_label=self.caller.label,
            now=self.now,
            **given,
        )
        return Response(IdentityProviderSerializer(made).data, status=201)


class SamlProviderBody(StrictSerializer):
    name = serializers.CharField(max_length=40)
    title = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    metadata = serializers.CharField(max_length=saml.LARGEST_METADATA, help_text="The provider's own metadata (XML).")
    group_claim = serializers.CharField(max_length=200, required=False, default="groups")
    group_map: Any = serializers.DictField(required=False, default=dict)
    default_roles = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, default=list, max_length=10
    )


class SamlProviders(ApiView):
    rights: ClassVar = {"POST": Right.PROVIDERS_WRITE}

    @describe(
        "Connect a SAML provider",
        IdentityProviderSerializer,
        body=SamlProviderBody,
        status=201,
        operation_id="identity_providers_create_saml",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        caller = self.caller
        made = saml.create_saml_provider(
            tenant=caller.tenant, by_label=caller.label, now=self.now, **self.body(SamlProviderBody)
        )
        return Response(IdentityProviderSerializer(made).data, status=201)


class _Switch(ApiView):
    rights: ClassVar = {"POST": Right.PROVIDERS_WRITE}
    is_enabled: ClassVar[bool]

    def _switched(self, provider_id: UUID) -> Response:
        self.body(StrictSerializer)
        found = providers.switch(
            tenant=self.caller.tenant,
            provider_id=provider_id,
            is_enabled=self.is_enabled,
            by_label=self.caller.label,
            now=self.now,
        )
        return Response(IdentityProviderSerializer(found).data)


class EnableProvider(_Switch):
    is_enabled = True

    @describe(
        "Open an identity provider",
        IdentityProviderSerializer,
        body=StrictSerializer,
        operation_id="identity_providers_enable",
    )
    @idempotent
    def post(self, request: Request, provider_id: UUID) -> Response:
        return self._switched(provider_id)


class DisableProvider(_Switch):
    is_enabled = False

    @describe(
        "Shut an identity provider",
        IdentityProviderSerializer,
        body=StrictSerializer,
        operation_id="identity_providers_disable",
    )
    @idempotent
    def post(self, request: Request, provider_id: UUID) -> Response:
        return self._switched(provider_id)
