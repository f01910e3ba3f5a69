"""The stand-in AWS: seeded the same each time, and keeping its own record of every request."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from hoopweb.stack import seed
from hoopweb.stack.plan import CHECKOUT
from hoopweb.stack.ports import free_port
from hoopweb.stack.standin import RepeatingResults

Place = tuple[str, Path]


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("standin")
    port, log = free_port(), folder / "access.jsonl"
    command = [sys.executable, "-m", "hoopweb.stack.standin", "--port", str(port), "--access-log", str(log), "--seed"]
    with (folder / "out.log").open("w") as output:
        process = subprocess.Popen(command, cwd=CHECKOUT, stdout=output, stderr=output)
        try:
            _until_ready(f"http://127.0.0.1:{port}/hoopweb-standin/ready")
            yield f"http://127.0.0.1:{port}", log
        finally:
            process.terminate()
            process.wait(10)


def _until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def _census(endpoint: str) -> dict[str, Any]:
    """Count what a second seed could double."""
    alive = [{"Name": "instance-state-name", "Values": ["running", "pending"]}]
    queue = seed.client("sqs", endpoint).get_queue_url(QueueName=seed.QUEUE)["QueueUrl"]
    return {
        "buckets": sorted(bucket["Name"] for bucket in seed.client("s3", endpoint).list_buckets()["Buckets"]),
        "instances": len(seed.client("ec2", endpoint).describe_instances(Filters=alive)["Reservations"]),
        "customers": seed.client("dynamodb", endpoint).scan(TableName=seed.TABLE)["Count"],
        "secrets": len(seed.client("secretsmanager", endpoint).list_secrets()["SecretList"]),
        "keys": len(seed.client("kms", endpoint).list_keys()["Keys"]),
        "functions": len(seed.client("lambda", endpoint).list_functions()["Functions"]),
        "roles": len(seed.client("iam", endpoint).list_roles()["Roles"]),
        "messages": seed.client("sqs", endpoint).get_queue_attributes(
            QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"],
    }


def test_seeding_again_changes_nothing(standin: Place) -> None:
    endpoint, _ = standin
    before = _census(endpoint)
    seed.seed(endpoint)
    assert _census(endpoint) == before
    assert before["instances"] == len(seed.INSTANCES)
    assert before["customers"] == len(seed.CUSTOMERS)


def test_seeding_brings_back_what_a_story_destroyed(standin: Place) -> None:
    endpoint, _ = standin
    ec2 = seed.client("ec2", endpoint)
    found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": [seed.INSTANCES[0]]}])
    ec2.terminate_instances(InstanceIds=[found["Reservations"][0]["Instances"][0]["InstanceId"]])
    seed.client("s3", endpoint).delete_bucket(Bucket=seed.SCRATCH)
    seed.seed(endpoint)
    census = _census(endpoint)
    assert census["instances"] == len(seed.INSTANCES)
    assert seed.SCRATCH in census["buckets"]


def test_one_object_has_a_secret_inside(standin: Place) -> None:
    endpoint, _ = standin
    body = seed.client("s3", endpoint).get_object(Bucket=seed.REPORTS, Key="config/billing.env")["Body"].read().decode()
    assert seed.DATABASE_PASSWORD in body
    assert seed.SECRET_ACCESS_KEY in body


def test_the_function_answers_the_same_however_often_it_is_called(standin: Place) -> None:
    endpoint, _ = standin
    functions = seed.client("lambda", endpoint)
    answers = [functions.invoke(FunctionName=seed.FUNCTION, Payload=b"{}")["Payload"].read() for _ in range(3)]
    assert [json.loads(answer) for answer in answers] == [seed.FUNCTION_RESULT] * 3


def test_the_role_can_be_assumed(standin: Place) -> None:
    endpoint, _ = standin
    answer = seed.client("sts", endpoint).assume_role(RoleArn=seed.ROLE_ARN, RoleSessionName="test")
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_each_call_is_one_line_with_its_name(standin: Place) -> None:
    endpoint, log = standin
    before = len(_lines(log))
    seed.client("ec2", endpoint).describe_vpcs()
    seed.client("dynamodb", endpoint).list_tables()
    query, target = _lines(log)[before:]
    assert (query["method"], query["action"], query["access_key"]) == ("POST", "DescribeVpcs", "seed")
    assert target["target"] == "DynamoDB_20120810.ListTables"
    assert "hoopweb-seed" in query["user_agent"]
    assert query["has_session_token"] is False


def test_a_call_that_fails_is_in_the_record_too(standin: Place) -> None:
    endpoint, log = standin
    s3 = seed.client("s3", endpoint)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=seed.REPORTS, Key="no/such+key é")
    assert _lines(log)[-1]["path"].startswith("/acme-reports/no/such%2Bkey")


def test_the_record_holds_no_credential(standin: Place) -> None:
    endpoint, log = standin
    session = boto3.Session("ASIAEXAMPLE", "the-secret-key", "the-session-token", region_name=seed.REGION)
    session.client("sts", endpoint_url=endpoint).get_caller_identity()
    line = _lines(log)[-1]
    assert (line["access_key"], line["has_session_token"]) == ("ASIAEXAMPLE", True)
    text = log.read_text()
    assert "the-secret-key" not in text
    assert "the-session-token" not in text
    assert "Signature=" not in text


def test_the_last_result_is_repeated() -> None:
    results = RepeatingResults(["first", "last"])
    assert [results.pop(0) for _ in range(3)] == ["first", "last", "last"]
