"""Which words of a call may mean something else later, and which single read would say what they mean now."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.requests.mutable import Look, Moving, moving
from gateway.terms import AccessClass, Action, Candidate, Operation, Protocol

REGION, ACCOUNT = "eu-central-1", "123456789012"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:bill"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:pay"


def of(service: str, operation: str, parameters: dict[str, Any]) -> tuple[Moving, ...]:
    candidate = Candidate(
        operation=Operation(service=service, name=operation, protocol=Protocol.JSON, signing_name=service),
        access=AccessClass.WRITE,
        actions=(Action(name=f"{service}:{operation}", access=AccessClass.WRITE),),
        resources=(),
        parameters=parameters,
    )
    return moving(candidate, region=REGION, account=ACCOUNT)


def look_of(service: str, operation: str, parameters: dict[str, Any]) -> Look:
    (one,) = of(service, operation, parameters)
    assert one.look is not None
    return one.look


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "named", "read", "told_to"),
    [
        (
            "lambda",
            "Invoke",
            {"FunctionName": "bill"},
            "Qualifier is not given",
            "get_function_configuration",
            {"FunctionName": "bill"},
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": ARN},
            "Qualifier is not given",
            "get_function_configuration",
            {"FunctionName": "bill"},
        ),
        (
            "lambda",
            "InvokeAsync",
            {"FunctionName": f"{ACCOUNT}:function:bill"},
            "Qualifier is not given",
            "get_function_configuration",
            {"FunctionName": "bill"},
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": "bill:prod"},
            "Qualifier=prod",
            "get_function_configuration",
            {"FunctionName": "bill", "Qualifier": "prod"},
        ),
        (
            "lambda",
            "Invoke",
            {"FunctionName": f"{ARN}:prod"},
            "Qualifier=prod",
            "get_function_configuration",
            {"FunctionName": "bill", "Qualifier": "prod"},
        ),
        (
            "ssm",
            "SendCommand",
            {"DocumentName": "d", "DocumentVersion": "$DEFAULT"},
            "DocumentVersion=$DEFAULT",
            "describe_document",
            {"Name": "d", "DocumentVersion": "$DEFAULT"},
        ),
        (
            "ssm",
            "StartAutomationExecution",
            {"DocumentName": "d"},
            "DocumentVersion is not given",
            "describe_document",
            {"Name": "d"},
        ),
        (
            "ecs",
            "RunTask",
            {"taskDefinition": "web"},
            "taskDefinition=web",
            "describe_task_definition",
            {"taskDefinition": "web"},
        ),
        (
            "ec2",
            "RunInstances",
            {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "$Latest"}},
            "LaunchTemplate.Version=$Latest",
            "describe_launch_templates",
            {"LaunchTemplateIds": ["lt-1"]},
        ),
        (
            "autoscaling",
            "CreateAutoScalingGroup",
            {"LaunchTemplate": {"LaunchTemplateName": "web"}},
            "LaunchTemplate.Version=$Default",
            "describe_launch_templates",
            {"LaunchTemplateNames": ["web"]},
        ),
        (
            "cloudformation",
            "CreateStack",
            {"TemplateURL": "https://bkt.s3.eu-central-1.amazonaws.com/t%20x.json"},
            "TemplateURL=https://bkt.s3.eu-central-1.amazonaws.com/t%20x.json",
            "head_object",
            {"Bucket": "bkt", "Key": "t x.json"},
        ),
        (
            "cloudformation",
            "UpdateStack",
            {"TemplateURL": "https://s3.amazonaws.com/bkt/a/t.json"},
            "TemplateURL=https://s3.amazonaws.com/bkt/a/t.json",
            "head_object",
            {"Bucket": "bkt", "Key": "a/t.json"},
        ),
        (
            "s3",
            "CopyObject",
            {"Bucket": "to", "Key": "k", "CopySource": "/from/a%20b"},
            "CopySource=/from/a%20b",
            "head_object",
            {"Bucket": "from", "Key": "a b"},
        ),
        (
            "s3",
            "GetObject",
            {"Bucket": "from", "Key": "a b"},
            "VersionId is not given",
            "head_object",
            {"Bucket": "from", "Key": "a b"},
        ),
        (
            "lambda",
            "UpdateFunctionCode",
            {"FunctionName": "bill", "S3Bucket": "code", "S3Key": "b.zip"},
            "S3Key=b.zip",
            "head_object",
            {"Bucket": "code", "Key": "b.zip"},
        ),
        (
            "lambda",
            "CreateFunction",
            {"Code": {"S3Bucket": "code", "S3Key": "b.zip"}},
            "Code.S3Key=b.zip",
            "head_object",
            {"Bucket": "code", "Key": "b.zip"},
        ),
        (
            "stepfunctions",
            "StartExecution",
            {"stateMachineArn": MACHINE},
            f"stateMachineArn={MACHINE}",
            "describe_state_machine",
            {"stateMachineArn": MACHINE},
        ),
        (
            "codebuild",
            "StartBuild",
            {"projectName": "site"},
            "projectName=site",
            "batch_get_projects",
            {"names": ["site"]},
        ),
    ],
)
def test_it_is_named_and_one_read_tells_what_it_is(
    service: str, operation: str, parameters: dict[str, Any], named: str, read: str, told_to: dict[str, Any]
) -> None:
    (one,) = of(service, operation, parameters)
    assert one.look is not None
    assert (one.name, one.look.operation, dict(one.look.parameters)) == (named, read, told_to)


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "named"),
    [
        (
            "cloudformation",
            "CreateStack",
            {"TemplateURL": "https://evil.example/t"},
            "TemplateURL=https://evil.example/t",
        ),
        ("cloudformation", "CreateStack", {"TemplateURL": "http://bkt.s3.amazonaws.com/t"}, None),
        ("cloudformation", "CreateStack", {"TemplateURL": "https://bkt.s3.amazonaws.com.evil.example/t"}, None),
        ("s3", "CopyObject", {"CopySource": "arn:aws:s3:eu-central-1:1:accesspoint/a/object/k"}, None),
        ("s3", "GetObject", {"Bucket": "arn:aws:s3:eu-central-1:1:accesspoint/a", "Key": "k"}, None),
        ("batch", "X", {"List": [{"Version": "$Latest"}]}, "List.Version=$Latest"),
        ("ssm", "SendCommand", {}, "DocumentVersion is not given"),
    ],
)
def test_what_no_read_of_ours_tells_is_still_named(
    service: str, operation: str, parameters: dict[str, Any], named: str | None
) -> None:
    (one,) = of(service, operation, parameters)
    assert one.look is None
    assert named is None or one.name == named


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("lambda", "Invoke", {"FunctionName": "bill", "Qualifier": "7"}),
        ("lambda", "Invoke", {"FunctionName": f"{ARN}:7"}),
        ("lambda", "UpdateFunctionCode", {"S3Bucket": "c", "S3Key": "k", "S3ObjectVersion": "v1"}),
        ("ssm", "StartAutomationExecution", {"DocumentName": "d", "DocumentVersion": "3"}),
        ("ecs", "RunTask", {"taskDefinition": "web:12"}),
        ("ecs", "UpdateService", {"service": "web", "desiredCount": 2}),
        ("ec2", "RunInstances", {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "4"}}),
        ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]}),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k", "VersionId": "v1"}),
        ("s3", "CopyObject", {"CopySource": "from/k?versionId=v1"}),
        ("cloudformation", "CreateStack", {"TemplateURL": "https://bkt.s3.amazonaws.com/t?versionId=v1"}),
        ("stepfunctions", "StartExecution", {"stateMachineArn": f"{MACHINE}:3"}),
        ("dynamodb", "PutItem", {"Item": {"n": 1, "x": None}}),
    ],
)
def test_what_cannot_move_is_not_named(service: str, operation: str, parameters: dict[str, Any]) -> None:
    assert of(service, operation, parameters) == ()


def test_each_reference_is_named_once_and_in_order() -> None:
    parameters = {"TemplateURL": "https://x.example/t", "StackPolicyURL": "https://x.example/p", "Other": "$LATEST"}
    names = [one.name for one in of("cloudformation", "CreateStack", parameters)]
    assert names == ["Other=$LATEST", "StackPolicyURL=https://x.example/p", "TemplateURL=https://x.example/t"]


def test_a_read_is_asked_for_on_that_one_thing() -> None:
    look = look_of("lambda", "Invoke", {"FunctionName": "bill"})
    assert (look.action, look.resources) == ("lambda:GetFunctionConfiguration", (ARN, f"{ARN}:*"))
    look = look_of("s3", "GetObject", {"Bucket": "b", "Key": "k/*"})
    assert (look.action, look.resources) == ("s3:GetObject", ("arn:aws:s3:::b/k/*",))


@pytest.mark.parametrize("hostile", [{}, {"FunctionName": ""}, {"FunctionName": ":::"}, {"FunctionName": "arn:"}])
def test_hostile_names_are_no_error(hostile: dict[str, Any]) -> None:
    assert len(of("lambda", "Invoke", hostile)) <= 1
