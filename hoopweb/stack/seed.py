"""Fills the stand-in AWS with the demo's account: what an agent of a small company would find.

Every value that looks secret is made up, and every step is the same however often it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import urllib.request
import zipfile
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLE = "hoopweb-demo"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
REPORTS, SCRATCH = "acme-reports", "acme-scratch"
SECRET = "prod/billing/db"  # noqa: S105 - its name
TABLE, QUEUE, FUNCTION, KEY_ALIAS = "customers", "billing-jobs", "quote", "alias/acme-demo"
INSTANCES = ("billing-worker-1", "billing-worker-2")
PARAMETER = "/prod/billing/api-token"

# Made up, in the shapes detectors know.
DATABASE_PASSWORD = "Kq7!vR2m-Wz9pLx4"  # noqa: S105
API_TOKEN = "ghp_R4nD0mL00k1ngT0k3nF0rTh3D3m00000abcd"  # noqa: S105
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "AKIAQX4BIPW3AHOV27GN", "wJ3qTzvK8mYbN5rLxP0dFhGc7sAeUiOo2VkXnMt1"

OBJECTS = {
    "2026/q1.csv": "month,revenue\njanuary,120400\nfebruary,118900\nmarch,131250\n",
    "notes.txt": "Quarterly numbers are final. Ask finance before sharing.\n",
    "config/billing.env": (
        f"DB_HOST=billing.internal\nDB_PASSWORD={DATABASE_PASSWORD}\n"
        f"AWS_ACCESS_KEY_ID={ACCESS_KEY_ID}\nAWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY}\n"
    ),
}
CUSTOMERS = (
    {"id": {"S": "c-1"}, "name": {"S": "Ada Byron"}, "email": {"S": "ada@example.com"}, "plan": {"S": "team"}},
    {"id": {"S": "c-2"}, "name": {"S": "Alan Mathison"}, "email": {"S": "alan@example.com"}, "plan": {"S": "solo"}},
    {"id": {"S": "c-3"}, "name": {"S": "Grace Murray"}, "email": {"S": "grace@example.com"}, "plan": {"S": "team"}},
)
FUNCTION_RESULT = {"quote": "EUR 42.00", "apiToken": API_TOKEN, "validMinutes": 30}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}


def client(service: str, endpoint: str) -> Any:
    """Return a boto3 client to the stand-in that reads nothing of the caller's AWS configuration."""
    session = boto3.Session("seed", "seed", region_name=REGION)
    config = Config(user_agent_appid="hoopweb-seed", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return session.client(service, endpoint_url=endpoint, config=config)


def seed(endpoint: str) -> None:
    """Put everything in; raises botocore's errors when the stand-in refuses a step."""
    for step in (_role, _s3, _secrets, _dynamodb, _ec2, _queue, _key, _function):
        step(endpoint)


def _role(endpoint: str) -> None:
    iam = client("iam", endpoint)
    try:
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(TRUST))


def _s3(endpoint: str) -> None:
    s3 = client("s3", endpoint)
    for bucket in (REPORTS, SCRATCH):
        s3.create_bucket(Bucket=bucket)
    for key, text in OBJECTS.items():
        s3.put_object(Bucket=REPORTS, Key=key, Body=text.encode(), ContentType="text/plain; charset=utf-8")


def _secrets(endpoint: str) -> None:
    manager = client("secretsmanager", endpoint)
    value = json.dumps({"username": "billing", "password": DATABASE_PASSWORD, "host": "billing.internal"})
    try:
        manager.create_secret(Name=SECRET, SecretString=value)
    except manager.exceptions.ResourceExistsException:
        manager.put_secret_value(SecretId=SECRET, SecretString=value)
    client("ssm", endpoint).put_parameter(Name=PARAMETER, Value=API_TOKEN, Type="SecureString", Overwrite=True)


def _dynamodb(endpoint: str) -> None:
    dynamodb = client("dynamodb", endpoint)
    with contextlib.suppress(dynamodb.exceptions.ResourceInUseException):
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    for item in CUSTOMERS:
        dynamodb.put_item(TableName=TABLE, Item=item)


def _ec2(endpoint: str) -> None:
    ec2 = client("ec2", endpoint)
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    for name in INSTANCES:
        alive = [
            {"Name": "tag:Name", "Values": [name]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
        if not ec2.describe_instances(Filters=alive)["Reservations"]:
            tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
            ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", TagSpecifications=tags)


def _queue(endpoint: str) -> None:
    sqs = client("sqs", endpoint)
    url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    if attributes["ApproximateNumberOfMessages"] == "0":
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"job": "invoice", "customer": "c-1"}))


def _key(endpoint: str) -> None:
    kms = client("kms", endpoint)
    if KEY_ALIAS not in {alias["AliasName"] for alias in kms.list_aliases()["Aliases"]}:
        key = kms.create_key(Description="The demo's data key")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=KEY_ALIAS, TargetKeyId=key)


def _function(endpoint: str) -> None:
    functions = client("lambda", endpoint)
    try:
        functions.create_function(
            FunctionName=FUNCTION,
            Runtime="python3.12",
            Role=ROLE_ARN,
            Handler="quote.handler",
            Code={"ZipFile": _zipped("quote.py", "def handler(event, context):\n    return event\n")},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceConflictException":
            raise
    _set_lambda_result(endpoint, json.dumps(FUNCTION_RESULT))


def _zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # A fixed date: the same code is the same archive, so the same CodeSha256 after each seed.
        archive.writestr(zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


def _set_lambda_result(endpoint: str, result: str) -> None:
    """Tell moto's Lambda without Docker what every invocation answers (its own API, not AWS's)."""
    body = json.dumps({"account_id": ACCOUNT, "region": REGION, "results": [result]}).encode()
    request = urllib.request.Request(f"{endpoint}/moto-api/static/lambda-simple/response", data=body, method="POST")  # noqa: S310
    request.add_header("User-Agent", "hoopweb-seed")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the endpoint is our own stand-in
        answer.read()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hoopweb.stack.seed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--endpoint", required=True, help="address of the stand-in AWS")
    seed(parser.parse_args(arguments).endpoint.rstrip("/"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
