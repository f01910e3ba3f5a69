"""Questions to ask the engine: a small builder whose defaults are an everyday read by a person's agent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from gateway.engine import CompiledRevision, compile_revision, decide
from gateway.terms import (
    AccessClass,
    Action,
    Candidate,
    Decision,
    LinkLevel,
    Operation,
    Principal,
    PrincipalKind,
    Protocol,
    Question,
    Resource,
)

ALICE = Principal(
    kind=PrincipalKind.PERSON,
    id=UUID("00000000-0000-4000-8000-00000000a11c"),
    label="alice@acme.example",
    groups=("developers",),
    agent_id=UUID("00000000-0000-4000-8000-0000000a6e07"),
    agent_label="claude-code",
)
PIPELINE = Principal(
    kind=PrincipalKind.SERVICE_ACCOUNT, id=UUID("00000000-0000-4000-8000-00000000c1c1"), label="pipeline"
)
HOOPWEB = Principal(kind=PrincipalKind.SYSTEM, id=UUID("00000000-0000-4000-8000-000000005e1f"), label="hoopweb")

ANYTHING = '@id("anything") permit (principal, action, resource);'


def bucket(name: str) -> Resource:
    return Resource(arn=f"arn:aws:s3:::{name}", service="s3")


def candidate(
    name: str = "s3:GetObject",
    access: AccessClass = AccessClass.READ,
    *,
    operation: str = "",
    is_modelled: bool = True,
    resources: tuple[Resource, ...] = (bucket("reports"),),
    **rest: Any,
) -> Candidate:
    """One reading whose single action is `name`; its operation has the action's name unless told (`service:Name`)."""
    service, _, verb = (operation or name).partition(":")
    return Candidate(
        operation=Operation(
            service=service, name=verb, protocol=Protocol.JSON, signing_name=service, is_modelled=is_modelled
        ),
        access=access,
        actions=rest.pop("actions", (Action(name=name, access=access),)),
        resources=resources,
        **rest,
    )


def question(*candidates: Candidate, **changes: Any) -> Question:
    """The given readings (an everyday read if none), asked by Alice's agent from the office at 14 h UTC."""
    asked = Question(
        tenant_id=UUID(int=1),
        principal=ALICE,
        connection_id=UUID(int=2),
        connection_label="production",
        account="111122223333",
        region="eu-west-1",
        candidates=candidates or (candidate(),),
        link=LinkLevel.CONVERSATION,
        is_machine_turn=False,
        source_address="192.0.2.7",
        hour_utc=14,
    )
    return replace(asked, **changes)


def compiled(*rules: str) -> CompiledRevision:
    return compile_revision("\n".join(rules), revision="r1")


def answer(*rules: str, to: Question | None = None, observe: bool = False) -> Decision:
    """Compile the rules and decide one question by them."""
    return decide(compiled(*rules), to or question(), observe=observe)
