"""How the approval tests ask: one held call of alice's agent, and what the ledger says afterwards."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from approvals.models import ApprovalRequest, ApprovalState
from approvals.services import ApprovalDetails, open_or_join
from audit.models import Event
from gateway.identity.models import Agent, GatewayKey, User
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import Ask
from tests.people import NOW

DIGEST = "d" * 64
OPERATORS = Ask(rule_id="terminate-asks", approvers="operators")
TWO_OPERATORS = replace(OPERATORS, quorum=2)
SECURITY = Ask(rule_id="production-asks", approvers="security", expires_seconds=900)


class Asking:
    """Alice's agent, asking to terminate an instance."""

    def __init__(self, tenant: Tenant, alice: User, agent: Agent | None, key: GatewayKey) -> None:
        self.tenant, self.alice, self.agent, self.key = tenant, alice, agent, key

    def details(self, **changed: Any) -> ApprovalDetails:
        told: dict[str, Any] = {
            "request_id": uuid.uuid4(),
            "asker_id": self.alice.pk,
            "asker_label": "alice",
            "agent_id": self.agent.pk if self.agent else None,
            "agent_label": self.agent.name if self.agent else "",
            "key_id": self.key.pk,
            "connection_id": self.key.connection_id,
            "connection_label": "billing",
            "service": "ec2",
            "operation": "TerminateInstances",
            "region": "eu-central-1",
            "resources": ["arn:aws:ec2:eu-central-1:123456789012:instance/i-1"],
            "parameters": {"InstanceIds": ["i-1"]},
            "revision": "acme@3",
        }
        return ApprovalDetails(**(told | changed))

    def open(
        self, *asks: Ask, digest: str = DIGEST, now: datetime = NOW, details: ApprovalDetails | None = None
    ) -> ApprovalRequest:
        with in_tenant(self.tenant):
            return open_or_join(
                tenant_id=self.tenant.pk,
                digest=digest,
                asks=asks or (OPERATORS,),
                details=details or self.details(),
                now=now,
            )

    def granted(self, *, digest: str = DIGEST) -> ApprovalRequest:
        """A grant as the row says it, where how it came about is another test's matter."""
        approval = self.open(digest=digest)
        with in_tenant(self.tenant):
            approval.state = ApprovalState.GRANTED
            approval.save()
        return approval


@pytest.fixture
def asking(acme: Tenant, alice: User, billing_agent: Agent, alices_key: GatewayKey, approver_rules: None) -> Asking:
    return Asking(acme, alice, billing_agent, alices_key)


def state_of(approval: ApprovalRequest) -> str:
    with in_tenant(approval.tenant_id):
        return str(ApprovalRequest.objects.get(pk=approval.pk).state)


def events_of(tenant: Tenant) -> list[tuple[str, UUID, dict[str, Any]]]:
    """Kind, subject and facts of every event, in the ledger's order."""
    with in_tenant(tenant):
        rows = list(Event.objects.for_tenant(tenant).order_by("sequence"))
    return [(row.kind, row.subject, json.loads(bytes(row.body))["data"]) for row in rows]


def kinds_of(tenant: Tenant) -> list[str]:
    return [kind for kind, _, _ in events_of(tenant)]
