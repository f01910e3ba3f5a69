"""Every member that carries a secret is on its operation's mask plan, by its name on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.terms import Operation, Protocol
from gateway.wire import tables
from gateway.wire.aws.masking_paths import body_paths, input_header_paths, input_paths, mask_plan
from gateway.wire.aws.reading import Reading, model
from gateway.wire.contract import BodyForm, MaskPath, SensitivityClass
from tests.wire.making import bare, reading_of

BEARER, SECRET, PRIVATE = SensitivityClass.BEARER, SensitivityClass.SECRET, SensitivityClass.PRIVATE


def plan(service: str, operation: str, clear: tuple[str, ...] = (), **parameters: Any) -> Any:
    return mask_plan([bare(service, operation, parameters)], clear=clear, request_id="req-1")


def paths(service: str, operation: str) -> dict[str, SensitivityClass]:
    return {".".join(path.path): path.sensitivity for path in plan(service, operation).paths}


EXPECTED = [
    (
        "sts",
        "AssumeRole",
        {"Credentials.AccessKeyId": BEARER, "Credentials.SecretAccessKey": BEARER, "Credentials.SessionToken": BEARER},
    ),
    ("sts", "GetCallerIdentity", {}),
    ("secretsmanager", "GetSecretValue", {"SecretString": SECRET, "SecretBinary": SECRET}),
    (
        "secretsmanager",
        "BatchGetSecretValue",
        {"SecretValues.*.SecretString": SECRET, "SecretValues.*.SecretBinary": SECRET},
    ),
    ("secretsmanager", "GetRandomPassword", {"RandomPassword": SECRET}),
    ("ssm", "GetParameter", {"Parameter.Value": SECRET}),
    ("ssm", "GetParameters", {"Parameters.*.Value": SECRET}),
    ("ssm", "StartSession", {"TokenValue": BEARER, "StreamUrl": BEARER}),
    ("ecr", "GetAuthorizationToken", {"authorizationData.*.authorizationToken": BEARER}),
    ("ecr", "GetDownloadUrlForLayer", {"downloadUrl": BEARER}),
    ("kms", "Decrypt", {"Plaintext": SECRET}),
    ("kms", "GenerateDataKey", {"Plaintext": SECRET}),
    ("iam", "CreateAccessKey", {"AccessKey.AccessKeyId": BEARER, "AccessKey.SecretAccessKey": BEARER}),
    (
        "s3",
        "CreateSession",
        {"Credentials.AccessKeyId": BEARER, "Credentials.SecretAccessKey": BEARER, "Credentials.SessionToken": BEARER},
    ),
    ("ec2", "GetPasswordData", {"passwordData": SECRET}),
    ("ec2", "CreateKeyPair", {"keyMaterial": SECRET}),
    ("dynamodb", "GetItem", {}),
    ("sqs", "ReceiveMessage", {}),
    (
        "sso",
        "GetRoleCredentials",
        {
            "roleCredentials.accessKeyId": BEARER,
            "roleCredentials.secretAccessKey": BEARER,
            "roleCredentials.sessionToken": BEARER,
        },
    ),
]


@pytest.mark.parametrize(("service", "operation", "expected"), EXPECTED)
def test_a_plan_names_what_an_answer_hides(service: Any, operation: Any, expected: Any) -> None:
    assert paths(service, operation) == expected


@pytest.mark.parametrize(
    ("service", "operation", "path"),
    [
        ("lambda", "GetFunctionConfiguration", "Environment.Variables"),
        ("lambda", "GetFunction", "Code.Location"),
        ("lambda", "ListFunctions", "Functions.*.Environment.Variables"),
        ("ec2", "DescribeInstanceAttribute", "userData"),
        ("ec2", "DescribeLaunchTemplateVersions", "launchTemplateVersionSet.*.launchTemplateData.userData"),
        ("cognito-identity", "GetCredentialsForIdentity", "Credentials.SecretKey"),
        ("cognito-idp", "InitiateAuth", "AuthenticationResult.AccessToken"),
        ("ecs", "DescribeTaskDefinition", "taskDefinition.containerDefinitions.*.environment"),
        ("rds", "ModifyDBInstance", "DBInstance.PendingModifiedValues.MasterUserPassword"),
        ("codebuild", "BatchGetProjects", "projects.*.environment.environmentVariables.*.value"),
        ("apigateway", "GetApiKeys", "item.*.value"),
        ("autoscaling", "DescribeLaunchConfigurations", "LaunchConfigurations.*.UserData"),
        ("glue", "GetConnection", "Connection.ConnectionProperties"),
        ("codeartifact", "GetAuthorizationToken", "authorizationToken"),
        ("sagemaker", "CreatePresignedDomainUrl", "AuthorizedUrl"),
        ("appsync", "ListApiKeys", "apiKeys.*.id"),
        ("batch", "DescribeJobDefinitions", "jobDefinitions.*.containerProperties.environment.*.value"),
    ],
)
def test_what_the_trait_forgot_is_on_the_plan_too(service: Any, operation: Any, path: Any) -> None:
    found = paths(service, operation)
    assert path in found
    assert found[path] in (BEARER, SECRET)


# --- the form of an answer


@pytest.mark.parametrize(
    ("service", "operation", "form"),
    [
        ("s3", "GetObject", BodyForm.BLOB),
        ("s3", "ListObjectsV2", BodyForm.STRUCTURE),
        ("s3", "SelectObjectContent", BodyForm.EVENT_STREAM),
        ("lambda", "Invoke", BodyForm.BLOB),
        ("lambda", "InvokeWithResponseStream", BodyForm.EVENT_STREAM),
        ("bedrock-runtime", "InvokeModel", BodyForm.BLOB),
        ("bedrock-runtime", "ConverseStream", BodyForm.EVENT_STREAM),
        ("logs", "StartLiveTail", BodyForm.EVENT_STREAM),
        ("s3", "GetBucketPolicy", BodyForm.BLOB),
        ("dynamodb", "GetItem", BodyForm.STRUCTURE),
        ("s3", "DeleteBucket", BodyForm.STRUCTURE),
    ],
)
def test_a_plan_says_what_the_body_is(service: Any, operation: Any, form: Any) -> None:
    assert plan(service, operation).body is form


def test_headers_that_hide_something_are_on_the_plan() -> None:
    assert MaskPath(path=("x-amz-log-result",), sensitivity=SECRET) in plan("lambda", "Invoke").header_paths


def test_errors_are_masked_too() -> None:
    found = plan("stepfunctions", "GetActivityTask")
    assert found.error_paths == ()
    errors = [path for name in tables.index().services for path in error_paths(name)]
    assert errors


def error_paths(service: str) -> list[MaskPath]:
    known = model(service)
    return [
        path
        for operation in known.table.operations.values()
        for error in operation.errors
        for path in body_paths(known, error)
    ][:1]


@pytest.mark.parametrize(
    ("parameters", "asked", "reads_range"),
    [
        ({}, "", False),
        ({"Range": "bytes=0-1"}, "bytes=0-1", False),
        # What cannot be widened: nobody knows where a part begins, and several ranges have many edges.
        ({"PartNumber": 1}, "", True),
        ({"Range": "bytes=0-1,5-6"}, "bytes=0-1,5-6", True),
    ],
)
def test_a_read_of_part_of_an_object_is_told(parameters: Any, asked: Any, reads_range: Any) -> None:
    found = plan("s3", "GetObject", **parameters)
    assert (found.range, found.reads_range) == (asked, reads_range)


def test_only_s3_reads_ranges_and_has_its_own_errors() -> None:
    assert plan("s3", "GetObject").s3_errors
    assert not plan("route53", "ListHostedZones").s3_errors
    assert not plan("lambda", "Invoke", Range="x").reads_range


def test_clearing_is_handed_on() -> None:
    found = plan("s3", "GetObject", clear=("body", "email"))
    assert found.is_clear
    assert found.clear == ("body", "email")
    assert found.request_id == "req-1"


def test_several_readings_are_masked_for_all_of_them() -> None:
    both = mask_plan([bare("sts", "AssumeRole"), bare("secretsmanager", "GetSecretValue")], clear=(), request_id="r")
    assert {".".join(path.path) for path in both.paths} >= {"Credentials.SessionToken", "SecretString"}


def test_an_unmodelled_operation_has_an_empty_plan() -> None:
    operation = Operation(
        service="dynamodb", name="X", protocol=Protocol.JSON, signing_name="dynamodb", is_modelled=False
    )
    found = mask_plan([Reading(operation=operation, region="r")], clear=(), request_id="r")
    assert (found.paths, found.body) == ((), BodyForm.STRUCTURE)


def test_a_shape_inside_itself_is_masked_whole_from_where_it_repeats() -> None:
    for name in ("lexv2-models", "stepfunctions", "quicksight", "bedrock-agent"):
        known = model(name)
        for operation in known.table.operations.values():
            if operation.output:
                body_paths(known, operation.output)


# --- requests


def test_requests_have_paths_too() -> None:
    found = {
        ".".join(path.path)
        for path in input_paths(reading_of("secretsmanager", "CreateSecret", Name="n", SecretString="s"))
    }
    assert found == {"SecretString", "SecretBinary"}
    assert input_paths(bare("dynamodb", "GetItem")) == ()


def test_secrets_in_request_headers_have_theirs() -> None:
    found = {path.path[0] for path in input_header_paths(bare("s3", "PutObject"))}
    assert "x-amz-server-side-encryption-customer-key" in found
    assert "x-amz-acl" not in found
