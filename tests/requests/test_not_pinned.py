"""What an approval does not pin: named on the record, so that whoever says yes knows."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.requests.mutable import not_pinned
from gateway.terms import AccessClass, Action, Candidate, Operation, Protocol


def of(service: str, operation: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    return not_pinned(
        Candidate(
            operation=Operation(service=service, name=operation, protocol=Protocol.JSON, signing_name=service),
            access=AccessClass.WRITE,
            actions=(Action(name=f"{service}:{operation}", access=AccessClass.WRITE),),
            resources=(),
            parameters=parameters,
        )
    )


ARN = "arn:aws:lambda:eu-central-1:123456789012:function:bill"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "named"),
    [
        ("lambda", "Invoke", {"FunctionName": "bill"}, ("Qualifier is not given",)),
        ("lambda", "Invoke", {"FunctionName": ARN}, ("Qualifier is not given",)),
        ("lambda", "Invoke", {"FunctionName": "bill", "Qualifier": "$LATEST"}, ("Qualifier=$LATEST",)),
        ("ssm", "SendCommand", {"DocumentName": "d", "DocumentVersion": "$DEFAULT"}, ("DocumentVersion=$DEFAULT",)),
        (
            "ec2",
            "RunInstances",
            {"LaunchTemplate": {"Version": "$Latest"}},
            ("LaunchTemplate.Version=$Latest",),
        ),
        ("cloudformation", "CreateStack", {"TemplateURL": "https://b/t"}, ("TemplateURL=https://b/t",)),
        ("batch", "X", {"List": [{"Version": "$Latest"}]}, ("List.Version=$Latest",)),
    ],
)
def test_it_is_named(service: str, operation: str, parameters: dict[str, Any], named: tuple[str, ...]) -> None:
    assert of(service, operation, parameters) == named


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("lambda", "Invoke", {"FunctionName": "bill", "Qualifier": "7"}),
        ("lambda", "Invoke", {"FunctionName": f"{ARN}:7"}),
        ("lambda", "Invoke", {"FunctionName": "bill:prod"}),
        ("ssm", "StartAutomationExecution", {"DocumentVersion": "3"}),
        ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]}),
        ("dynamodb", "PutItem", {"Item": {"n": 1, "x": None}}),
    ],
)
def test_what_is_pinned_is_not_named(service: str, operation: str, parameters: dict[str, Any]) -> None:
    assert of(service, operation, parameters) == ()
