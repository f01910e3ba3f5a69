"""Facts of requests as boto3 really sends them: the members tests name by hand are those the parser brings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.engine.facts import Facts, facts_of
from gateway.masking.recorded import mask_json
from tests.wire.making import ACCOUNT, candidate

OTHER = "999988887777"


def policy(principal: Any) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"}]})


OPEN, FOREIGN, OWN = policy("*"), policy({"AWS": OTHER}), policy({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
PUBLIC = Facts(public_access=True, foreign_access=True)
NETWORK = Facts(public_network=True)
SHARED = Facts(foreign_access=True)
QUEUE = f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/orders"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:orders"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"

CALLS: list[tuple[str, str, dict[str, Any], Facts]] = [
    ("s3", "PutBucketPolicy", {"Bucket": "reports", "Policy": OPEN}, PUBLIC),
    ("s3", "PutBucketPolicy", {"Bucket": "reports", "Policy": FOREIGN}, SHARED),
    ("s3", "PutBucketPolicy", {"Bucket": "reports", "Policy": OWN}, Facts()),
    ("s3", "PutBucketAcl", {"Bucket": "reports", "ACL": "public-read"}, PUBLIC),
    ("s3", "PutObject", {"Bucket": "reports", "Key": "a", "Body": b"x", "ACL": "public-read"}, PUBLIC),
    ("s3", "PutObject", {"Bucket": "reports", "Key": "a", "Body": b"x"}, Facts()),
    ("s3", "DeletePublicAccessBlock", {"Bucket": "reports"}, PUBLIC),
    ("sqs", "SetQueueAttributes", {"QueueUrl": QUEUE, "Attributes": {"Policy": OPEN}}, PUBLIC),
    ("sqs", "SetQueueAttributes", {"QueueUrl": QUEUE, "Attributes": {"DelaySeconds": "5"}}, Facts()),
    ("sns", "SetTopicAttributes", {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": OPEN}, PUBLIC),
    ("sns", "AddPermission", {"TopicArn": TOPIC, "Label": "a", "AWSAccountId": [OTHER], "ActionName": ["P"]}, SHARED),
    ("ecr", "SetRepositoryPolicy", {"repositoryName": "app", "policyText": OPEN}, PUBLIC),
    ("kms", "PutKeyPolicy", {"KeyId": KEY, "PolicyName": "default", "Policy": FOREIGN}, SHARED),
    ("secretsmanager", "PutResourcePolicy", {"SecretId": "db", "ResourcePolicy": OPEN}, PUBLIC),
    ("lambda", "AddPermission", {"FunctionName": "f", "StatementId": "s", "Action": "a", "Principal": "*"}, PUBLIC),
    ("lambda", "CreateFunctionUrlConfig", {"FunctionName": "f", "AuthType": "NONE"}, PUBLIC),
    ("lambda", "CreateFunctionUrlConfig", {"FunctionName": "f", "AuthType": "AWS_IAM"}, Facts()),
    ("iam", "UpdateAssumeRolePolicy", {"RoleName": "admin", "PolicyDocument": FOREIGN}, SHARED),
    ("iam", "PutRolePolicy", {"RoleName": "a", "PolicyName": "b", "PolicyDocument": policy("*").replace("*", "x")}, SHARED),
    ("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1", "CidrIp": "0.0.0.0/0", "IpProtocol": "tcp"}, NETWORK),
    (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]},
        NETWORK,
    ),
    (
        "ec2",
        "ModifySnapshotAttribute",
        {"SnapshotId": "snap-0123456789abcdef0", "CreateVolumePermission": {"Add": [{"Group": "all"}]}},
        PUBLIC,
    ),
    (
        "ec2",
        "ModifyImageAttribute",
        {"ImageId": "ami-0123456789abcdef0", "LaunchPermission": {"Add": [{"UserId": OTHER}]}},
        SHARED,
    ),
    (
        "rds",
        "ModifyDBSnapshotAttribute",
        {"DBSnapshotIdentifier": "nightly", "AttributeName": "restore", "ValuesToAdd": ["all"]},
        PUBLIC,
    ),
    ("rds", "ModifyDBInstance", {"DBInstanceIdentifier": "orders", "PubliclyAccessible": True}, NETWORK),
    ("rds", "ModifyDBInstance", {"DBInstanceIdentifier": "orders", "PubliclyAccessible": False}, Facts()),
    ("ssm", "ModifyDocumentPermission", {"Name": "doc", "PermissionType": "Share", "AccountIdsToAdd": ["all"]}, PUBLIC),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    CALLS,
    ids=[f"{service}-{operation}-{number}" for number, (service, operation, *_) in enumerate(CALLS)],
)
def test_a_real_request_has_its_facts(
    service: str, operation: str, parameters: dict[str, Any], expected: Facts
) -> None:
    assert facts_of(candidate(service, operation, **parameters), account=ACCOUNT) == expected


def test_a_document_survives_the_search_for_secrets() -> None:
    """Policy sees parameters after secrets in them were replaced; a policy's text has to come through that."""
    read = candidate("s3", "PutBucketPolicy", Bucket="reports", Policy=OWN)
    parameters, _ = mask_json(read.parameters)
    assert parameters == read.parameters
