"""boto3 reads masked event streams through the edge: the rows of a select as an upstream of our own sends them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.exceptions import EventStreamError

from gateway.terms import Protocol
from gateway.wire.contract import Admission, BodyForm, MaskPlan, Verdict
from gateway.wire.eventstream import Frame, FrameHeader, HeaderType
from tests.edge.peers import Message, read_body
from tests.edge.test_ranges import client
from tests.edge.world import World, Worlds

ROWS = b'{"id":1,"note":"token ghp_0123456789abcdefghijABCDEFGHIJ012345"}\n'


def frame(event: str, payload: bytes = b"", kind: str = "application/octet-stream", message: str = "event") -> bytes:
    headers = {":message-type": message, ":event-type": event, ":content-type": kind}
    if message == "error":
        headers = {":message-type": message, ":error-code": "InternalError", ":error-message": "it broke"}
    made = tuple(FrameHeader(name=key, kind=HeaderType.STRING, value=value.encode()) for key, value in headers.items())
    return Frame(headers=made, payload=payload).encoded()


def streams(w: World, *frames: bytes) -> None:
    """Have AWS send these frames one by one, in chunks of a chunked answer."""

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        _ = [chunk async for chunk in read_body(reader, request)]
        writer.write(b"HTTP/1.1 200 OK\r\nx-amz-request-id: S3-1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for one in frames:
            writer.write(b"%x\r\n%b\r\n" % (len(one), one))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    def decide(admission: Admission) -> Verdict:
        return w.forward(admission, mask=MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.EVENT_STREAM))

    w.aws.answering = answering
    w.control.decide = decide


def select(w: World) -> list[dict[str, Any]]:
    answer = client(w).select_object_content(
        Bucket="b",
        Key="k",
        Expression="select * from s3object",
        ExpressionType="SQL",
        InputSerialization={"JSON": {"Type": "LINES"}},
        OutputSerialization={"JSON": {}},
    )
    return list(answer["Payload"])


async def test_a_secret_across_two_frames_never_reaches_the_client(world: Worlds) -> None:
    async with world() as w:
        streams(w, frame("Records", ROWS[:30]), frame("Cont"), frame("Records", ROWS[30:]), frame("End", b"", ""))
        events = await asyncio.to_thread(select, w)
        records = b"".join(event["Records"]["Payload"] for event in events if "Records" in event)
        assert records == b'{"id":1,"note":"token [REDACTED:secret]"}\n'
        assert [next(iter(event)) for event in events][-1] == "End"
        outcome = await w.outcome()
        assert outcome.masked_by_type == {"secret": 1}
        assert outcome.bytes_unscanned == 0


async def test_an_error_in_the_stream_reaches_the_client_as_one(world: Worlds) -> None:
    async with world() as w:
        streams(w, frame("Records", b"row\n"), frame("", b"", "", "error"))
        with pytest.raises(EventStreamError):
            await asyncio.to_thread(select, w)


async def test_a_stream_whose_checksums_do_not_hold_is_withheld(world: Worlds) -> None:
    async with world() as w:
        false = bytearray(frame("Records", ROWS))
        false[-20] ^= 1
        streams(w, bytes(false))
        with pytest.raises(Exception, match="ResponseWithheld"):
            await asyncio.to_thread(select, w)
        assert (await w.outcome()).error == "masking.withheld"
