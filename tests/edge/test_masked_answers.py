"""Answers that must be masked: masked whole, or withheld with a word that the call did run."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from gateway.terms import OutcomeKind, Protocol
from gateway.wire.contract import (
    LARGEST_SCANNED_BODY,
    Admission,
    BodyForm,
    MaskPath,
    MaskPlan,
    OpaqueChoice,
    SensitivityClass,
    Verdict,
)
from tests.edge.peers import Message, read_body, write_answer, write_request
from tests.edge.world import CALLER, S3_CALLER, World, Worlds

CALL = write_request("POST", "/", {**CALLER, "X-Amz-Target": "secretsmanager.GetSecretValue"}, b"{}")
SECRET_VALUE = MaskPlan(
    protocol=Protocol.JSON,
    body=BodyForm.STRUCTURE,
    paths=(MaskPath(path=("SecretString",), sensitivity=SensitivityClass.SECRET),),
)
OBJECT = MaskPlan(protocol=Protocol.REST_XML, body=BodyForm.BLOB, s3_errors=True)


def answers(w: World, plan: MaskPlan, headers: dict[str, str], body: bytes, status: int = 200) -> None:
    """Have AWS answer so, under this plan."""

    async def answering(request: Message, reader: Any, writer: Any) -> None:
        _ = [chunk async for chunk in read_body(reader, request)]
        writer.write(write_answer(status, headers, body))

    def decide(admission: Admission) -> Verdict:
        return w.forward(admission, mask=plan)

    w.aws.answering = answering
    w.control.decide = decide


async def test_a_secret_member_never_reaches_the_client_nor_the_outcome(world: Worlds) -> None:
    async with world() as w:
        body = json.dumps({"Name": "db", "SecretString": "correct horse battery"}).encode()
        answers(w, SECRET_VALUE, {"Content-Type": "application/x-amz-json-1.1", "x-amz-crc32": "1"}, body)
        answer = await (await w.client()).ask(CALL)
        assert answer.status == 200
        assert json.loads(answer.body)["Name"] == "db"
        assert b"horse" not in answer.body
        outcome = await w.outcome()
        assert outcome.head == answer.body
        assert sum(outcome.masked_by_type.values()) == 1
        assert outcome.bytes_scanned == outcome.bytes_down == len(body)
        # Measured: a stale checksum makes botocore repeat the call three times without a word.
        assert answer.headers.get("x-amz-crc32") != "1"


async def test_a_large_maskable_answer_is_scanned_without_stopping_other_calls(world: Worlds) -> None:
    async with world() as w:
        answers(w, OBJECT, {"Content-Type": "text/plain"}, b"plain words " * 100_000)
        answer = await (await w.client()).ask(write_request("GET", "/b/k", S3_CALLER))
        assert (answer.status, len(answer.body)) == (200, 1_200_000)
        assert (await w.outcome()).bytes_scanned == 1_200_000


WITHHELD: dict[str, tuple[MaskPlan, dict[str, str], bytes]] = {
    "not text": (OBJECT, {}, b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
    "encoded": (OBJECT, {"Content-Encoding": "br"}, b"words"),
    "packed and broken": (OBJECT, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08"),
    "too large a structure": (SECRET_VALUE, {}, b"a" * (LARGEST_SCANNED_BODY + 1)),
    "a large archive": (OBJECT, {}, b"PK\x03\x04" + bytes(3_000_000)),
    "not the structure it should be": (SECRET_VALUE, {}, b'{"SecretString": "unclosed'),
}


@pytest.mark.parametrize("name", WITHHELD)
async def test_what_cannot_be_masked_is_withheld_and_the_client_hears_that_the_call_ran(
    world: Worlds, name: str
) -> None:
    plan, headers, body = WITHHELD[name]
    async with world() as w:
        answers(w, plan, headers, body)
        answer = await (await w.client()).ask(CALL)
        said = json.loads(answer.body)
        assert (answer.status, said["__type"]) == (403, "ResponseWithheld")
        assert "The call ran at AWS" in said["message"]
        outcome = await w.outcome()
        assert (outcome.kind, outcome.error, outcome.status) == (OutcomeKind.FAILED, "masking.withheld", 200)
        assert outcome.head == b""


async def test_an_answer_without_room_to_mask_it_in_is_withheld_and_not_retried(
    world: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.edge.budget.WAIT_SECONDS", 0.1)
    async with world(buffer_bytes=1000) as w:
        answers(w, OBJECT, {"Content-Type": "text/plain"}, b"a" * 2000)
        answer = await (await w.client()).ask(write_request("GET", "/b/k", S3_CALLER))
        assert answer.status == 403
        assert b"ResponseWithheld" in answer.body


async def test_aws_errors_are_masked_and_delivered_like_other_answers(world: Worlds) -> None:
    async with world() as w:
        body = b'{"__type":"ResourceNotFoundException","message":"no such thing"}'
        answers(w, SECRET_VALUE, {"Content-Type": "application/x-amz-json-1.1"}, body, status=400)
        answer = await (await w.client()).ask(CALL)
        assert (answer.status, answer.body) == (400, body)
        assert (await w.outcome()).kind is OutcomeKind.COMPLETED


LARGE = b"plain words of a log line\n" * 100_000


async def test_an_object_of_any_size_is_masked_as_it_comes(world: Worlds) -> None:
    async with world() as w:
        body = LARGE + b"password=Sw0rdf1sh9\n" + LARGE
        answers(w, OBJECT, {"Content-Type": "text/plain", "ETag": '"5d41402abc4b2a76b9719d911017c592"'}, body)
        answer = await (await w.client()).ask(write_request("GET", "/b/k", S3_CALLER))
        assert answer.status == 200
        assert answer.body == LARGE + b"password=[REDACTED:password]\n" + LARGE
        # Lengths and digests of what AWS sent would be lies about what is sent on.
        assert not {"content-length", "etag"} & {name.lower() for name in answer.headers}
        outcome = await w.outcome()
        assert (outcome.kind, outcome.bytes_scanned, outcome.bytes_unscanned) == (OutcomeKind.COMPLETED, len(body), 0)
        assert outcome.masked_by_type == {"password": 1}


async def test_a_stream_that_cannot_be_masked_any_more_is_cut_and_never_ends_cleanly(world: Worlds) -> None:
    async with world() as w:
        answers(w, OBJECT, {"Content-Type": "text/plain"}, LARGE + bytes(200_000) + LARGE)
        client = await w.client()
        await client.send(write_request("GET", "/b/k", S3_CALLER))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.answer()
        outcome = await w.outcome()
        assert (outcome.kind, outcome.error) == (OutcomeKind.FAILED, "masking.withheld")
        assert 0 < len(outcome.head) <= len(LARGE)


async def test_what_cannot_be_read_passes_where_the_connection_says_so(world: Worlds) -> None:
    async with world() as w:
        body = b"PK\x03\x04" + bytes(range(256)) * 10_000
        passing = msgspec.structs.replace(OBJECT, opaque=OpaqueChoice.PASS)
        answers(w, passing, {"Content-Type": "application/zip", "ETag": '"e"'}, body)
        answer = await (await w.client()).ask(write_request("GET", "/b/k", S3_CALLER))
        assert (answer.body, answer.headers["etag"], answer.headers["content-length"]) == (body, '"e"', str(len(body)))
        outcome = await w.outcome()
        assert (outcome.bytes_scanned, outcome.bytes_unscanned) == (0, len(body))


async def test_many_large_answers_at_once_stay_within_the_edges_buffers(world: Worlds) -> None:
    async with world(buffer_bytes=4_000_000) as w:
        body = LARGE[: 2 * 1024 * 1024]
        answers(w, OBJECT, {"Content-Type": "text/plain"}, body)

        async def one() -> bytes:
            return (await (await w.client()).ask(write_request("GET", "/b/k", S3_CALLER))).body

        assert await asyncio.gather(*(one() for _ in range(6))) == [body] * 6
