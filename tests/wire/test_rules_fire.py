"""A rule that names an action fires on every operation that performs it, by whatever way it is performed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.engine import decide
from gateway.terms import AccessClass, Effect
from gateway.wire import tables
from gateway.wire.aws.actions import actions_of
from gateway.wire.aws.carried import carried_by
from gateway.wire.tables_actions import ActionReview
from tests.engine.questions import compiled, question
from tests.wire.making import bare, candidate

ROLE = "arn:aws:iam::111122223333:role/deploy"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
TASK = json.dumps({"States": {"A": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ec2:terminateInstances"}}})
STACK = json.dumps({"Resources": {"U": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": "u"}}}})
SCHEDULE = {"Name": "n", "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}}
BUCKET = {"Bucket": "b", "Key": "k"}

PERFORMED: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "s3:GetObject": [
        ("s3", "GetObject", BUCKET),
        ("s3", "HeadObject", BUCKET),
        ("s3", "CopyObject", {**BUCKET, "CopySource": "src/key"}),
        ("s3", "UploadPartCopy", {**BUCKET, "CopySource": "src/key", "PartNumber": 1, "UploadId": "u"}),
        ("s3", "GetObjectAttributes", {**BUCKET, "ObjectAttributes": ["ETag"]}),
        ("s3", "RenameObject", {**BUCKET, "RenameSource": "k2"}),
        ("lambda", "UpdateFunctionCode", {"FunctionName": "f", "S3Bucket": "b", "S3Key": "k"}),
        ("cloudformation", "CreateStack", {"StackName": "s", "TemplateURL": "https://b.s3.amazonaws.com/t"}),
    ],
    "s3:GetObjectVersion": [
        ("s3", "GetObject", {**BUCKET, "VersionId": "v"}),
        ("s3", "CopyObject", {**BUCKET, "CopySource": "src/key?versionId=v"}),
        ("s3", "UploadPartCopy", {**BUCKET, "CopySource": "s/k?versionId=v", "PartNumber": 1, "UploadId": "u"}),
    ],
    "s3:PutObject": [
        ("s3", "PutObject", BUCKET),
        ("s3", "UploadPart", {**BUCKET, "PartNumber": 1, "UploadId": "u"}),
        ("s3", "CreateMultipartUpload", BUCKET),
        ("s3", "CompleteMultipartUpload", {**BUCKET, "UploadId": "u"}),
        ("s3", "CopyObject", {**BUCKET, "CopySource": "src/key"}),
        ("logs", "CreateExportTask", {"logGroupName": "g", "fromTime": 1, "to": 2, "destination": "b"}),
        (
            "rds",
            "StartExportTask",
            {"ExportTaskIdentifier": "e", "SourceArn": "a", "S3BucketName": "b", "IamRoleArn": ROLE, "KmsKeyId": "k"},
        ),
    ],
    "s3:DeleteObject": [
        ("s3", "DeleteObject", BUCKET),
        ("s3", "DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}]}}),
        (
            "s3",
            "PutBucketLifecycleConfiguration",
            {"Bucket": "b", "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Expiration": {"Days": 1}}]}},
        ),
    ],
    "s3:ListBucket": [
        ("s3", "ListObjects", {"Bucket": "b"}),
        ("s3", "ListObjectsV2", {"Bucket": "b"}),
        ("s3", "HeadBucket", {"Bucket": "b"}),
    ],
    "ec2:TerminateInstances": [
        ("ec2", "TerminateInstances", {"InstanceIds": ["i-0123456789abcdef0"]}),
        ("ec2", "DeleteFleets", {"FleetIds": ["fleet-1"], "TerminateInstances": True}),
        (
            "autoscaling",
            "TerminateInstanceInAutoScalingGroup",
            {"InstanceId": "i-1", "ShouldDecrementDesiredCapacity": True},
        ),
        ("autoscaling", "DeleteAutoScalingGroup", {"AutoScalingGroupName": "g", "ForceDelete": True}),
        ("emr", "TerminateJobFlows", {"JobFlowIds": ["j"]}),
        ("ssm", "StartAutomationExecution", {"DocumentName": "AWS-TerminateEC2Instance"}),
        ("stepfunctions", "CreateStateMachine", {"name": "m", "roleArn": ROLE, "definition": TASK}),
        (
            "scheduler",
            "CreateSchedule",
            {**SCHEDULE, "Target": {"Arn": "arn:aws:scheduler:::aws-sdk:ec2:terminateInstances", "RoleArn": ROLE}},
        ),
        (
            "cloudwatch",
            "PutMetricAlarm",
            {
                "AlarmName": "a",
                "EvaluationPeriods": 1,
                "ComparisonOperator": "GreaterThanThreshold",
                "AlarmActions": ["arn:aws:automate:eu-west-1:ec2:terminate"],
            },
        ),
    ],
    "ec2:RunInstances": [
        ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1}),
        ("ec2", "RequestSpotInstances", {"LaunchSpecification": {"ImageId": "ami-0123456789abcdef0"}}),
        ("autoscaling", "CreateAutoScalingGroup", {"AutoScalingGroupName": "g", "MinSize": 0, "MaxSize": 1}),
        ("emr", "RunJobFlow", {"Name": "n", "Instances": {"InstanceCount": 1}}),
        (
            "cloudformation",
            "CreateStack",
            {"StackName": "s", "TemplateBody": '{"Resources": {"I": {"Type": "AWS::EC2::Instance"}}}'},
        ),
    ],
    "ec2:CreateTags": [
        ("ec2", "CreateTags", {"Resources": ["i-1"], "Tags": []}),
        ("ec2", "CreateVolume", {"AvailabilityZone": "a", "TagSpecifications": [{"ResourceType": "volume"}]}),
        ("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16", "TagSpecifications": [{"ResourceType": "vpc"}]}),
        ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1, "TagSpecifications": [{"ResourceType": "instance"}]}),
    ],
    "lambda:InvokeFunction": [
        ("lambda", "Invoke", {"FunctionName": "f"}),
        ("lambda", "InvokeWithResponseStream", {"FunctionName": "f"}),
        ("lambda", "CreateEventSourceMapping", {"FunctionName": "f"}),
        ("events", "PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": FUNCTION}]}),
        ("secretsmanager", "RotateSecret", {"SecretId": "s", "RotationLambdaARN": FUNCTION}),
        (
            "logs",
            "PutSubscriptionFilter",
            {"logGroupName": "g", "filterName": "f", "filterPattern": "", "destinationArn": FUNCTION},
        ),
        ("scheduler", "CreateSchedule", {**SCHEDULE, "Target": {"Arn": FUNCTION, "RoleArn": ROLE}}),
    ],
    "secretsmanager:GetSecretValue": [
        ("secretsmanager", "GetSecretValue", {"SecretId": "s"}),
        ("secretsmanager", "BatchGetSecretValue", {"SecretIdList": ["s"]}),
    ],
    "ssm:GetParameter": [
        ("ssm", "GetParameter", {"Name": "p"}),
        ("ssm", "GetParameters", {"Names": ["p"]}),
        ("ssm", "GetParametersByPath", {"Path": "/"}),
    ],
    "dynamodb:PutItem": [
        ("dynamodb", "PutItem", {"TableName": "t", "Item": {}}),
        ("dynamodb", "BatchWriteItem", {"RequestItems": {"t": [{"PutRequest": {"Item": {}}}]}}),
        ("dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "t", "Item": {}}}]}),
        (
            "dynamodb",
            "RestoreTableFromBackup",
            {"TargetTableName": "t", "BackupArn": "arn:aws:dynamodb:r:111122223333:table/t/backup/1"},
        ),
    ],
    "dynamodb:DeleteItem": [
        ("dynamodb", "DeleteItem", {"TableName": "t", "Key": {}}),
        ("dynamodb", "BatchWriteItem", {"RequestItems": {"t": [{"DeleteRequest": {"Key": {}}}]}}),
        (
            "dynamodb",
            "UpdateTimeToLive",
            {"TableName": "t", "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "a"}},
        ),
    ],
    "iam:CreateAccessKey": [
        ("iam", "CreateAccessKey", {"UserName": "u"}),
        ("cloudformation", "CreateStack", {"StackName": "s", "TemplateBody": STACK}),
        ("cloudcontrol", "CreateResource", {"TypeName": "AWS::IAM::AccessKey", "DesiredState": "{}"}),
    ],
    "iam:PassRole": [
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE, "Code": {}}),
        ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1, "IamInstanceProfile": {"Name": "p"}}),
        ("glue", "CreateJob", {"Name": "j", "Role": ROLE, "Command": {}}),
    ],
    "iam:TagRole": [
        ("iam", "CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "a", "Value": "b"}]})
    ],
    "iam:PutRolePermissionsBoundary": [
        (
            "iam",
            "CreateRole",
            {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "PermissionsBoundary": "arn:aws:iam::aws:policy/P"},
        )
    ],
    "lambda:TagResource": [
        ("lambda", "TagResource", {"Resource": FUNCTION, "Tags": {"a": "b"}}),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": ROLE, "Code": {}, "Tags": {"a": "b"}}),
        ("resourcegroupstaggingapi", "TagResources", {"ResourceARNList": [FUNCTION], "Tags": {"a": "b"}}),
    ],
    "sqs:TagQueue": [
        ("sqs", "CreateQueue", {"QueueName": "q", "tags": {"a": "b"}}),
        (
            "resourcegroupstaggingapi",
            "TagResources",
            {"ResourceARNList": ["arn:aws:sqs:r:111122223333:q"], "Tags": {"a": "b"}},
        ),
    ],
    "s3:PutBucketTagging": [
        ("s3", "PutBucketTagging", {"Bucket": "b", "Tagging": {"TagSet": []}}),
        ("resourcegroupstaggingapi", "UntagResources", {"ResourceARNList": ["arn:aws:s3:::b"], "TagKeys": ["a"]}),
    ],
    "ssm:StartSession": [
        ("ssm", "StartSession", {"Target": "i-0123456789abcdef0"}),
        ("ecs", "ExecuteCommand", {"cluster": "c", "task": "t", "command": "sh", "interactive": True}),
    ],
    "kms:PutKeyPolicy": [
        ("kms", "PutKeyPolicy", {"KeyId": "k", "Policy": "{}"}),
        ("kms", "CreateKey", {"Policy": "{}"}),
    ],
    "sqs:SendMessage": [
        ("sqs", "SendMessage", {"QueueUrl": "q", "MessageBody": "b"}),
        ("sqs", "SendMessageBatch", {"QueueUrl": "q", "Entries": []}),
    ],
    "sns:Publish": [
        ("sns", "Publish", {"Message": "m"}),
        ("sns", "PublishBatch", {"TopicArn": "t", "PublishBatchRequestEntries": []}),
    ],
    "bedrock:InvokeModel": [
        ("bedrock-runtime", "InvokeModel", {"modelId": "m"}),
        ("bedrock-runtime", "Converse", {"modelId": "m"}),
    ],
    "rds:AddTagsToResource": [
        (
            "rds",
            "CreateDBInstance",
            {"DBInstanceIdentifier": "d", "DBInstanceClass": "c", "Engine": "e", "Tags": [{"Key": "a", "Value": "b"}]},
        )
    ],
    "ec2:DeleteSnapshot": [
        ("ec2", "DeleteSnapshot", {"SnapshotId": "snap-0123456789abcdef0"}),
        ("ec2", "DeregisterImage", {"ImageId": "ami-0123456789abcdef0", "DeleteAssociatedSnapshots": True}),
    ],
}
CASES = [(action, *call) for action, calls in PERFORMED.items() for call in calls]


@pytest.mark.parametrize(("action", "service", "operation", "parameters"), CASES)
def test_a_rule_on_an_action_fires_on_all_that_performs_it(
    action: Any, service: Any, operation: Any, parameters: Any
) -> None:
    rules = compiled(
        '@id("anything") permit (principal, action, resource);',
        f'@id("not-this") forbid (principal, action == Action::"{action}", resource);',
    )
    decision = decide(rules, question(candidate(service, operation, **parameters)))
    assert decision.effect is Effect.DENY
    assert decision.rule_ids == ("not-this",)


@pytest.mark.parametrize(("action", "service", "operation", "parameters"), CASES)
def test_a_permit_for_something_else_does_not_open_it(
    action: Any, service: Any, operation: Any, parameters: Any
) -> None:
    """Whoever may do only the operation's other actions may not do the operation."""
    found = candidate(service, operation, **parameters)
    others = {each.name for each in (*found.actions, *found.effective)} - {action} | {"ec2:DescribeHosts"}
    permits = (
        f'@id("{name.replace(":", "-")}") permit (principal, action == Action::"{name}", resource);'
        for name in sorted(others)
    )
    rules = compiled(*permits)
    assert decide(rules, question(found)).effect is Effect.DENY


def test_every_action_of_every_reviewed_operation_is_on_its_candidate() -> None:
    """The whole reviewed map: with all its members given, an operation has all actions the map names for it."""
    review = ActionReview.load()
    for group in (review.given, review.effective):
        for whole, places in group.items():
            service, _, operation = whole.partition(".")
            for place, names in places.items():
                reading = bare(service, operation, nested(place))
                carried = carried_by(reading, AccessClass.WRITE)
                performed = {action.name for action in (*actions_of(reading), *carried.effective)}
                assert set(names) <= performed, (whole, place)


def nested(place: str) -> dict[str, Any]:
    value: Any = "x"
    for name in reversed(place.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]  # a place has at least one name


def test_tags_on_something_new_are_tagging_wherever_iam_knows_it() -> None:
    seen = 0
    for service in sorted(ActionReview.load().reviewed):
        table = tables.service(service)
        for name, each in table.operations.items():
            for place, actions in each.given:
                if place.lower() in ("tags", "taglist", "tagspecifications") and name.startswith("Create"):
                    seen += 1
                    assert {access for _, access in actions} == {AccessClass.TAGGING}, (service, name)
    assert seen > 250


@pytest.mark.parametrize("operation", ["DescribeVolumes", "DeleteTags"])
def test_tags_that_only_filter_or_go_are_not_given(operation: Any) -> None:
    assert not any("TagSpec" in place for place, _ in tables.service("ec2").operations[operation].given)
