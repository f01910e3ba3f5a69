"""Common calls of common services, by an ordinary boto3, through the edge: protocols, errors and masks."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from hoopweb.stack import seed
from tests.journeys.product import Product, Tenant


def test_s3(product: Product, demo: Tenant) -> None:
    s3 = demo.aws("s3")
    s3.put_object(Bucket=seed.SCRATCH, Key="a b/é+(1)//x", Body=b"odd keys live")
    assert s3.head_object(Bucket=seed.SCRATCH, Key="a b/é+(1)//x")["ContentLength"] == 13
    listed = s3.list_objects_v2(Bucket=seed.SCRATCH, Prefix="a b/")["Contents"]
    assert [one["Key"] for one in listed] == ["a b/é+(1)//x"]
    assert s3.get_object(Bucket=seed.SCRATCH, Key="a b/é+(1)//x")["Body"].read() == b"odd keys live"
    s3.copy_object(Bucket=seed.SCRATCH, Key="copy", CopySource={"Bucket": seed.SCRATCH, "Key": "a b/é+(1)//x"})
    assert product.truth("s3").get_object(Bucket=seed.SCRATCH, Key="copy")["Body"].read() == b"odd keys live"
    s3.delete_object(Bucket=seed.SCRATCH, Key="copy")


def test_an_upload_of_twenty_megabytes_arrives_whole(product: Product, demo: Tenant) -> None:
    body = bytes(range(256)) * 80_000
    demo.aws("s3").upload_fileobj(io.BytesIO(body), seed.SCRATCH, "large.bin")
    assert product.truth("s3").head_object(Bucket=seed.SCRATCH, Key="large.bin")["ContentLength"] == len(body)


def test_the_resources_and_transfers_of_boto3(product: Product, demo: Tenant, tmp_path: Path) -> None:
    keys = (demo.demo[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"))
    place = {"endpoint_url": demo.demo["AWS_ENDPOINT_URL"], "verify": demo.demo["AWS_CA_BUNDLE"]}
    session = boto3.Session(*keys, region_name=demo.demo["AWS_REGION"])
    home, back = tmp_path / "home", tmp_path / "back"
    home.write_bytes(b"a line of text that hides nothing\n" * 400_000)
    bucket = session.resource("s3", **place).Bucket(seed.SCRATCH)
    parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    bucket.upload_file(str(home), "resource/parts", Config=parts)
    bucket.download_file("resource/parts", str(back), Config=parts)
    assert back.read_bytes() == home.read_bytes()
    assert [one.key for one in bucket.objects.filter(Prefix="resource/")] == ["resource/parts"]
    bucket.Object("resource/parts").delete()
    table = session.resource("dynamodb", **place).Table(seed.TABLE)
    assert table.get_item(Key={"id": "c-1"})["Item"]["name"] == "Ada Byron"


def test_what_cannot_be_masked_is_withheld_and_says_that_it_ran(product: Product, demo: Tenant) -> None:
    product.truth("s3").put_object(Bucket=seed.SCRATCH, Key="blob.bin", Body=bytes(range(256)) * 16)
    with pytest.raises(ClientError) as withheld:
        demo.aws("s3").get_object(Bucket=seed.SCRATCH, Key="blob.bin")
    error = withheld.value.response["Error"]
    assert error["Code"] == "ResponseWithheld"
    assert error["Message"].startswith("The call ran at AWS, and its answer was withheld")
    assert withheld.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500


def test_a_missing_thing_is_the_services_own_error(demo: Tenant) -> None:
    with pytest.raises(ClientError) as missing:
        demo.aws("s3").get_object(Bucket=seed.SCRATCH, Key="never-was")
    assert missing.value.response["Error"]["Code"] == "NoSuchKey"
    with pytest.raises(ClientError) as unknown:
        demo.aws("dynamodb").get_item(TableName="never-was", Key={"id": {"S": "1"}})
    assert unknown.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_dynamodb(demo: Tenant) -> None:
    dynamodb = demo.aws("dynamodb")
    dynamodb.put_item(TableName=seed.TABLE, Item={"id": {"S": "journey"}, "n": {"N": "42"}})
    got = dynamodb.get_item(TableName=seed.TABLE, Key={"id": {"S": "journey"}})["Item"]
    assert got["n"] == {"N": "42"}
    query = dynamodb.query(
        TableName=seed.TABLE, KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": {"S": "journey"}}
    )
    assert query["Count"] == 1
    dynamodb.delete_item(TableName=seed.TABLE, Key={"id": {"S": "journey"}})


def test_sts_says_who_one_is(demo: Tenant) -> None:
    me = demo.aws("sts").get_caller_identity()
    assert me["Account"] == seed.ACCOUNT


def test_ec2_lambda_ssm_sqs_and_kms(demo: Tenant) -> None:
    assert demo.aws("ec2").describe_instances()["Reservations"]
    functions = demo.aws("lambda").list_functions()["Functions"]
    assert seed.FUNCTION in {one["FunctionName"] for one in functions}
    value = demo.aws("ssm").get_parameter(Name=seed.PARAMETER, WithDecryption=True)["Parameter"]["Value"]
    assert value == "[REDACTED:secret]"
    sqs = demo.aws("sqs")
    url = sqs.create_queue(QueueName="journey")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"
    kms = demo.aws("kms")
    sealed = kms.encrypt(KeyId=seed.KEY_ALIAS, Plaintext=b"plain")["CiphertextBlob"]
    assert b"plain" not in kms.decrypt(CiphertextBlob=sealed)["Plaintext"]


def test_a_function_is_created_and_invoked(demo: Tenant) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("f.py", "def handler(event, context):\n    return event\n")
    functions = demo.aws("lambda")
    answer = functions.invoke(FunctionName=seed.FUNCTION, Payload=json.dumps({"a": 1}))
    assert seed.API_TOKEN.encode() not in answer["Payload"].read()


def test_rds_data_speaks_its_own_error_or_answer(demo: Tenant) -> None:
    answer = demo.aws("rds-data").execute_statement(
        resourceArn=f"arn:aws:rds:us-east-1:{seed.ACCOUNT}:cluster:none",
        secretArn=f"arn:aws:secretsmanager:us-east-1:{seed.ACCOUNT}:secret:none",
        sql="SELECT 1",
    )
    assert "records" in answer


def test_a_region_the_connection_does_not_reach_is_refused(product: Product, demo: Tenant) -> None:
    before = len(product.upstream())
    import boto3

    session = boto3.Session(
        demo.demo["AWS_ACCESS_KEY_ID"],
        demo.demo["AWS_SECRET_ACCESS_KEY"],
        demo.demo["AWS_SESSION_TOKEN"],
        region_name="ap-southeast-2",
    )
    plan = product.stack.plan
    client = session.client("dynamodb", endpoint_url=plan.edges[0].url, verify=str(plan.certificates.authority))
    with pytest.raises(ClientError) as refused:
        client.list_tables()
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "region" in refused.value.response["Error"]["Message"].lower()
    assert len(product.upstream()) == before
