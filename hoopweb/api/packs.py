"""`/packs/`: the rule packs this version ships with, to be named in a revision (`hoopweb.api.policies`)."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.engine.annotations import RuleKind
from gateway.policy.packs import STARTING, packs
from gateway.tenants.rights import Right
from hoopweb.api.base import ApiView, StrictSerializer, describe, page_of


class PackRuleSerializer(serializers.Serializer[object]):
    id = serializers.CharField(help_text="What decisions cite.")
    kind = serializers.ChoiceField(choices=[str(kind) for kind in RuleKind])
    actions = serializers.ListField(
        child=serializers.CharField(), source="scope", help_text="IAM actions, `class:` or `service:` groups."
    )
    advice = serializers.CharField(help_text="What an agent is told to do instead.")


class PackSerializer(serializers.Serializer[object]):
    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    approvers = serializers.ListField(
        child=serializers.CharField(), help_text="Approval rules its asks name; each must exist for anybody to answer."
    )
    is_starting = serializers.SerializerMethodField(help_text="Whether a new tenant's policy stands on it.")
    rules = PackRuleSerializer(many=True)
    text = serializers.CharField(help_text="Its Cedar text: publish an edited copy to make an exception.")

    def get_is_starting(self, pack: object) -> bool:
        return getattr(pack, "name", "") in STARTING


class NoQuery(StrictSerializer):
    """This version's packs are few: there is one page, and nothing to ask for."""


class Packs(ApiView):
    rights: ClassVar = {"GET": Right.POLICIES_READ}

    @describe("List the packs that ship with the product", page_of(PackSerializer), operation_id="packs_list")
    def get(self, request: Request) -> Response:
        self.query(NoQuery)
        return Response({"items": PackSerializer(packs(), many=True).data, "next": None})
