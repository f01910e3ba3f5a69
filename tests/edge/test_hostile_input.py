"""Input no honest client sends: each gets a clear error in its dialect, is counted, and nothing leaves."""

from __future__ import annotations

import json

import pytest

from tests.edge.peers import write_request
from tests.edge.world import CALLER, S3_CALLER, Worlds

JSON_HEAD = b"Host: gw\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
MALFORMED = "edge.malformed_request"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

HOSTILE: dict[str, tuple[bytes, int, str]] = {
    "both framings": (
        b"POST / HTTP/1.1\r\n" + JSON_HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        MALFORMED,
    ),
    "both framings, other order": (
        b"POST / HTTP/1.1\r\n" + JSON_HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        400,
        MALFORMED,
    ),
    "the length twice": (
        b"POST / HTTP/1.1\r\n" + JSON_HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        400,
        MALFORMED,
    ),
    "a list of lengths": (b"POST / HTTP/1.1\r\n" + JSON_HEAD + b"Content-Length: 3, 3\r\n\r\nabc", 400, MALFORMED),
    "a signed length": (b"POST / HTTP/1.1\r\n" + JSON_HEAD + b"Content-Length: +3\r\n\r\nabc", 400, MALFORMED),
    "two codings": (
        b"POST / HTTP/1.1\r\n" + JSON_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        400,
        MALFORMED,
    ),
    "the coding twice": (b"POST / HTTP/1.1\r\n" + JSON_HEAD + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", 400, MALFORMED),
    "an unknown coding": (
        b"POST / HTTP/1.1\r\n" + JSON_HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        400,
        MALFORMED,
    ),
    "a chunk size that is no number": (b"POST / HTTP/1.1\r\n" + JSON_HEAD + CHUNKED + b"\r\nzz\r\n", 400, MALFORMED),
    "a chunk size past all numbers": (
        b"POST / HTTP/1.1\r\n" + JSON_HEAD + CHUNKED + b"\r\nffffffffffffffffff\r\nab",
        400,
        MALFORMED,
    ),
    "a chunk longer than it says": (
        b"POST / HTTP/1.1\r\n" + JSON_HEAD + CHUNKED + b"\r\n2\r\nabc\r\n0\r\n\r\n",
        400,
        MALFORMED,
    ),
    "a folded header": (b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"X-A: b\r\n c\r\n\r\n", 400, MALFORMED),
    "a bare line feed": (b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"X-A: b\nX-B: c\r\n\r\n", 400, MALFORMED),
    "a bare carriage return": (b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"X-A: b\rX-B: c\r\n\r\n", 400, MALFORMED),
    "NUL in a header": (b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"X-A: b\x00\r\n\r\n", 400, MALFORMED),
    "NUL in the target": (b"GET /a\x00b HTTP/1.1\r\n" + JSON_HEAD + b"\r\n", 400, MALFORMED),
    "a space before the colon": (b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"X-A : b\r\n\r\n", 400, MALFORMED),
    "two hosts": (b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"Host: other\r\n\r\n", 400, MALFORMED),
    "no host": (b"GET / HTTP/1.1\r\nX-Amz-Target: a.b\r\n\r\n", 400, MALFORMED),
    "another expectation": (b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"Expect: coffee\r\n\r\n", 400, MALFORMED),
    "an unknown method": (b"STEAL / HTTP/1.1\r\n" + JSON_HEAD + b"\r\n", 400, MALFORMED),
    "TLS on the plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, MALFORMED),
    "an absolute target": (b"GET http://x/ HTTP/1.1\r\n" + JSON_HEAD + b"\r\n", 400, "edge.target_refused"),
    "a star": (b"OPTIONS * HTTP/1.1\r\n" + JSON_HEAD + b"\r\n", 400, "edge.target_refused"),
    "a fragment": (b"GET /a#b HTTP/1.1\r\n" + JSON_HEAD + b"\r\n", 400, "edge.target_refused"),
    "a tunnel": (b"CONNECT a:1 HTTP/1.1\r\n" + JSON_HEAD + b"\r\n", 400, "edge.upgrade_refused"),
    "an upgrade": (
        b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        400,
        "edge.upgrade_refused",
    ),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n" + JSON_HEAD + b"\r\n", 505, "edge.version_refused"),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505, "edge.version_refused"),
    "HTTP/2 by prior knowledge": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, MALFORMED),
    "an endless target": (b"GET /" + b"a" * 17000 + b" HTTP/1.1\r\n", 414, "edge.target_too_long"),
    "an endless header": (
        b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"X-A: " + b"a" * 70_000,
        431,
        "edge.head_too_large",
    ),
    "too many headers": (
        b"GET / HTTP/1.1\r\n" + JSON_HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(101)) + b"\r\n",
        431,
        "edge.head_too_large",
    ),
    "too many trailers": (
        b"POST / HTTP/1.1\r\n"
        + JSON_HEAD
        + CHUNKED
        + b"\r\n0\r\n"
        + b"".join(b"X-%d: a\r\n" % n for n in range(40))
        + b"\r\n",
        431,
        "edge.head_too_large",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_input_gets_a_clear_error_is_counted_and_stops_there(world: Worlds, name: str) -> None:
    sent, status, code = HOSTILE[name]
    async with world() as w:
        client = await w.client()
        await client.send(sent)
        answer = await client.answer()
        assert answer.status == status
        assert "message" in json.loads(answer.body)
        assert answer.headers["connection"] == "close"
        await w.until(lambda: w.control.refused == {code: 1}, f"{code} to be counted")
        assert (w.control.admissions, w.aws.log) == ([], [])


async def test_the_connection_is_closed_after_a_refusal(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        assert (await client.ask(b"nonsense\r\n\r\n")).status == 400
        assert await client.is_closed()


@pytest.mark.parametrize("cut", [10, 60, 150])
async def test_a_request_cut_in_its_head_is_told_so(world: Worlds, cut: int) -> None:
    async with world() as w:
        client = await w.client()
        await client.send(write_request("POST", "/", CALLER, b"{}")[:cut])
        client.writer.write_eof()
        assert (await client.answer()).status == 400
        await w.until(lambda: w.control.refused == {"edge.truncated_request": 1}, "the count")


async def test_a_request_cut_in_its_parameters_is_told_so(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.send(write_request("POST", "/", CALLER, b'{"a":1}')[:-3])
        client.writer.write_eof()
        answer = await client.answer()
        assert (answer.status, json.loads(answer.body)["__type"]) == (400, "IncompleteBody")
        assert w.control.admissions == []


async def test_a_second_request_before_the_first_answer_is_refused_after_it(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.send(write_request("POST", "/", CALLER, b"{}") * 2)
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 400
        assert await client.is_closed()
        assert len(w.aws.log) == 1
        await w.until(lambda: w.control.refused == {"edge.pipelining_refused": 1}, "the count")


async def test_an_s3_client_is_refused_in_s3s_xml(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        head = "".join(f"{name}: {value}\r\n" for name, value in S3_CALLER.items()).encode()
        answer = await client.ask(b"PUT /b/k HTTP/1.1\r\nHost: gw\r\n" + head + b"X: a\r\n b\r\n\r\n")
        assert answer.status == 400
        assert b"<Error><Code>MalformedHttpRequest</Code>" in answer.body


async def test_parameters_past_16_mib_are_refused_before_they_are_read(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        head = write_request("POST", "/", {**CALLER, "Content-Length": str(16 * 1024 * 1024 + 1)})
        answer = await client.ask(head)
        assert (answer.status, json.loads(answer.body)["__type"]) == (413, "RequestEntityTooLarge")


async def test_chunked_parameters_past_16_mib_are_refused_as_they_pass_it(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.send(write_request("POST", "/", {**CALLER, "Transfer-Encoding": "chunked"}))
        chunk = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
        for _ in range(17):
            client.writer.write(chunk)
        assert (await client.answer()).status == 413
        assert w.control.admissions == []


async def test_a_header_with_bytes_beyond_ascii_comes_through_unchanged(world: Worlds) -> None:
    async with world() as w:
        client = await w.client()
        await client.ask(write_request("GET", "/", {**CALLER, "X-Amz-Meta-Name": "caf\xe9"}))
        [admission] = w.control.admissions
        assert dict(admission.headers)["X-Amz-Meta-Name"].encode("latin-1") == b"caf\xe9"


async def test_counts_are_reported_once(world: Worlds) -> None:
    async with world() as w:
        for _ in range(3):
            await (await w.client()).ask(b"nonsense\r\n\r\n")
        await w.until(lambda: w.control.refused.get("edge.malformed_request") == 3, "three counts")
        seen = len(w.control.feeds)
        await w.until(lambda: len(w.control.feeds) > seen + 2, "two more feeds")
        assert w.control.refused == {"edge.malformed_request": 3}
