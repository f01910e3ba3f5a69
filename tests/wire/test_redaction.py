"""What is kept of a request shows no secret, and an approval is bound to exactly what was asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.terms import Operation, Protocol
from gateway.wire.aws.reading import Reading
from gateway.wire.aws.redaction import ALWAYS, digest_parameters, plain, redacted_parameters
from gateway.wire.contract import SensitivityClass
from tests.wire.making import candidate, reading_of

CANARY = "canary-hunter2-value"
WITH_SECRETS = [
    ("secretsmanager", "CreateSecret", {"Name": "n", "SecretString": CANARY}),
    ("secretsmanager", "PutSecretValue", {"SecretId": "n", "SecretBinary": CANARY.encode()}),
    ("ssm", "PutParameter", {"Name": "n", "Value": CANARY, "Type": "SecureString"}),
    (
        "rds",
        "CreateDBInstance",
        {"DBInstanceIdentifier": "d", "DBInstanceClass": "c", "Engine": "e", "MasterUserPassword": CANARY},
    ),
    ("iam", "CreateLoginProfile", {"UserName": "u", "Password": CANARY}),
    ("iam", "UploadServerCertificate", {"ServerCertificateName": "n", "CertificateBody": "c", "PrivateKey": CANARY}),
    (
        "lambda",
        "CreateFunction",
        {"FunctionName": "f", "Role": "r", "Code": {}, "Environment": {"Variables": {"A": CANARY}}},
    ),
    ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1, "UserData": CANARY}),
    ("ec2", "CreateLaunchTemplate", {"LaunchTemplateName": "t", "LaunchTemplateData": {"UserData": CANARY}}),
    ("s3", "GetObject", {"Bucket": "b", "Key": "k", "SSECustomerKey": CANARY, "SSECustomerAlgorithm": "AES256"}),
    ("kms", "Encrypt", {"KeyId": "k", "Plaintext": CANARY.encode()}),
    (
        "ecs",
        "RegisterTaskDefinition",
        {"family": "f", "containerDefinitions": [{"environment": [{"name": "A", "value": CANARY}]}]},
    ),
    (
        "cognito-idp",
        "AdminInitiateAuth",
        {"UserPoolId": "p", "ClientId": "c", "AuthFlow": "a", "AuthParameters": {"PASSWORD": CANARY}},
    ),
    (
        "cloudformation",
        "CreateStack",
        {"StackName": "s", "Parameters": [{"ParameterKey": "k", "ParameterValue": CANARY}]},
    ),
    (
        "elasticache",
        "CreateReplicationGroup",
        {"ReplicationGroupId": "r", "ReplicationGroupDescription": "d", "AuthToken": CANARY},
    ),
    ("codebuild", "StartBuild", {"projectName": "p", "environmentVariablesOverride": [{"name": "A", "value": CANARY}]}),
]


@pytest.mark.parametrize(("service", "operation", "parameters"), WITH_SECRETS)
def test_no_secret_is_left_in_what_policy_and_people_see(service: Any, operation: Any, parameters: Any) -> None:
    shown = candidate(service, operation, **parameters)
    assert CANARY not in json.dumps(shown.parameters)
    assert CANARY not in repr(shown)
    assert "[REDACTED:" in json.dumps(shown.parameters)


@pytest.mark.parametrize(("service", "operation", "parameters"), WITH_SECRETS)
def test_neither_is_it_shown_by_a_readings_repr(service: Any, operation: Any, parameters: Any) -> None:
    assert CANARY not in repr(reading_of(service, operation, **parameters))


def test_what_is_no_secret_stays() -> None:
    shown = candidate("dynamodb", "GetItem", TableName="t", Key={"id": {"S": "x"}}).parameters
    assert shown == {"TableName": "t", "Key": {"id": {"S": "x"}}}


def test_bytes_are_summed_up() -> None:
    shown = candidate("lambda", "Invoke", FunctionName="f", Payload=b"{}").parameters
    assert shown["Payload"] == {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}


def test_what_an_approver_must_read_is_private_and_stays_unless_asked_otherwise() -> None:
    reading = reading_of("ssm", "SendCommand", DocumentName="d", Parameters={"commands": ["rm -rf /"]})
    assert redacted_parameters(reading)["Parameters"] == {"commands": ["rm -rf /"]}
    narrow = redacted_parameters(reading, classes=ALWAYS | {SensitivityClass.PRIVATE})
    assert narrow["Parameters"] == "[REDACTED:private]"


def test_of_an_unmodelled_operation_every_value_is_a_secret() -> None:
    operation = Operation(
        service="dynamodb", name="X", protocol=Protocol.JSON, signing_name="dynamodb", is_modelled=False
    )
    reading = Reading(operation=operation, region="r", parameters={"a": [1, "x", True, None], "b": {"c": "y"}})
    hidden = "[REDACTED:secret]"
    assert redacted_parameters(reading) == {"a": [hidden, hidden, True, None], "b": {"c": hidden}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (1.5, 1.5),
        ("x", "x"),
        (None, None),
    ],
)
def test_scalars_become_json(value: Any, expected: Any) -> None:
    assert plain(value) == expected


def test_parameters_are_json_whatever_was_sent() -> None:
    reading = reading_of(
        "kinesis",
        "GetShardIterator",
        StreamName="s",
        ShardId="i",
        ShardIteratorType="T",
        Timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert json.loads(json.dumps(redacted_parameters(reading)))["Timestamp"] == "2026-01-01T00:00:00Z"


# --- digests


def test_the_same_call_again_has_the_same_bytes_though_the_sdk_makes_a_new_token() -> None:
    calls = [reading_of("ec2", "RunInstances", MinCount=1, MaxCount=1, ImageId="ami-1") for _ in range(2)]
    assert calls[0].parameters["ClientToken"] != calls[1].parameters["ClientToken"]
    assert digest_parameters(calls[0]) == digest_parameters(calls[1])


@pytest.mark.parametrize(
    ("service", "operation", "one", "other"),
    [
        ("ec2", "TerminateInstances", {"InstanceIds": ["i-1"]}, {"InstanceIds": ["i-2"]}),
        ("ec2", "TerminateInstances", {"InstanceIds": ["i-1", "i-2"]}, {"InstanceIds": ["i-2", "i-1"]}),
        ("lambda", "Invoke", {"FunctionName": "f", "Payload": b"a"}, {"FunctionName": "f", "Payload": b"b"}),
        ("secretsmanager", "CreateSecret", {"Name": "n", "SecretString": "a"}, {"Name": "n", "SecretString": "b"}),
        (
            "dynamodb",
            "GetItem",
            {"TableName": "t", "Key": {"a": {"S": "1"}}},
            {"TableName": "t", "Key": {"a": {"N": "1"}}},
        ),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k"}, {"Bucket": "b", "Key": "k", "VersionId": "v"}),
    ],
)
def test_another_call_has_other_bytes(service: Any, operation: Any, one: Any, other: Any) -> None:
    assert digest_parameters(reading_of(service, operation, **one)) != digest_parameters(
        reading_of(service, operation, **other)
    )


def test_unknown_members_are_part_of_what_is_approved() -> None:
    reading = reading_of("dynamodb", "GetItem", TableName="t", Key={})
    assert digest_parameters(replace(reading, unknown={"New": 1})) != digest_parameters(reading)


def document(value: Any) -> bytes:
    operation = Operation(
        service="dynamodb", name="X", protocol=Protocol.JSON, signing_name="dynamodb", is_modelled=False
    )
    return digest_parameters(Reading(operation=operation, region="r", parameters={"d": value}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"a", {"$bytes": 1, "$sha256": hashlib.sha256(b"a").hexdigest()}),
        (2**60, {"$integer": str(2**60)}),
        (float("nan"), {"$float": "nan"}),
        ({"$$x": 1}, {"$x": 1}),
        (datetime(2026, 1, 1, tzinfo=UTC), {"$time": "2026-01-01T00:00:00+00:00"}),
        ("1", 1),
        (True, "true"),
        (None, ""),
    ],
)
def test_values_that_json_cannot_tell_apart_are_told_apart(one: Any, other: Any) -> None:
    assert document(one) != document(other)


def test_keys_are_in_canonical_order() -> None:
    assert document({"b": 1, "a": 2}) == document({"a": 2, "b": 1})
