"""A small day at acme, told by the rooms' own services: a prompt, three calls, one of them waiting for approval."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from approvals.models import ApprovalRequest
from approvals.services import ApprovalDetails, open_or_join
from audit.kinds import EventKind
from audit.models import Prompt, Session
from audit.prompts import record_prompt
from audit.recordings import sealed_half, store
from audit.services import append
from audit.sessions import session_for
from gateway.connections.models import Connection
from gateway.identity.models import Agent, GatewayKey, User
from gateway.requests.models import ProxiedRequest
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.terms import Ask

SECRET = "AKIAQ7RZ2MWT5PLK3N4V"
WORDS = "Clean up the old billing instances\nand read the database password"


@dataclass(frozen=True, kw_only=True)
class Story:
    """What was made. `hidden` holds text an approver must never be shown as it is."""

    tenant: Tenant
    session: Session
    prompt: Prompt
    read: ProxiedRequest
    refused: ProxiedRequest
    held: ProxiedRequest
    approval: ApprovalRequest
    hidden: str


HIDDEN = "i-0abc\u202etxt.exe\u200b<script>alert(1)</script>"


class Teller:
    """Makes rows of one tenant at chosen moments."""

    def __init__(self, tenant: Tenant, person: User, agent: Agent, key: GatewayKey, connection: Connection) -> None:
        self.tenant, self.person, self.agent, self.key, self.connection = tenant, person, agent, key, connection

    def session(self, conversation: str, now: datetime) -> Session:
        made, _ = session_for(
            tenant_id=self.tenant.pk,
            person_id=self.person.pk,
            person_label=self.person.get_username(),
            agent_id=self.agent.pk,
            agent_label=self.agent.name,
            connection_id=self.connection.pk,
            connection_label=self.connection.name,
            conversation=conversation,
            key_id=self.key.pk,
            now=now,
        )
        return made

    def prompt(self, text: str, *, conversation: str, generation: str, now: datetime) -> Prompt:
        return record_prompt(
            tenant=self.tenant,
            person_id=self.person.pk,
            person_label=self.person.get_username(),
            agent_id=self.agent.pk,
            agent_label=self.agent.name,
            conversation=conversation,
            generation=generation,
            text=text,
            source="person",
            now=now,
            random=os.urandom,
        )

    def call(self, session: Session, prompt: Prompt | None, *, at: datetime, **changed: Any) -> ProxiedRequest:
        values: dict[str, Any] = {
            "tenant": self.tenant,
            "session": session,
            "prompt": prompt,
            "key": self.key,
            "link": "B" if prompt else "D",
            "link_reason": "The key is bound to one generation of its conversation.",
            "person_id": self.person.pk,
            "person_label": self.person.get_username(),
            "agent_id": self.agent.pk,
            "agent_label": self.agent.name,
            "connection_id": self.connection.pk,
            "connection_label": self.connection.name,
            "edge_id": uuid.uuid4(),
            "boot_id": uuid.uuid4(),
            "source": "203.0.113.7",
            "method": "POST",
            "fingerprint": uuid.uuid4().hex,
            "service": "secretsmanager",
            "operation": "GetSecretValue",
            "region": "eu-central-1",
            "access": "Read",
            "actions": ["secretsmanager:GetSecretValue"],
            "resources": ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:billing/db-4xZ"],
            "parameters": {"SecretId": "billing/db"},
            "question": {"region": "eu-central-1"},
            "effect": "allow",
            "rule_ids": ["starter.reads"],
            "revision": "main@1",
            "state": "completed",
            "received_at": at,
            "decided_at": at + timedelta(milliseconds=3),
            "started_at": at + timedelta(milliseconds=4),
            "ended_at": at + timedelta(milliseconds=96),
            "status": 200,
            "aws_request_id": "f3a1c2d4-aws",
            "bytes_down": 412,
            "bytes_scanned": 412,
            "masked": {"by_type": {"password": 1}, "by_rule": {}},
        }
        made: ProxiedRequest = ProxiedRequest.objects.create(**(values | changed))
        return made

    def recorded(self, call: ProxiedRequest, part: str, body: bytes) -> None:
        half = sealed_half(
            tenant_id=self.tenant.pk,
            request_id=call.pk,
            part=part,
            body=body,
            content_type="application/x-amz-json-1.1",
            salt=os.urandom(32),
            is_whole=True,
            byte_count=len(body),
            now=call.received_at,
        )
        store(tenant_id=self.tenant.pk, halves=[half])


def tell(teller: Teller, now: datetime) -> Story:
    """Tell the story in the tenant's transaction; `now` is when the agent asked for approval."""
    start = now - timedelta(minutes=5)
    session = teller.session("conv-1", start)
    prompt = teller.prompt(f"{WORDS} with {SECRET}", conversation="conv-1", generation="gen-1", now=start)
    read = teller.call(session, prompt, at=start + timedelta(seconds=10))
    teller.recorded(read, "response", b'{"Name":"billing/db","SecretString":"[masked:password:0f]"}')
    refused = teller.call(
        session,
        prompt,
        at=start + timedelta(seconds=40),
        service="s3",
        operation="DeleteBucket",
        resources=["arn:aws:s3:::billing-archive"],
        parameters={"Bucket": "billing-archive"},
        access="Write",
        actions=["s3:DeleteBucket"],
        effect="deny",
        state="refused",
        rule_ids=["destroys.buckets"],
        advice="Empty the bucket's prefix instead.",
        refusal_code="policy.denied",
        started_at=None,
        ended_at=None,
        status=None,
        aws_request_id="",
        masked={},
    )
    held, approval = _held(teller, session, prompt, now)
    written = append(
        tenant_id=teller.tenant.pk, kind=EventKind.REQUEST_ADMITTED, at=now, subject=read.pk, session_id=session.pk
    )
    read.event_sequence = written.sequence
    read.save()
    Session.objects.for_tenant(teller.tenant).filter(pk=session.pk).update(calls=3, refused=1, held=1, secrets_masked=1)
    return Story(
        tenant=teller.tenant,
        session=session,
        prompt=prompt,
        read=read,
        refused=refused,
        held=held,
        approval=approval,
        hidden=HIDDEN,
    )


def _held(teller: Teller, session: Session, prompt: Prompt, now: datetime) -> tuple[ProxiedRequest, ApprovalRequest]:
    request_id = uuid.uuid4()
    instance = "arn:aws:ec2:eu-central-1:123456789012:instance/i-0abc"
    parameters = {"InstanceIds": [HIDDEN], "DryRun": False}
    approval = open_or_join(
        tenant_id=teller.tenant.pk,
        digest=uuid.uuid4().hex * 2,
        asks=(Ask(rule_id="terminate-asks", approvers="operators"),),
        details=ApprovalDetails(
            request_id=request_id,
            session_id=session.pk,
            prompt_id=prompt.pk,
            asker_id=teller.person.pk,
            asker_label=teller.person.get_username(),
            agent_id=teller.agent.pk,
            agent_label=teller.agent.name,
            key_id=teller.key.pk,
            connection_id=teller.connection.pk,
            connection_label=teller.connection.name,
            service="ec2",
            operation="TerminateInstances",
            region="eu-central-1",
            resources=[instance],
            parameters=parameters,
            revision="main@1",
        ),
        now=now,
    )
    held = teller.call(
        session,
        prompt,
        at=now,
        id=request_id,
        service="ec2",
        operation="TerminateInstances",
        access="Write",
        actions=["ec2:TerminateInstances"],
        resources=[instance],
        parameters=parameters,
        effect="ask",
        state="held",
        rule_ids=["terminate-asks"],
        approval_id=approval.pk,
        started_at=None,
        ended_at=None,
        status=None,
        aws_request_id="",
        masked={},
    )
    return held, approval


@pytest.fixture
def teller(
    acme: Tenant, alice: User, billing_agent: Agent, alices_key: GatewayKey, billing_account: Connection
) -> Teller:
    return Teller(acme, alice, billing_agent, alices_key, billing_account)


@pytest.fixture
def story(teller: Teller, approver_rules: None) -> Story:
    # Approvals expire by the real clock, which the views read.
    with in_tenant(teller.tenant):
        return tell(teller, timezone.now())


@contextmanager
def queries() -> Iterator[list[str]]:
    """Collect the SQL of a block, but for data keys: one made in a test's own transaction is never cached."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    # Nor are the savepoint and the setting around looking for one.
    around = ("sealing_datakey", "SAVEPOINT", "set_config")
    found.extend(one["sql"] for one in captured.captured_queries if not any(word in one["sql"] for word in around))
