"""Unmodified clients over TLS: boto3 and the aws command, with nothing changed but endpoint and keys."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.wire.contract import Admission, Answer, BodyMode, Verdict, VerdictKind
from tests.edge.peers import Message, read_body, write_answer
from tests.edge.world import World, Worlds

CONTENT = os.urandom(300_000)


def client(w: World, service: str, attempts: int = 2) -> Any:
    return boto3.client(
        service,
        endpoint_url=f"https://localhost:{w.edge.ports['tls']}",
        verify=str(w.certificates.cert),
        region_name="eu-west-1",
        aws_access_key_id="GWIAX",
        aws_secret_access_key="secret",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )


def keeps(w: World) -> dict[str, bytes]:
    """Have AWS keep what is put and give it back; the control plane passes all headers on."""
    kept: dict[str, bytes] = {}

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        body = b"".join([chunk async for chunk in read_body(reader, request)])
        path = request.target.partition("?")[0]
        if request.method == "PUT":
            kept[path] = body
            writer.write(write_answer(200, {"ETag": '"e"', "x-amz-request-id": "S3-1"}))
        else:
            writer.write(write_answer(200, {"x-amz-request-id": "S3-2"}, kept.get(path, b"")))

    def decide(admission: Admission) -> Verdict:
        passed = tuple((k, v) for k, v in admission.headers if k.lower() not in ("host", "authorization"))
        return w.forward(admission, headers=(("Host", "s3.eu-west-1.amazonaws.com"), *passed))

    w.aws.answering = answering
    w.control.decide = decide
    return kept


async def test_boto3_puts_an_object_and_gets_it_back(world: Worlds) -> None:
    async with world() as w:
        kept = keeps(w)
        s3 = await asyncio.to_thread(client, w, "s3")
        await asyncio.to_thread(lambda: s3.put_object(Bucket="b", Key="k", Body=CONTENT))
        [admission] = w.control.admissions
        assert admission.body_mode is BodyMode.PAYLOAD
        # Over TLS boto3 frames the object in aws-chunked with a checksum trailer; that body is not touched.
        assert dict(admission.headers)["X-Amz-Content-SHA256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        checksum = base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big"))
        assert kept["/b/k"].endswith(b"x-amz-checksum-crc32:" + checksum + b"\r\n\r\n")
        kept["/b/k"] = CONTENT
        got = await asyncio.to_thread(lambda: s3.get_object(Bucket="b", Key="k")["Body"].read())
        assert got == CONTENT


async def test_boto3_uploads_a_large_object_in_parts_at_once(world: Worlds, tmp_path: Path) -> None:
    async with world() as w:
        kept = keeps(w)
        s3 = await asyncio.to_thread(client, w, "s3")

        def upload(number: int) -> Any:
            return s3.upload_part(Bucket="b", Key=f"k{number}", PartNumber=1, UploadId="u", Body=CONTENT)

        await asyncio.gather(*(asyncio.to_thread(upload, number) for number in range(8)))
        assert sorted(kept) == [f"/b/k{number}" for number in range(8)]
        assert {admission.body_mode for admission in w.control.admissions} == {BodyMode.PAYLOAD}


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("dynamodb", lambda c: c.get_item(TableName="t", Key={"id": {"S": "1"}})),
        ("s3", lambda c: c.get_object(Bucket="b", Key="k")),
        ("ec2", lambda c: c.describe_instances()),
        ("sts", lambda c: c.get_caller_identity()),
        ("lambda", lambda c: c.invoke(FunctionName="f")),
        ("sqs", lambda c: c.list_queues()),
    ],
)
async def test_boto3_raises_a_client_error_for_what_the_edge_itself_refuses(
    world: Worlds, service: str, call: Any
) -> None:
    async with world(control_seconds=0.3) as w:
        await w.control.server.stop()
        made = await asyncio.to_thread(client, w, service, attempts=1)
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(call, made)
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
        assert "nothing was sent to AWS" in caught.value.response["Error"]["Message"]
        assert w.aws.log == []


async def test_a_refusal_of_policy_reaches_boto3_once_and_unchanged(world: Worlds) -> None:
    async with world() as w:
        body = b"<Error><Code>AccessDenied</Code><Message>Ask bob.</Message></Error>"
        refusal = Answer(status=403, headers=(("Content-Type", "application/xml"),), body=body)
        w.control.decide = lambda a: Verdict(id=a.id, kind=VerdictKind.REFUSE, answer=refusal)
        s3 = await asyncio.to_thread(client, w, "s3")
        with pytest.raises(ClientError, match=r"Ask bob\."):
            await asyncio.to_thread(lambda: s3.put_object(Bucket="b", Key="k", Body=CONTENT))
        assert len(w.control.admissions) == 1
        assert w.aws.log == []


async def test_head_object_for_a_missing_key_is_a_clean_404(world: Worlds) -> None:
    async with world() as w:

        async def answering(request: Message, reader: Any, writer: Any) -> None:
            writer.write(b"HTTP/1.1 404 Not Found\r\nx-amz-request-id: S3-9\r\nContent-Length: 321\r\n\r\n")

        w.aws.answering = answering
        s3 = await asyncio.to_thread(client, w, "s3")
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(lambda: s3.head_object(Bucket="b", Key="k"))
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        # The same connection still serves the next call.
        w.aws.answering = None
        assert (await asyncio.to_thread(lambda: s3.get_object(Bucket="b", Key="k")["Body"].read())) == b"{}"


async def test_the_aws_command_works_with_endpoint_and_keys_alone(world: Worlds, tmp_path: Path) -> None:
    async with world() as w:
        kept = keeps(w)
        kept["/b/k"] = b"hello from the other side"
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "awscli",
            *("s3api", "get-object", "--bucket", "b", "--key", "k", str(tmp_path / "got")),
            env={
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": f"https://localhost:{w.edge.ports['tls']}",
                "AWS_CA_BUNDLE": str(w.certificates.cert),
                "AWS_ACCESS_KEY_ID": "GWIAX",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "eu-west-1",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        assert process.returncode == 0, errors
        assert (tmp_path / "got").read_bytes() == b"hello from the other side"


async def test_a_compressed_answer_that_a_rule_lets_through_stays_compressed(world: Worlds) -> None:
    async with world() as w:
        packed = gzip.compress(b"plain")

        async def answering(request: Message, reader: Any, writer: Any) -> None:
            writer.write(write_answer(200, {"Content-Encoding": "gzip"}, packed))

        w.aws.answering = answering
        s3 = await asyncio.to_thread(client, w, "s3")
        got = await asyncio.to_thread(lambda: s3.get_object(Bucket="b", Key="k"))
        assert got["ContentEncoding"] == "gzip"
        assert gzip.decompress(await asyncio.to_thread(got["Body"].read)) == b"plain"
