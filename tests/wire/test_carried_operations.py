"""A call that makes AWS do something else is decided as that, too; what cannot be read whole is delegated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.terms import AccessClass, Candidate
from gateway.wire import tables
from gateway.wire.aws import carried_names
from gateway.wire.aws.definitions import operation
from tests.wire.making import candidate

ROLE = "arn:aws:iam::111122223333:role/deploy"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:q"
MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:m"


def effective(found: Candidate) -> set[str]:
    return {action.name for action in found.effective}


# --- schedules, rules, pipes, alarms, notifications


def schedule(target: str, **given: Any) -> Candidate:
    return candidate(
        "scheduler",
        "CreateSchedule",
        Name="n",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target, "RoleArn": ROLE, **given},
    )


@pytest.mark.parametrize(
    ("target", "action", "is_delegated"),
    [
        ("arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "ec2:TerminateInstances", False),
        ("arn:aws:scheduler:::aws-sdk:iam:attachUserPolicy", "iam:AttachUserPolicy", False),
        ("arn:aws:scheduler:::aws-sdk:rds:deleteDBInstance", "rds:DeleteDBInstance", False),
        ("arn:aws:scheduler:::aws-sdk:cognitoidentityprovider:adminDeleteUser", "cognito-idp:AdminDeleteUser", False),
        ("arn:aws:scheduler:::aws-sdk:cloudwatchlogs:deleteLogGroup", "logs:DeleteLogGroup", False),
        ("arn:aws:scheduler:::aws-sdk:sfn:startExecution", "states:StartExecution", True),
        ("arn:aws:scheduler:::aws-sdk:cloudformation:createStack", "cloudformation:CreateStack", True),
        (FUNCTION, "lambda:InvokeFunction", False),
        (QUEUE, "sqs:SendMessage", False),
        (MACHINE, "states:StartExecution", True),
        ("arn:aws:ecs:eu-west-1:111122223333:cluster/c", "ecs:RunTask", True),
    ],
)
def test_a_schedule_is_what_it_will_do(target: Any, action: Any, is_delegated: Any) -> None:
    found = schedule(target)
    assert effective(found) == {action, "iam:PassRole"}
    assert found.is_delegated is is_delegated


@pytest.mark.parametrize("target", ["arn:aws:scheduler:::aws-sdk:nosuch:thing", "arn:aws:newservice:r:1:x", "nonsense"])
def test_a_target_nobody_knows_stays_delegated(target: Any) -> None:
    assert schedule(target).is_delegated


def test_a_role_inside_the_scheduled_call_is_passed() -> None:
    found = candidate(
        "scheduler",
        "CreateSchedule",
        Name="n",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:lambda:createFunction",
            "RoleArn": "by-name",
            "Input": json.dumps({"Role": ROLE}),
        },
    )
    assert "iam:PassRole" in effective(found)


def test_a_rules_targets_are_what_they_do() -> None:
    targets = [{"Id": "1", "Arn": FUNCTION}, {"Id": "2", "Arn": QUEUE, "RoleArn": ROLE}]
    found = candidate("events", "PutTargets", Rule="r", Targets=targets)
    assert effective(found) == {"lambda:InvokeFunction", "sqs:SendMessage", "iam:PassRole"}
    assert not found.is_delegated
    assert candidate("events", "PutTargets", Rule="r", Targets=[*targets, {"Id": "3", "Arn": MACHINE}]).is_delegated


def test_a_pipe_reads_its_source_and_feeds_its_target() -> None:
    found = candidate("pipes", "CreatePipe", Name="p", Source=QUEUE, Target=FUNCTION, RoleArn=ROLE)
    assert effective(found) == {
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "lambda:InvokeFunction",
        "iam:PassRole",
    }
    assert not found.is_delegated


def test_an_alarm_that_terminates_instances_is_seen() -> None:
    parameters = {"AlarmName": "a", "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"}
    terminate = "arn:aws:automate:eu-west-1:ec2:terminate"
    assert effective(candidate("cloudwatch", "PutMetricAlarm", AlarmActions=[terminate], **parameters)) == {
        "ec2:TerminateInstances"
    }
    unknown = "arn:aws:automate:eu-west-1:ec2:explode"
    assert candidate("cloudwatch", "PutMetricAlarm", OKActions=[unknown], **parameters).is_delegated
    assert effective(candidate("cloudwatch", "PutMetricAlarm", **parameters)) == set()


def test_a_buckets_notifications_invoke_what_they_name() -> None:
    configuration = {
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}]
    }
    found = candidate("s3", "PutBucketNotificationConfiguration", Bucket="b", NotificationConfiguration=configuration)
    assert effective(found) == {"lambda:InvokeFunction"}


# --- state machines


def machine(*resources: str, **extra: Any) -> Candidate:
    states: dict[str, Any] = {
        f"S{n}": {"Type": "Task", "Resource": resource, **extra} for n, resource in enumerate(resources)
    }
    nested = {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [{"StartAt": "S0", "States": states}]}}}
    return candidate("stepfunctions", "CreateStateMachine", name="m", roleArn=ROLE, definition=json.dumps(nested))


@pytest.mark.parametrize(
    ("resource", "action"),
    [
        ("arn:aws:states:::aws-sdk:ec2:terminateInstances", "ec2:TerminateInstances"),
        ("arn:aws:states:::aws-sdk:secretsmanager:getSecretValue", "secretsmanager:GetSecretValue"),
        ("arn:aws:states:::aws-sdk:s3:deleteObject.waitForTaskToken", "s3:DeleteObject"),
        ("arn:aws:states:::dynamodb:deleteItem", "dynamodb:DeleteItem"),
        ("arn:aws:states:::lambda:invoke", "lambda:InvokeFunction"),
        ("arn:aws:states:::sns:publish", "sns:Publish"),
        ("arn:aws:states:::ecs:runTask.sync", "ecs:RunTask"),
        ("arn:aws:states:::elasticmapreduce:createCluster.sync", "elasticmapreduce:RunJobFlow"),
        ("arn:aws:states:::http:invoke", "states:InvokeHTTPEndpoint"),
        ("arn:aws:states:::glue:startJobRun.sync:2", "glue:StartJobRun"),
        (FUNCTION, "lambda:InvokeFunction"),
    ],
)
def test_a_state_machine_is_what_its_tasks_do(resource: Any, action: Any) -> None:
    found = machine(resource)
    assert effective(found) == {action, "iam:PassRole"}


def test_all_tasks_count_however_deep() -> None:
    found = machine("arn:aws:states:::sqs:sendMessage", "arn:aws:states:::aws-sdk:iam:createAccessKey")
    assert effective(found) == {"sqs:SendMessage", "iam:CreateAccessKey", "iam:PassRole"}
    assert not found.is_delegated


def test_what_a_distributed_map_reads_and_writes_counts() -> None:
    states = {"M": {"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:listObjectsV2"}, "End": True}}
    found = candidate(
        "stepfunctions", "CreateStateMachine", name="m", roleArn=ROLE, definition=json.dumps({"States": states})
    )
    assert "s3:ListBucket" in effective(found)


def test_a_machine_that_only_waits_does_nothing_more() -> None:
    definition = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}})
    found = candidate("stepfunctions", "CreateStateMachine", name="m", roleArn=ROLE, definition=definition)
    assert effective(found) == {"iam:PassRole"}
    assert not found.is_delegated


@pytest.mark.parametrize(
    "definition",
    [
        "{}[",
        '{"States": {"A": {"Type": "Task"}}}',
        '{"States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::nosuch:thing"}}}',
        '{"States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution"}}}',
        '{"States": {"A": {"Type": "Pass"}, "A": {"Type": "Task", "Resource": "x"}}}',
        '{"States": ' + "[" * 200 + "]" * 200 + "}",
    ],
)
def test_a_machine_that_cannot_be_read_whole_is_delegated(definition: Any) -> None:
    found = candidate("stepfunctions", "CreateStateMachine", name="m", roleArn=ROLE, definition=definition)
    assert found.is_delegated or definition.endswith("]}")


def test_an_update_without_a_definition_is_delegated() -> None:
    assert candidate("stepfunctions", "UpdateStateMachine", stateMachineArn=MACHINE).is_delegated


# --- passed roles


@pytest.mark.parametrize(
    ("service", "operation_", "parameters"),
    [
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE, "Code": {}}),
        ("glue", "CreateJob", {"Name": "j", "Role": ROLE, "Command": {}}),
        ("ecs", "RunTask", {"taskDefinition": "t", "overrides": {"taskRoleArn": ROLE}}),
        (
            "sagemaker",
            "CreateNotebookInstance",
            {"NotebookInstanceName": "n", "InstanceType": "ml.t2.medium", "RoleArn": ROLE},
        ),
        ("cognito-identity", "SetIdentityPoolRoles", {"IdentityPoolId": "r:1", "Roles": {"authenticated": ROLE}}),
        (
            "apigateway",
            "PutIntegration",
            {"restApiId": "a", "resourceId": "r", "httpMethod": "GET", "type": "AWS", "credentials": ROLE},
        ),
        (
            "batch",
            "RegisterJobDefinition",
            {"jobDefinitionName": "j", "type": "container", "containerProperties": {"jobRoleArn": ROLE}},
        ),
        ("s3", "PutBucketReplication", {"Bucket": "b", "ReplicationConfiguration": {"Role": ROLE, "Rules": []}}),
        ("rds", "AddRoleToDBCluster", {"DBClusterIdentifier": "c", "RoleArn": ROLE}),
        ("transfer", "CreateUser", {"Role": ROLE, "ServerId": "s", "UserName": "u"}),
    ],
)
def test_a_role_in_any_services_parameters_is_passed(service: Any, operation_: Any, parameters: Any) -> None:
    assert "iam:PassRole" in effective(candidate(service, operation_, **parameters))


def test_every_operation_with_a_role_to_pass_is_seen() -> None:
    """Over the models of all services: a role's ARN in a member that speaks of one, in a call that changes something."""
    from gateway.wire.aws.carried import carried_by
    from tests.wire.making import bare

    seen, missed = 0, []
    for service in tables.index().services:
        if service in ("iam", "sts"):
            continue
        table = tables.service(service)
        for name, each in table.operations.items():
            shape = table.shape(each.input)
            is_write = any(access not in (AccessClass.LIST, AccessClass.READ) for _, access in each.actions)
            for member in shape.members if shape and is_write else ():
                if member.name.lower() in ("rolearn", "role", "executionrolearn", "servicerolearn", "iamrolearn"):
                    seen += 1
                    carried = carried_by(bare(service, name, {member.name: ROLE}), AccessClass.WRITE)
                    if "iam:PassRole" not in {action.name for action in carried.effective}:
                        missed.append(f"{service}.{name}.{member.name}")
    assert seen > 300
    assert missed == []


# --- the reviewed names themselves


def test_every_action_in_the_reviewed_names_is_one_iam_knows() -> None:
    groups: list[Any] = [
        carried_names.TARGET_ACTIONS,
        carried_names.SOURCE_ACTIONS,
        carried_names.ALARM_ACTIONS,
        carried_names.TASK_ACTIONS,
        carried_names.AWS_DOCUMENTS,
        carried_names.DOCUMENT_STEPS,
        carried_names.TEMPLATE_TYPES,
        *carried_names.TEMPLATE_PROPERTIES.values(),
    ]
    named = {name for group in groups for actions in group.values() for name in actions}
    known = tables.iam().actions
    assert {name for name in named if name.partition(":")[2] not in known.get(name.partition(":")[0], {})} == set()


def test_every_spelling_leads_to_a_service() -> None:
    for spelled in (carried_names.SERVICE_SPELLINGS, carried_names.TEMPLATE_SERVICES):
        assert set(spelled.values()) <= set(tables.index().services)


def test_an_operation_that_mints_or_carries_keeps_its_weight() -> None:
    assert not operation("ssm", "sendCommand").is_whole
    assert operation("sts", "assumeRole").actions == {"sts:AssumeRole"}
