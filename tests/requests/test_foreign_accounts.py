"""What a call names outside its connection's account and regions is refused here, before anything leaves."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from gateway.connections.models import Connection
from gateway.tenants.models import Tenant
from gateway.wire.contract import BodyMode, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.world import EdgeLife, Keys, events_of, row_of

OWN, FOREIGN, HERE = "123456789012", "999988887777", "eu-central-1"
BUCKET = {"Bucket": "reports"}
KEY = f"arn:aws:kms:{HERE}:{FOREIGN}:key/1b2c3d4e-0000-4000-8000-000000000000"


def ask(edge: EdgeLife, keys: Keys, call: tuple[str, str, dict[str, Any]]) -> tuple[VerdictKind, str]:
    service, operation, parameters = call
    verdict = edge.admit_one(keys.call(service, operation, **parameters))
    return verdict.kind, verdict.answer.body.decode() if verdict.answer else ""


ABROAD: list[tuple[str, str, dict[str, Any]]] = [
    ("s3", "get_object", BUCKET | {"Key": "k", "ExpectedBucketOwner": FOREIGN}),
    ("s3", "list_objects_v2", BUCKET | {"ExpectedBucketOwner": FOREIGN}),
    ("s3", "copy_object", BUCKET | {"Key": "k", "CopySource": "b/k", "ExpectedSourceBucketOwner": FOREIGN}),
    ("s3control", "list_jobs", {"AccountId": FOREIGN}),
    ("s3control", "get_public_access_block", {"AccountId": FOREIGN}),
    ("kms", "decrypt", {"CiphertextBlob": b"x", "KeyId": KEY}),
    ("kms", "encrypt", {"Plaintext": b"x", "KeyId": KEY}),
    ("s3", "create_multipart_upload", BUCKET | {"Key": "k", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY}),
    ("lambda", "invoke", {"FunctionName": f"arn:aws:lambda:{HERE}:{FOREIGN}:function:f"}),
    ("lambda", "invoke", {"FunctionName": f"{FOREIGN}:function:f"}),
    ("lambda", "get_layer_version_by_arn", {"Arn": f"arn:aws:lambda:{HERE}:{FOREIGN}:layer:theirs:1"}),
    (
        "lambda",
        "update_function_configuration",
        {"FunctionName": "f", "Layers": [f"arn:aws:lambda:{HERE}:{FOREIGN}:layer:theirs:1"]},
    ),
    # AWS's own account, and yet none of the layers it is known to offer there.
    ("lambda", "get_layer_version_by_arn", {"Arn": f"arn:aws:lambda:{HERE}:017000801446:layer:something-else:1"}),
    ("lambda", "invoke", {"FunctionName": f"arn:aws:lambda:{HERE}:017000801446:function:AWSLambdaPowertoolsPython"}),
    ("secretsmanager", "get_secret_value", {"SecretId": f"arn:aws:secretsmanager:{HERE}:{FOREIGN}:secret:db-AbCdEf"}),
    ("dynamodb", "get_item", {"TableName": f"arn:aws:dynamodb:{HERE}:{FOREIGN}:table/t", "Key": {"id": {"S": "1"}}}),
    ("sqs", "send_message", {"QueueUrl": f"https://sqs.{HERE}.amazonaws.com/{FOREIGN}/q", "MessageBody": "x"}),
    ("sqs", "get_queue_url", {"QueueName": "q", "QueueOwnerAWSAccountId": FOREIGN}),
    ("sns", "publish", {"TopicArn": f"arn:aws:sns:{HERE}:{FOREIGN}:t", "Message": "x"}),
    ("events", "put_events", {"Entries": [{"EventBusName": f"arn:aws:events:{HERE}:{FOREIGN}:event-bus/b"}]}),
    ("ecr", "describe_repositories", {"registryId": FOREIGN}),
    ("glue", "get_tables", {"DatabaseName": "d", "CatalogId": FOREIGN}),
]


@pytest.mark.parametrize("call", ABROAD, ids=[f"{service}-{name}-{n}" for n, (service, name, _) in enumerate(ABROAD)])
def test_another_account_is_refused_with_what_to_do(
    ready: StrictSts, edge: EdgeLife, keys: Keys, call: tuple[str, str, dict[str, Any]]
) -> None:
    kind, body = ask(edge, keys, call)
    assert kind is VerdictKind.REFUSE
    assert "reaches for another AWS account" in body
    assert "that account&#x27;s own connection" in body or "that account's own connection" in body
    assert ready.asked == []


HOME: list[tuple[str, str, dict[str, Any]]] = [
    ("s3", "get_object", BUCKET | {"Key": "k", "ExpectedBucketOwner": OWN}),
    ("s3control", "list_jobs", {"AccountId": OWN}),
    ("ssm", "get_parameter", {"Name": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"}),
    ("iam", "get_policy", {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
    ("ec2", "describe_images", {"Owners": ["099720109477", "amazon"]}),
    (
        "lambda",
        "get_layer_version_by_arn",
        {"Arn": f"arn:aws:lambda:{HERE}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python312-x86_64:7"},
    ),
    (
        "lambda",
        "update_function_configuration",
        {
            "FunctionName": "f",
            "Layers": [
                f"arn:aws:lambda:{HERE}:580247275435:layer:LambdaInsightsExtension-Arm64:20",
                f"arn:aws:lambda:{HERE}:187925254637:layer:AWS-Parameters-and-Secrets-Lambda-Extension:24",
                f"arn:aws:lambda:{HERE}:066940009817:layer:AWS-AppConfig-Extension:261",
                f"arn:aws:lambda:{HERE}:901920570463:layer:aws-otel-python-amd64-ver-1-16-0:2",
            ],
        },
    ),
    (
        "ecr",
        "batch_get_image",
        {"registryId": "763104351884", "repositoryName": "pytorch", "imageIds": [{"imageTag": "latest"}]},
    ),
    ("ssm", "put_parameter", {"Name": "/app/topic", "Type": "String", "Value": f"arn:aws:sns:{HERE}:{FOREIGN}:t"}),
    ("sqs", "send_message", {"QueueUrl": f"https://sqs.{HERE}.amazonaws.com/{OWN}/q", "MessageBody": KEY}),
    ("dynamodb", "put_item", {"TableName": "t", "Item": {"id": {"S": "1"}, "key": {"S": KEY}}}),
    ("lambda", "update_function_configuration", {"FunctionName": "f", "Environment": {"Variables": {"KEY": KEY}}}),
    ("organizations", "describe_account", {"AccountId": FOREIGN}),
]


@pytest.mark.parametrize("call", HOME, ids=[f"{service}-{name}-{n}" for n, (service, name, _) in enumerate(HOME)])
def test_what_is_its_own_everybodys_or_only_words_passes(
    ready: StrictSts, edge: EdgeLife, keys: Keys, call: tuple[str, str, dict[str, Any]]
) -> None:
    service, operation, parameters = call
    region = "us-east-1" if service in ("iam", "organizations") else HERE
    verdict = edge.admit_one(keys.call(service, operation, region=region, **parameters))
    assert verdict.kind is VerdictKind.FORWARD, verdict.answer


ELSEWHERE: list[tuple[str, str, dict[str, Any]]] = [
    ("kms", "encrypt", {"Plaintext": b"x", "KeyId": f"arn:aws:kms:ap-south-1:{OWN}:key/k"}),
    ("sns", "publish", {"TopicArn": f"arn:aws:sns:ap-south-1:{OWN}:t", "Message": "x"}),
    ("kms", "replicate_key", {"KeyId": "k", "ReplicaRegion": "ap-south-1"}),
    (
        "secretsmanager",
        "replicate_secret_to_regions",
        {"SecretId": "s", "AddReplicaRegions": [{"Region": "ap-south-1"}]},
    ),
    (
        "dynamodb",
        "update_table",
        {"TableName": "t", "ReplicaUpdates": [{"Create": {"RegionName": "ap-south-1"}}]},
    ),
    ("ec2", "copy_snapshot", {"SourceRegion": "ap-south-1", "SourceSnapshotId": "snap-0123456789abcdef0"}),
]


@pytest.mark.parametrize(
    "call", ELSEWHERE, ids=[f"{service}-{name}-{n}" for n, (service, name, _) in enumerate(ELSEWHERE)]
)
def test_another_region_is_refused_wherever_it_is_named(
    ready: StrictSts, edge: EdgeLife, keys: Keys, call: tuple[str, str, dict[str, Any]]
) -> None:
    kind, body = ask(edge, keys, call)
    assert kind is VerdictKind.REFUSE
    assert "is not open for this region" in body


def test_a_bucket_is_not_made_in_another_region(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    body = b"<CreateBucketConfiguration><LocationConstraint>ap-south-1</LocationConstraint></CreateBucketConfiguration>"
    headers = {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}
    item = keys.sign(
        method="PUT",
        target="/fresh",
        headers=headers,
        body=body,
        service="s3",
        body_mode=BodyMode.PARAMETERS,
        body_sha256=headers["X-Amz-Content-SHA256"],
    )
    verdict = edge.admit_one(msgspec.structs.replace(item, body=body))
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    assert b"is not open for this region" in verdict.answer.body


def test_the_refusal_is_on_record_with_its_reason(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    item = keys.call("kms", "encrypt", Plaintext=b"x", KeyId=KEY)
    edge.admit_one(item)
    row = row_of(acme, item)
    assert (row.state, row.refusal_code) == ("refused", "connections.foreign_account")
    assert [kind for kind, _ in events_of(acme, item.id)] == ["request.refused"]


def test_observing_does_not_open_other_accounts(
    ready: StrictSts, edge: EdgeLife, keys: Keys, billing_account: Connection
) -> None:
    Connection.objects.filter(pk=billing_account.pk).update(observe_only=True)
    assert ask(edge, keys, ABROAD[0])[0] is VerdictKind.REFUSE
