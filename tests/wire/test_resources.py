"""Every resource a call touches is named: ARNs in its parameters, names turned into ARNs, or everything."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.wire.aws.candidates import candidate_of
from gateway.wire.aws.parsing import parse
from gateway.wire.aws.resources import MOST, partition_of, resource_of, resources_of
from tests.wire.making import ACCOUNT, HOME, arns, candidate, raw, reading_of

BASE = f"{HOME}:{ACCOUNT}"
FUNCTION = f"arn:aws:lambda:{BASE}:function:f"
CASES = [
    ("s3", "ListObjectsV2", {"Bucket": "b"}, ["arn:aws:s3:::b"]),
    ("s3", "GetObject", {"Bucket": "b", "Key": "a/é b"}, ["arn:aws:s3:::b/a/é b"]),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "1"}, {"Key": "2"}]}},
        ["arn:aws:s3:::b/1", "arn:aws:s3:::b/2"],
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "src", "Key": "x y/é"}},
        ["arn:aws:s3:::b/k", "arn:aws:s3:::src/x y/é"],
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "src", "Key": "x", "VersionId": "v"}},
        ["arn:aws:s3:::b/k", "arn:aws:s3:::src/x"],
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": "/src/x"},
        ["arn:aws:s3:::b/k", "arn:aws:s3:::src/x"],
    ),
    (
        "s3",
        "PutBucketLogging",
        {"Bucket": "b", "BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "t", "TargetPrefix": "p"}}},
        ["arn:aws:s3:::b", "arn:aws:s3:::t"],
    ),
    ("s3", "ListBuckets", {}, [f"arn:aws:s3:{BASE}:*"]),
    ("dynamodb", "GetItem", {"TableName": "t", "Key": {}}, [f"arn:aws:dynamodb:{BASE}:table/t"]),
    (
        "dynamodb",
        "Query",
        {"TableName": "t", "IndexName": "i"},
        [f"arn:aws:dynamodb:{BASE}:table/t/index/i", f"arn:aws:dynamodb:{BASE}:table/t"],
    ),
    (
        "dynamodb",
        "BatchGetItem",
        {"RequestItems": {"a": {"Keys": []}, "b": {"Keys": []}}},
        [f"arn:aws:dynamodb:{BASE}:table/a", f"arn:aws:dynamodb:{BASE}:table/b"],
    ),
    (
        "dynamodb",
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"TableName": "t", "Item": {}}}, {"Delete": {"TableName": "u", "Key": {}}}]},
        [f"arn:aws:dynamodb:{BASE}:table/t", f"arn:aws:dynamodb:{BASE}:table/u"],
    ),
    (
        "dynamodb",
        "ExecuteStatement",
        {"Statement": 'SELECT * FROM "Music"."Index"'},
        [f"arn:aws:dynamodb:{BASE}:table/Music", f"arn:aws:dynamodb:{BASE}:table/Music/index/Index"],
    ),
    ("dynamodb", "ExecuteStatement", {"Statement": "insert into t value {}"}, [f"arn:aws:dynamodb:{BASE}:table/t"]),
    ("dynamodb", "ExecuteStatement", {"Statement": "what is this"}, [f"arn:aws:dynamodb:{BASE}:table/*"]),
    (
        "dynamodb",
        "GetItem",
        {"TableName": "arn:aws:dynamodb:us-east-1:999988887777:table/t", "Key": {}},
        ["arn:aws:dynamodb:us-east-1:999988887777:table/t"],
    ),
    ("secretsmanager", "GetSecretValue", {"SecretId": "prod/db"}, [f"arn:aws:secretsmanager:{BASE}:secret:prod/db"]),
    (
        "secretsmanager",
        "BatchGetSecretValue",
        {"SecretIdList": ["a", "b"]},
        [f"arn:aws:secretsmanager:{BASE}:secret:a", f"arn:aws:secretsmanager:{BASE}:secret:b"],
    ),
    ("secretsmanager", "ListSecrets", {}, [f"arn:aws:secretsmanager:{BASE}:*"]),
    ("ssm", "GetParameter", {"Name": "/a/b"}, [f"arn:aws:ssm:{BASE}:parameter/a/b"]),
    ("ssm", "GetParameter", {"Name": "plain:3"}, [f"arn:aws:ssm:{BASE}:parameter/plain"]),
    (
        "ssm",
        "GetParameters",
        {"Names": ["x", "/y"]},
        [f"arn:aws:ssm:{BASE}:parameter/x", f"arn:aws:ssm:{BASE}:parameter/y"],
    ),
    ("ssm", "GetParametersByPath", {"Path": "/a/"}, [f"arn:aws:ssm:{BASE}:parameter/a/*"]),
    (
        "ssm",
        "SendCommand",
        {"DocumentName": "D", "InstanceIds": ["i-0123456789abcdef0"]},
        [f"arn:aws:ssm:{BASE}:document/D", f"arn:aws:ec2:{BASE}:instance/i-0123456789abcdef0"],
    ),
    ("ssm", "StartSession", {"Target": "i-0123456789abcdef0"}, [f"arn:aws:ec2:{BASE}:instance/i-0123456789abcdef0"]),
    ("lambda", "Invoke", {"FunctionName": "f"}, [FUNCTION]),
    ("lambda", "Invoke", {"FunctionName": "f:live"}, [f"{FUNCTION}:live"]),
    ("lambda", "Invoke", {"FunctionName": "f", "Qualifier": "3"}, [f"{FUNCTION}:3"]),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "999988887777:function:f"},
        [f"arn:aws:lambda:{HOME}:999988887777:function:f"],
    ),
    ("lambda", "Invoke", {"FunctionName": FUNCTION}, [FUNCTION]),
    (
        "sqs",
        "SendMessage",
        {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/999988887777/q", "MessageBody": "m"},
        [f"arn:aws:sqs:{HOME}:999988887777:q"],
    ),
    ("sqs", "GetQueueUrl", {"QueueName": "q"}, [f"arn:aws:sqs:{BASE}:q"]),
    ("kms", "Decrypt", {"KeyId": "alias/a", "CiphertextBlob": b"x"}, [f"arn:aws:kms:{BASE}:alias/a"]),
    ("kms", "DescribeKey", {"KeyId": "1234-5678"}, [f"arn:aws:kms:{BASE}:key/1234-5678"]),
    ("kms", "Decrypt", {"CiphertextBlob": b"x"}, [f"arn:aws:kms:{BASE}:*"]),
    (
        "ec2",
        "TerminateInstances",
        {"InstanceIds": ["i-0123456789abcdef0", "i-0fedcba9876543210"]},
        [f"arn:aws:ec2:{BASE}:instance/i-0123456789abcdef0", f"arn:aws:ec2:{BASE}:instance/i-0fedcba9876543210"],
    ),
    (
        "ec2",
        "DeleteSecurityGroup",
        {"GroupId": "sg-0123456789abcdef0"},
        [f"arn:aws:ec2:{BASE}:security-group/sg-0123456789abcdef0"],
    ),
    (
        "ec2",
        "DeregisterImage",
        {"ImageId": "ami-0123456789abcdef0"},
        [f"arn:aws:ec2:{HOME}::image/ami-0123456789abcdef0"],
    ),
    ("ec2", "DeleteKeyPair", {"KeyName": "k"}, [f"arn:aws:ec2:{BASE}:key-pair/k"]),
    ("ec2", "DescribeInstances", {}, [f"arn:aws:ec2:{BASE}:*"]),
    ("iam", "DeleteRole", {"RoleName": "r"}, [f"arn:aws:iam::{ACCOUNT}:role/r"]),
    ("iam", "CreateAccessKey", {"UserName": "u"}, [f"arn:aws:iam::{ACCOUNT}:user/u"]),
    ("iam", "CreateAccessKey", {}, [f"arn:aws:iam::{ACCOUNT}:user/*"]),
    (
        "sts",
        "AssumeRole",
        {"RoleArn": "arn:aws:iam::999988887777:role/x", "RoleSessionName": "s"},
        ["arn:aws:iam::999988887777:role/x"],
    ),
    ("rds", "DeleteDBInstance", {"DBInstanceIdentifier": "d"}, [f"arn:aws:rds:{BASE}:db:d"]),
    ("rds", "DeleteDBCluster", {"DBClusterIdentifier": "c"}, [f"arn:aws:rds:{BASE}:cluster:c"]),
    ("logs", "GetLogEvents", {"logGroupName": "g", "logStreamName": "s"}, [f"arn:aws:logs:{BASE}:log-group:g"]),
    ("ecr", "DeleteRepository", {"repositoryName": "r"}, [f"arn:aws:ecr:{BASE}:repository/r"]),
    (
        "rds-data",
        "ExecuteStatement",
        {
            "resourceArn": f"arn:aws:rds:{BASE}:cluster:c",
            "secretArn": f"arn:aws:secretsmanager:{BASE}:secret:s",
            "sql": "select 1",
        },
        [f"arn:aws:rds:{BASE}:cluster:c", f"arn:aws:secretsmanager:{BASE}:secret:s"],
    ),
]


@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), CASES)
def test_a_call_names_its_resources(service: Any, operation: Any, parameters: Any, expected: Any) -> None:
    assert arns(service, operation, **parameters) == expected


def test_an_arn_anywhere_in_the_parameters_is_a_resource() -> None:
    notification = {
        "TopicConfigurations": [{"TopicArn": "arn:aws:sns:us-east-1:999988887777:t", "Events": ["s3:ObjectCreated:*"]}]
    }
    found = arns("s3", "PutBucketNotificationConfiguration", Bucket="b", NotificationConfiguration=notification)
    assert "arn:aws:sns:us-east-1:999988887777:t" in found


def test_an_arn_in_an_unknown_member_is_one_too() -> None:
    reading = reading_of("dynamodb", "GetItem", TableName="t", Key={})
    odd = type(reading)(
        operation=reading.operation, region="r", parameters=reading.parameters, unknown={"New": ["arn:aws:s3:::other"]}
    )
    assert "arn:aws:s3:::other" in [resource.arn for resource in resources_of(odd, account=ACCOUNT, region=HOME)]


def test_more_resources_than_policy_takes_are_counted_up_to_one_too_many() -> None:
    delete = {"Objects": [{"Key": str(at)} for at in range(MOST + 500)]}
    reading = reading_of("s3", "DeleteObjects", Bucket="b", Delete=delete)
    assert len(resources_of(reading, account=ACCOUNT, region=HOME)) == MOST


def test_a_resource_says_where_it_lives_as_far_as_its_arn_does() -> None:
    there = resource_of("arn:aws:sqs:us-east-1:999988887777:q")
    assert (there.service, there.region, there.account) == ("sqs", "us-east-1", "999988887777")
    bucket = resource_of("arn:aws:s3:::b/k:with:colons")
    assert (bucket.service, bucket.region, bucket.account) == ("s3", "", "")


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_built_arns_carry_the_regions_partition(region: Any, partition: Any) -> None:
    assert partition_of(region) == partition
    reading = reading_of("dynamodb", "GetItem", TableName="t", Key={})
    (resource,) = resources_of(reading, account=ACCOUNT, region=region)
    assert resource.arn.startswith(f"arn:{partition}:dynamodb:{region}:")


def test_text_that_only_looks_like_an_arn_is_none() -> None:
    assert arns("sqs", "SendMessage", QueueUrl="https://x/111122223333/q", MessageBody="arn: it is not") == [
        f"arn:aws:sqs:{BASE}:q"
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("src/a%20b/c?versionId=v1", ["src/a b/c"]),
        ("/src/k", ["src/k"]),
        ("src%2Fk", ["src/k"]),
        ("src/k%3FversionId=v1", ["src/k?versionId=v1", "src/k"]),
        ("//src/k", ["/src/k", "src/k"]),
    ],
)
def test_a_copys_source_counts_in_every_way_it_may_be_read(source: str, expected: list[str]) -> None:
    request = raw(method="PUT", target="/b/k", headers=(("x-amz-copy-source", source),))
    [reading] = parse(request, "s3", "us-east-1")
    found = candidate_of(reading, account=ACCOUNT, region="us-east-1").resources
    assert [one.arn for one in found] == ["arn:aws:s3:::b/k", *(f"arn:aws:s3:::{one}" for one in expected)]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('SELECT * FROM "secret" WHERE id = 1', ["secret"]),
        ('select*from"secret"', ["secret"]),
        ("SELECT/**/*/**/FROM/**/secret", ["secret"]),
        ("SELECT * FROM -- one\n secret", ["secret"]),
        ("SELECT '--' FROM secret", ["secret"]),
        ('SELECT * FROM "secret"."by-day"', ["secret", "secret/index/by-day"]),
        ("SELECT * FROM secret.byday", ["secret.byday", "secret", "secret/index/byday"]),
        ('INSERT INTO"secret" VALUE {}', ["secret"]),
        ('UPDATE"secret"SET x=1', ["secret"]),
        ('DELETE FROM "secret" WHERE id = 1', ["secret"]),
        ('EXISTS(SELECT * FROM "secret" WHERE id = 1)', ["secret"]),
        ('SELECT * FROM "a""b"', ['a"b']),
        ("something else", ["*"]),
    ],
)
def test_the_tables_of_a_partiql_statement_are_seen_however_it_is_written(statement: str, expected: list[str]) -> None:
    found = arns("dynamodb", "ExecuteStatement", Statement=statement)
    assert found == [f"arn:aws:dynamodb:{BASE}:table/{name}" for name in expected]


def test_a_table_of_another_account_in_a_statement_is_that_accounts() -> None:
    theirs = "arn:aws:dynamodb:eu-west-1:999988887777:table/t"
    assert arns("dynamodb", "ExecuteStatement", Statement=f'SELECT * FROM "{theirs}"') == [theirs]


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("GetParameter", {"Name": "/aws/reference/secretsmanager/prod/db", "WithDecryption": True}),
        ("GetParameters", {"Names": ["/app/plain", "/aws/reference/secretsmanager/prod/db"]}),
        ("GetParameter", {"Name": "/aws/reference/secretsmanager/prod/db:11d4b6a1-0000-4000-8000-000000000000"}),
        ("GetParameter", {"Name": f"arn:aws:ssm:{BASE}:parameter/aws/reference/secretsmanager/prod/db"}),
    ],
)
def test_a_parameter_that_stands_for_a_secret_is_that_secret(operation: str, parameters: dict[str, Any]) -> None:
    found = candidate("ssm", operation, **parameters)
    assert f"arn:aws:secretsmanager:{BASE}:secret:prod/db" in [one.arn for one in found.resources]
    assert "secretsmanager:GetSecretValue" in [one.name for one in found.actions]


def test_any_other_parameter_is_no_secret_of_secrets_manager() -> None:
    found = candidate("ssm", "GetParameter", Name="/app/aws-reference/secretsmanager")
    assert [one.name for one in found.actions] == ["ssm:GetParameter"]
