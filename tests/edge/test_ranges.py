"""Downloads in parts, as boto3 and the AWS CLI make them of large objects: masked, whole, and without an error."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.terms import Protocol
from gateway.wire.contract import Admission, BodyForm, MaskPlan, Verdict
from gateway.wire.ranges import read_range
from tests.edge.peers import Message, write_answer
from tests.edge.world import World, Worlds

LINE = b"order 7 shipped to the customer, nothing else to tell\n"
SECRET = b"password=Sw0rdf1sh9\n"
PART = 1024 * 1024
# Secrets in the middle and across the edges of parts.
OBJECT = bytearray(LINE * (3 * PART // len(LINE)))
for place in (1000, PART - 15, 2 * PART - 5, len(OBJECT) - 30):
    OBJECT[place - 1 : place - 1 + len(SECRET) + 1] = b"\n" + SECRET
WHOLE = bytes(OBJECT)
ETAG = f'"{hashlib.md5(WHOLE).hexdigest()}"'


def keeps_one(w: World) -> None:
    """Have AWS keep one object and give parts of it; the control plane widens what is asked for, as ours does."""

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        asked = read_range(request.headers.get("range", ""))
        headers = {
            "ETag": ETAG,
            "Content-Type": "text/plain",
            "x-amz-request-id": "S3-1",
            "Accept-Ranges": "bytes",
            "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT",
        }
        if request.headers.get("if-match", ETAG) != ETAG:
            writer.write(write_answer(412, headers))
        elif request.method == "HEAD":
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            writer.write(f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(WHOLE)}\r\n\r\n".encode())
        elif asked is None:
            writer.write(write_answer(200, {**headers, "x-amz-checksum-crc32": "AAAAAA=="}, WHOLE))
        elif (found := asked.within(len(WHOLE))) is None:
            writer.write(write_answer(416, headers, b"<Error><Code>InvalidRange</Code></Error>"))
        else:
            headers |= {"Content-Range": f"bytes {found[0]}-{found[1]}/{len(WHOLE)}"}
            writer.write(write_answer(206, headers, WHOLE[found[0] : found[1] + 1]))

    def decide(admission: Admission) -> Verdict:
        kept = {name.lower(): value for name, value in admission.headers}
        asked = read_range(kept.get("range", ""))
        passed = {name: kept[name] for name in ("if-match",) if name in kept}
        if asked is not None:
            passed["range"] = asked.widened()
        plan = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, s3_errors=True, range=kept.get("range", ""))
        return w.forward(admission, mask=plan, headers=(("Host", "s3.eu-west-1.amazonaws.com"), *passed.items()))

    w.aws.answering = answering
    w.control.decide = decide


def client(w: World, **config: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"https://localhost:{w.edge.ports['tls']}",
        verify=str(w.certificates.cert),
        region_name="eu-west-1",
        aws_access_key_id="GWIAX",
        aws_secret_access_key="secret",
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, **config),
    )


def check(got: bytes) -> None:
    assert len(got) == len(WHOLE)
    assert b"Sw0rdf1sh9" not in got
    assert not re.search(rb"Sw0rd|f1sh9", got)
    assert got.count(b"password=*") == 4
    assert got.replace(b"*", b"").count(LINE) >= len(WHOLE) // len(LINE) - 8


@pytest.mark.parametrize("checks", ["when_supported", "when_required"])
async def test_boto3_downloads_a_large_object_in_parts(world: Worlds, checks: str) -> None:
    async with world() as w:
        keeps_one(w)
        s3 = await asyncio.to_thread(client, w, response_checksum_validation=checks)
        into = io.BytesIO()
        parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=3)
        await asyncio.to_thread(lambda: s3.download_fileobj("b", "k", into, Config=parts))
        check(into.getvalue())
        assert sum("Range" in dict(one.headers) for one in w.control.admissions) >= 3


async def test_the_aws_cli_downloads_a_large_object_in_parts(world: Worlds, tmp_path: Path) -> None:
    async with world() as w:
        keeps_one(w)
        (tmp_path / "config").write_text("[default]\ns3 =\n  multipart_threshold = 1MB\n  multipart_chunksize = 1MB\n")
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_ACCESS_KEY_ID": "GWIAX",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-west-1",
            "AWS_CA_BUNDLE": str(w.certificates.cert),
            "AWS_ENDPOINT_URL": f"https://localhost:{w.edge.ports['tls']}",
        }
        command = [str(Path(sys.executable).parent / "aws"), "s3", "cp", "s3://b/k", str(tmp_path / "got")]
        ran = await asyncio.to_thread(
            lambda: subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        )
        assert ran.returncode == 0, ran.stderr
        check((tmp_path / "got").read_bytes())


async def test_the_whole_object_is_read_with_tokens_and_without_a_stale_checksum(world: Worlds) -> None:
    async with world() as w:
        keeps_one(w)
        s3 = await asyncio.to_thread(client, w)
        got = await asyncio.to_thread(lambda: s3.get_object(Bucket="b", Key="k", ChecksumMode="ENABLED")["Body"].read())
        assert got == WHOLE.replace(SECRET, b"password=[REDACTED:password]\n")


async def test_a_range_behind_the_end_is_answered_as_aws_would(world: Worlds) -> None:
    async with world() as w:
        keeps_one(w)
        s3 = await asyncio.to_thread(client, w)
        asked = f"bytes={len(WHOLE)}-"
        with pytest.raises(ClientError) as caught:
            await asyncio.to_thread(lambda: s3.get_object(Bucket="b", Key="k", Range=asked))
        assert caught.value.response["Error"]["Code"] == "InvalidRange"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416
