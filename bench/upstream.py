"""An AWS of a few canned answers that costs next to nothing, so that a measurement shows the path and not the stand-in.

Run as a process: `python -m bench.upstream --port N`. It checks nothing; what is right is tested against moto's server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import cast

import httptools
import uvloop

from hoopweb.stack.seed import ACCOUNT, ROLE_ARN
from hoopweb.stack.standin import READY_PATH

ITEM = json.dumps({"Item": {"id": {"S": "c-1"}, "plan": {"S": "team"}, "seats": {"N": "12"}}}).encode()
OBJECT = bytes(range(256)) * 80_000
_XML = "text/xml"


def answer(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[str, bytes]:
    """Return content type and body of a canned answer."""
    if headers.get("x-amz-target", "").startswith("DynamoDB"):
        return "application/x-amz-json-1.0", ITEM
    if b"Action=AssumeRole" in body:
        return _XML, _assumed(datetime.now(UTC))
    if b"Action=GetCallerIdentity" in body:
        return _XML, _caller()
    if method == "GET" and path.startswith("/acme-scratch/"):
        return "application/octet-stream", OBJECT
    return "text/plain", b""


def _assumed(now: datetime) -> bytes:
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        "<AccessKeyId>ASIABENCH0000000000A</AccessKeyId><SecretAccessKey>bench</SecretAccessKey>"
        f"<SessionToken>bench</SessionToken><Expiration>{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        f"</Credentials><AssumedRoleUser><Arn>{ROLE_ARN}</Arn><AssumedRoleId>AROA:bench</AssumedRoleId>"
        "</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()


def _caller() -> bytes:
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{ROLE_ARN}</Arn><UserId>AROA:bench</UserId><Account>{ACCOUNT}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    ).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection: each request is answered when its last byte is here."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._path = ""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's, but have all of its methods.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._path, self._headers = "", {}
        self._body.clear()

    def on_url(self, url: bytes) -> None:
        self._path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        # Only forms are looked at; an upload is thrown away as it comes.
        if len(self._body) < 65536:
            self._body += part

    def on_message_complete(self) -> None:
        if self._transport is None:
            return
        method = self._parser.get_method().decode()
        content_type, body = answer(method, self._path, self._headers, bytes(self._body))
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nx-amzn-RequestId: bench\r\n\r\n"
        self._transport.write(head.encode() + (b"" if method == "HEAD" else body))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.upstream", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args(arguments).port))
    return 0


__all__ = ["ITEM", "OBJECT", "READY_PATH", "answer"]

if __name__ == "__main__":
    sys.exit(main())
