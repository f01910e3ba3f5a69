"""The side that faces servers: AWS, and the control plane too. A pool of HTTP/1.1 connections, no retry ever.

What to send and what an answer means belongs to `forwarding` and `control`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import httptools

from gateway.edge import http1
from gateway.edge.streams import ByteStream, Gate

CONNECT_SECONDS = 5.0
WRITE_STALL_SECONDS = 60.0
# Short on purpose: a server that closes an idle connection just as a call is written to it makes that call's
# outcome unknown, and nothing is retried here. S3 and werkzeug close after five seconds and more.
IDLE_SECONDS = 4.0
MOST_IDLE_PER_PLACE = 64


class Unreachable(Exception):
    """No connection could be made: no byte was sent."""


class Lost(Exception):
    """The connection ended, or made no sense, before the answer was whole."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to dial, and whose certificate to expect there."""

    host: str
    port: int
    is_tls: bool
    server_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """The head of a final answer; interim answers are swallowed."""

    status: int
    headers: http1.Headers
    content_length: int | None


class UpstreamConnection(asyncio.Protocol):
    """One connection, one call at a time: `begin`, `send` as often as needed, `head`, then `body.read()`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.is_lost = False
        self.is_reusable = False
        # Set by whoever writes the request: an answer may come, and be whole, before the request is.
        self.is_request_whole = False
        self.idle_since = 0.0
        self.body: ByteStream
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser | None = None
        self._gate = Gate()
        self._head: asyncio.Future[AnswerHead]
        self._reset()

    # -- what callers use

    def begin(self, *, method: str) -> None:
        """Get ready for one call and its one answer."""
        self._reset()
        self._is_head_call = method == "HEAD"
        self._parser = httptools.HttpResponseParser(self)
        self._head = asyncio.get_running_loop().create_future()
        self.body = ByteStream(pause=self._transport.pause_reading, resume=self._resume_reading)
        self.is_request_whole = False

    async def send(self, data: bytes) -> None:
        """Write and wait for room; raises Lost when the connection has ended or takes nothing."""
        if self.is_lost:
            raise Lost("the connection closed while the request was being sent")
        self._transport.write(data)
        try:
            await self._gate.passed(seconds=WRITE_STALL_SECONDS)
        except TimeoutError as error:
            raise Lost("the server stopped reading") from error

    @property
    def has_answered(self) -> bool:
        return self._head.done() and self._head.exception() is None

    async def head(self) -> AnswerHead:
        """Wait for the final answer's head; raises Lost."""
        return await asyncio.shield(self._head)

    def close(self) -> None:
        self.is_reusable = False
        self._transport.abort()

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports are not asyncio's classes

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            # Bytes nobody asked for: the next answer on this connection could be forged by them.
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._is_complete:
                self._fail(Lost(f"the answer is not well-formed: {type(error).__name__}"))
            self.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.is_reusable = False
        lost = Lost("the connection closed before the answer was whole")
        self._gate.break_with(lost)
        # Without length and chunks the end of the connection is the end of the body, by RFC 9112, section 6.3.
        if self._ends_with_connection and exc is None:
            self._complete()
        elif not self._is_complete:
            self._fail(lost)

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()

    # -- what the parser calls

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise Lost("a second answer came for one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > http1.LARGEST_ANSWER_HEAD_BYTES:
            raise Lost("the answer's headers are too large")
        if not self._is_in_body:
            self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._required_parser().get_status_code()
        if status < 200:
            self._headers.clear()
            self._is_interim = True
            return
        self._is_in_body = True
        length = http1.header(self._headers, "content-length")
        is_chunked = bool(http1.header(self._headers, "transfer-encoding"))
        is_bodiless = self._is_head_call or status in (204, 304)
        self._ends_with_connection = not (length or is_chunked or is_bodiless)
        head = AnswerHead(status=status, headers=tuple(self._headers), content_length=int(length) if length else None)
        if not self._head.done():
            self._head.set_result(head)
        if self._is_head_call:
            # The parser would wait for the body that the length speaks of; it is replaced with the next call.
            self._complete()

    def on_body(self, data: bytes) -> None:
        self.body.feed(data)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
        elif not self._is_complete:
            self._complete()

    # -- own

    def _resume_reading(self) -> None:
        # A whole answer may still be read after its connection has ended.
        if not self.is_lost:
            self._transport.resume_reading()

    def _required_parser(self) -> httptools.HttpResponseParser:
        if self._parser is None:
            raise Lost("an answer came without a request")
        return self._parser

    def _reset(self) -> None:
        self._headers: list[tuple[str, str]] = []
        self._head_bytes = 0
        self._is_in_body = False
        self._is_interim = False
        self._is_complete = False
        self._is_head_call = False
        self._ends_with_connection = False

    def _complete(self) -> None:
        self._is_complete = True
        self._ends_with_connection = False
        self.is_reusable = self._required_parser().should_keep_alive() and not self.is_lost
        self.body.finish()

    def _fail(self, error: Lost) -> None:
        if self._parser is None:
            return
        if not self._head.done():
            self._head.set_exception(error)
            # Somebody may have stopped waiting for it; the error is theirs to see, not the loop's to log.
            self._head.exception()
        self.body.fail(error)

    def rest(self) -> None:
        """Between two calls nothing may arrive."""
        self._parser = None
        self.idle_since = time.monotonic()


class Pool:
    """Idle connections by place. A connection goes back only after a whole answer to a whole request.

    `tls` is asked before each dial; what it returns may be the same context.
    """

    def __init__(self, *, tls: Callable[[], ssl.SSLContext]) -> None:
        self._idle: defaultdict[Place, list[UpstreamConnection]] = defaultdict(list)
        self._tls = tls

    async def take(self, place: Place) -> UpstreamConnection:
        """Return an idle connection or dial; raises Unreachable. No byte of a call has been written yet."""
        idle = self._idle[place]
        while idle:
            connection = idle.pop()
            if not connection.is_lost and time.monotonic() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.close()
        return await self._dial(place)

    def give_back(self, connection: UpstreamConnection) -> None:
        """Keep the connection for the next call if it may be used again; otherwise close it."""
        idle = self._idle[connection.place]
        is_clean = connection.is_reusable and connection.is_request_whole and not connection.is_lost
        if is_clean and len(idle) < MOST_IDLE_PER_PLACE:
            connection.rest()
            idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    async def _dial(self, place: Place) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: UpstreamConnection(place),
                    place.host,
                    place.port,
                    ssl=self._tls() if place.is_tls else None,
                    server_hostname=place.server_name if place.is_tls else None,
                )
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{place.host}:{place.port}: {type(error).__name__}") from error
        return connection
