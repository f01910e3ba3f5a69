"""One request and its answer, as the walk sees them: read, then answer once, in the client's dialect.

The socket underneath is `server`'s.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.edge import http1
from gateway.edge.streams import ByteStream
from gateway.problems import Problem
from gateway.wire import errors
from gateway.wire.contract import Answer


class Link(Protocol):
    """What an exchange needs of its connection. `is_deaf`: nothing more will be read from it."""

    is_lost: bool
    is_deaf: bool
    source: str

    @property
    def listener(self) -> str: ...

    async def send(self, data: bytes) -> None: ...

    def abort(self) -> None: ...


class Exchange:
    """One request and its answer: the handler reads `head` and `body`, then answers once.

    `left` is set when the client closed or half-closed its side. Every write raises ClientGone once the
    connection is lost.
    """

    def __init__(self, *, head: http1.Head, body: ByteStream, link: Link, received_at: float) -> None:
        self.head = head
        self.body = body
        self.received_at = received_at
        self.left = asyncio.Event()
        self.has_started = False
        self.is_answered = False
        self._link = link
        self._is_chunked = False
        self._owed = 0
        self._unsent = b""
        self._told_to_continue = False

    @property
    def listener(self) -> str:
        return self._link.listener

    @property
    def source(self) -> str:
        """The client's network address, without its port."""
        return self._link.source

    @property
    def is_gone(self) -> bool:
        return self._link.is_lost

    async def ask_for_body(self) -> None:
        """Let a client that waits for leave to send its body do so; otherwise nothing happens."""
        if self.head.expects_continue and not self._told_to_continue and not self.body.has_arrived:
            await self.interim()

    async def interim(self) -> None:
        """Write one `100 Continue`: the client's read timeout starts again and the real answer stays open."""
        self._told_to_continue = True
        await self._link.send(http1.CONTINUE)

    async def start(self, *, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        """Say the answer's head, which leaves with the first bytes; a body of unknown length travels in chunks."""
        self._is_chunked = length is None and _may_have_body(status)
        framing = [("Transfer-Encoding", "chunked")] if self._is_chunked else []
        if length is not None and _may_have_body(status):
            framing = [("Content-Length", str(length))]
        if not self.body.is_finished or self._link.is_deaf:
            framing.append(("Connection", "close"))
        self._unsent = http1.answer_head(status=status, headers=[*headers, *framing])
        self._owed = length or 0
        if self.head.method == "HEAD" or not (self._is_chunked or self._owed):
            await self._send(b"", is_last=True)

    async def write(self, data: bytes) -> None:
        if not data or self.head.method == "HEAD":
            return
        self._owed -= len(data)
        is_last = not self._is_chunked and self._owed == 0
        await self._send(http1.as_chunk(data) if self._is_chunked else data, is_last=is_last)

    async def end(self) -> None:
        """Say that the answer is whole; an answer shorter than its stated length ends as a cut connection."""
        if self._is_chunked and self.head.method != "HEAD":
            await self._send(http1.LAST_CHUNK, is_last=True)

    async def _send(self, data: bytes, *, is_last: bool) -> None:
        # Said before the bytes leave: a quick client sends its next request while this coroutine still waits.
        self.has_started, self.is_answered = True, is_last
        unsent, self._unsent = self._unsent, b""
        await self._link.send(unsent + data if unsent else data)

    async def answer(self, answer: Answer) -> None:
        """Write a whole answer at once."""
        await self.start(status=answer.status, headers=http1.end_to_end(answer.headers), length=_stated_length(answer))
        if _may_have_body(answer.status):
            await self.write(answer.body)
        await self.end()

    async def refuse(self, problem: Problem, *, request_id: str = "") -> None:
        """Answer with an error in the client's dialect."""
        await self.answer(render(problem, head=self.head, request_id=request_id))

    def cut(self) -> None:
        """Close without a clean end, so that a client can never take a part for the whole."""
        self._link.abort()


def render(problem: Problem, *, head: http1.Head, request_id: str) -> Answer:
    protocol, is_s3 = errors.guess_protocol(head.headers, head.target, head.method)
    return errors.render(
        protocol,
        code=problem.aws_code,
        message=problem.message,
        status=problem.status,
        request_id=request_id,
        is_s3=is_s3,
        method=head.method,
    )


def _may_have_body(status: int) -> bool:
    return status not in (204, 304)


def _stated_length(answer: Answer) -> int:
    """A HEAD's answer states the length its GET would have, so an answer without body may still name one."""
    stated = http1.header(answer.headers, "content-length")
    return int(stated) if not answer.body and stated.isdigit() else len(answer.body)
