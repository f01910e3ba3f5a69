"""The side that faces clients: one protocol per connection, one exchange per request.

What is done with a request is the handler's (`walk`); what a good head is, `http1`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httptools
import structlog

from gateway.edge import http1, problems
from gateway.edge.exchange import Exchange, render
from gateway.edge.refusals import Refusals
from gateway.edge.streams import ByteStream, Gate
from gateway.problems import Problem

log = structlog.get_logger("edge.server")

# From a request's first byte to the end of its head: real heads come in one or two packets.
HEAD_SECONDS = 20.0
# Between two requests: longer than the pools of the SDKs keep a connection in use, shorter than most balancers.
IDLE_SECONDS = 120.0
# A client that reads nothing for so long holds our memory for nobody.
STALL_SECONDS = 60.0
# After a refusal the rest of the request is read and dropped for so long: closing at once would reset the
# connection and could take the answer with it.
LINGER_SECONDS = 2.0
MOST_TRAILERS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """What all connections of one listener share."""

    listener: str
    handler: Callable[[Exchange], Awaitable[None]]
    refusals: Refusals
    connections: set[ServerConnection]
    most_connections: int
    is_tls: bool
    # Those without a call under way, whoever has waited longest first: they make room when there is none left.
    waiting: dict[ServerConnection, None]


class ServerConnection(asyncio.Protocol):
    """Parser callbacks on one side, exchanges on the other; at most one exchange at a time."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.source = ""
        self.is_lost = False
        self.is_deaf = False
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._gate = Gate()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._exchange: Exchange | None = None
        self._body: ByteStream | None = None
        self._late: Problem | None = None
        self._begin_message()

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports are not asyncio's classes
        peer = transport.get_extra_info("peername")
        self.source = str(peer[0]) if peer else "local"
        is_room = len(self.config.connections) < self.config.most_connections or self._make_room()
        crowd = len(self.config.connections)
        self.config.connections.add(self)
        if is_room:
            self._wait()
        elif crowd < 2 * self.config.most_connections:
            self._refuse(problems.TooManyConnections())
        else:
            # Those that are being told to slow down take room too; past this not even that is said.
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self.is_deaf:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._hear_no_more(problems.UpgradeRefused())
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._hear_no_more(cause if isinstance(cause, Problem) else problems.MalformedRequest(str(error)))
        else:
            self._check_head_size(len(data))

    def eof_received(self) -> bool:
        """A half-closed client may still read its answer; one that stopped amid a request is refused."""
        if self._exchange is not None:
            self._exchange.left.set()
        if not self.is_deaf and (self._is_in_head or (self._body is not None and not self._body.is_finished)):
            self._hear_no_more(problems.TruncatedRequest())
            return not self.config.is_tls
        return self._exchange is not None and not self.config.is_tls

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._leave()
        self._disarm()
        self._gate.break_with(problems.ClientGone())
        if self._exchange is not None:
            self._exchange.left.set()
        if self._body is not None:
            self._body.fail(problems.ClientGone())

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()

    # -- what the parser calls

    def on_message_begin(self) -> None:
        if self._exchange is not None and not self._exchange.is_answered:
            raise problems.PipeliningRefused()
        self._begin_message()
        self._is_in_head = True
        self._arm(HEAD_SECONDS, problems.HeadTooSlow())

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > http1.LARGEST_TARGET_BYTES:
            raise problems.TargetTooLong()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_head:
            # Trailers of the outer framing are signed by nobody and mean nothing to AWS: counted and dropped.
            self._trailers += 1
            if self._trailers > MOST_TRAILERS:
                raise problems.HeadTooLarge()
            return
        self._head_bytes += len(name) + len(value)
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))
        if len(self._headers) > http1.MOST_HEADERS or self._head_bytes > http1.LARGEST_HEAD_BYTES:
            raise problems.HeadTooLarge()

    def on_headers_complete(self) -> None:
        if self._parser.get_http_version() != "1.1":
            raise problems.VersionRefused()
        if self._parser.should_upgrade():
            raise problems.UpgradeRefused()
        head = http1.read_head(
            method=self._parser.get_method().decode("ascii"),
            target=self._target.decode("latin-1"),
            headers=tuple(self._headers),
        )
        self._is_in_head = False
        self._disarm()
        self.config.waiting.pop(self, None)
        self._body = ByteStream(pause=self._transport.pause_reading, resume=self._resume_reading)
        self._exchange = Exchange(head=head, body=self._body, link=self, received_at=time.time())
        self._task = asyncio.get_running_loop().create_task(self._run(self._exchange, after=self._task))

    def on_body(self, data: bytes) -> None:
        if self._body is not None:
            self._body.feed(data)

    def on_message_complete(self) -> None:
        if self._body is not None:
            self._body.finish()
        self._keep_alive = self._parser.should_keep_alive()

    # -- what exchanges and listeners call

    @property
    def listener(self) -> str:
        return self.config.listener

    async def send(self, data: bytes) -> None:
        """Write and wait until the transport has room; raises ClientGone."""
        if self.is_lost:
            raise problems.ClientGone()
        self._transport.write(data)
        try:
            await self._gate.passed(seconds=STALL_SECONDS)
        except TimeoutError as error:
            self.abort()
            raise problems.ClientGone() from error

    def abort(self) -> None:
        self._transport.abort()

    async def drain(self) -> None:
        """Wait for the exchange under way, if any; then close."""
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task})
        self._transport.close()

    # -- own

    async def _run(self, exchange: Exchange, *, after: asyncio.Task[None] | None) -> None:
        # The handler of the last request may still write its outcome when the next request is there.
        if after is not None and not after.done():
            await asyncio.wait({after})
        try:
            await self.config.handler(exchange)
        except problems.ClientGone:
            # A client that closed its sending side while it was held counts as gone; its connection goes too.
            self.abort()
            return
        except Exception as error:  # noqa: BLE001  # the process's outer edge: one call's bug must not end the others
            log.error("exchange_failed", error=type(error).__name__, source=self.source, where=_where(error))
            self.abort()
            return
        self._after(exchange)

    def _after(self, exchange: Exchange) -> None:
        if self.is_lost or exchange is not self._exchange:
            return
        if not exchange.is_answered:
            self.abort()
        elif self._late is not None:
            self._refuse(self._late)
        elif self._should_close(exchange):
            self._close_gently()
        elif self._is_in_head:
            self.config.waiting[self] = None
        else:
            self._exchange = None
            self._wait()

    def _wait(self) -> None:
        """Nothing is under way: the next request may come, or somebody who has more need of the place."""
        self.config.waiting[self] = None
        self._arm(IDLE_SECONDS, None)

    def _make_room(self) -> bool:
        """Give up whoever has waited longest for its next request, so that idlers never lock out callers."""
        longest = next(iter(self.config.waiting), None)
        if longest is None:
            return False
        longest._leave()
        longest.abort()
        return True

    def _leave(self) -> None:
        self.config.connections.discard(self)
        self.config.waiting.pop(self, None)

    def _should_close(self, exchange: Exchange) -> bool:
        return self.is_deaf or not exchange.body.is_finished or not self._keep_alive or exchange.left.is_set()

    def _begin_message(self) -> None:
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._head_bytes = 0
        self._raw_head_bytes = 0
        self._trailers = 0
        self._is_in_head = False
        self._keep_alive = True

    def _check_head_size(self, received: int) -> None:
        """A single endless header never reaches `on_header`; count what was fed while the head is open."""
        if self._is_in_head:
            self._raw_head_bytes += received
            if self._raw_head_bytes > http1.LARGEST_HEAD_BYTES:
                self._hear_no_more(problems.HeadTooLarge())

    def _hear_no_more(self, problem: Problem) -> None:
        """The byte stream has lost its meaning: refuse now, or once the answer under way is out."""
        self.is_deaf = True
        exchange = self._exchange
        if exchange is None or exchange.is_answered:
            self._refuse(problem)
        elif self._body is not None and not self._body.is_finished:
            self._body.fail(problem)
        else:
            self._late = problem

    def _refuse(self, problem: Problem) -> None:
        self.is_deaf = True
        self.config.refusals.count(source=self.source, code=problem.code)
        head = http1.Head(
            method=_known_method(self._parser.get_method()),
            target=self._target.decode("latin-1"),
            headers=tuple(self._headers),
            content_length=None,
            is_chunked=False,
            expects_continue=False,
        )
        answer = render(problem, head=head, request_id="")
        framing = [("Content-Length", str(len(answer.body))), ("Connection", "close")]
        written = http1.answer_head(status=answer.status, headers=[*http1.end_to_end(answer.headers), *framing])
        self._transport.write(written + answer.body)
        self._close_gently()

    def _close_gently(self) -> None:
        self.is_deaf = True
        if self._body is not None and not self._body.is_finished:
            self._resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)

    def _resume_reading(self) -> None:
        # The reader of a stream does not know that the connection has ended meanwhile.
        if not self.is_lost:
            self._transport.resume_reading()

    def _arm(self, seconds: float, problem: Problem | None) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._out_of_time, problem)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _out_of_time(self, problem: Problem | None) -> None:
        if problem is None:
            self._transport.close()
        else:
            self._hear_no_more(problem)


def _known_method(method: bytes) -> str:
    return method.decode("ascii", "replace")


def _where(error: BaseException) -> str:
    """File and line of each frame, without values: a message or a local may hold a secret."""
    frames: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(frames)
