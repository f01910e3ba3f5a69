"""One permitted call: write down that it leaves, send it, bring the masked answer back, report how it ended.

Nothing is ever sent twice. Which request may be sent, signed how, is the verdict's; how bodies are masked, `gateway.masking`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

from gateway.edge import http1, problems, relaying
from gateway.edge.budget import Budget
from gateway.edge.exchange import Exchange
from gateway.edge.journal import Journal, JournalBroken
from gateway.edge.passage import open_passage
from gateway.edge.tally import CallTally
from gateway.edge.upstream import Lost, Place, Pool, Unreachable, UpstreamConnection
from gateway.masking.content import wanted_by
from gateway.masking.people import NameReader
from gateway.problems import Problem
from gateway.terms import OutcomeKind
from gateway.wire.contract import Admission, BodyMode, MaskPlan, Outcome, Upstream, Verdict

log = structlog.get_logger("edge.forwarding")

# A client that stops amid its upload holds an AWS connection open for nothing.
BODY_SECONDS = 60.0


class Forwarding:
    """Sends permitted calls. `report` takes each outcome into the journal and on its way."""

    def __init__(
        self,
        *,
        pool: Pool,
        journal: Journal,
        budget: Budget,
        report: Callable[[Outcome], None],
        upstream_seconds: float,
        names: NameReader | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._budget = budget
        self._report = report
        self._upstream_seconds = upstream_seconds
        self._names = names
        self._now = now

    def not_sent(self, id_: UUID, *, error: str) -> None:
        """Report a permitted call whose first byte never left."""
        self._report(Outcome(id=id_, kind=OutcomeKind.NOT_SENT, ended_at=self._now(), error=error))

    async def forward(self, exchange: Exchange, admission: Admission, verdict: Verdict) -> None:
        """Send the call and answer the client; each way out reports exactly one outcome."""
        if verdict.upstream is None or verdict.mask is None:
            raise ValueError("a permission names where to and how to mask")
        if self._names is None and wanted_by(verdict.mask).asks_for_people:
            self.not_sent(admission.id, error=problems.NamesUnread.code)
            await exchange.refuse(problems.NamesUnread(), request_id=str(admission.id))
            return
        try:
            connection = await self._pool.take(_place(verdict.upstream))
        except Unreachable:
            self.not_sent(admission.id, error="upstream.unreachable")
            await exchange.refuse(problems.UpstreamUnreachable(), request_id=str(admission.id))
            return
        call = _Call(
            connection=connection,
            exchange=exchange,
            admission=admission,
            upstream=verdict.upstream,
            mask=verdict.mask,
            tally=CallTally(id=admission.id, salt=verdict.commitment_salt),
        )
        try:
            await self._run(call)
        finally:
            # A way out that nobody foresaw is still an outcome: in doubt the call may have left.
            if not call.tally.is_ended:
                call.tally.end(
                    OutcomeKind.AMBIGUOUS if call.tally.was_sent else OutcomeKind.NOT_SENT, error="edge.fault"
                )
            self._report(call.tally.outcome(self._now()))
            self._pool.give_back(connection)

    async def _run(self, call: _Call) -> None:
        try:
            await self._send(call)
            await self._bring_back(call)
        except problems.ClientGone:
            call.connection.close()
            call.tally.end(_kind_when_client_left(call.tally), error="client.gone")
            raise
        except Problem as problem:
            call.connection.close()
            call.tally.end(_kind_of(problem, call.tally), error=problem.code)
            log.warning("call_ended_badly", request=str(call.admission.id), code=problem.code)
            if call.exchange.has_started:
                call.exchange.cut()
            else:
                await call.exchange.refuse(problem, request_id=str(call.admission.id))

    async def _send(self, call: _Call) -> None:
        """Send the request; returns early when the answer is there before the request is whole."""
        if call.exchange.is_gone:
            raise problems.ClientGone()
        call.connection.begin(method=call.upstream.method)
        sender = _Sender(call, before_first_byte=self._write_down)
        try:
            if call.admission.body_mode is BodyMode.PAYLOAD:
                await call.exchange.ask_for_body()
                await sender.stream()
            else:
                await sender.whole(call.admission.body)
        except Lost as error:
            # AWS refuses some uploads from their head and closes: then its answer is already here.
            if not call.connection.has_answered:
                raise _lost_while_sending(call.connection) from error

    def _write_down(self, tally: CallTally) -> None:
        try:
            self._journal.sending(tally.id)
        except JournalBroken as error:
            raise problems.JournalUnavailable() from error
        tally.left(self._now())

    async def _bring_back(self, call: _Call) -> None:
        try:
            async with asyncio.timeout(self._upstream_seconds):
                head = await call.connection.head()
        except (Lost, TimeoutError) as error:
            raise problems.OutcomeUnknown() from error
        call.tally.answered(head)
        async with self._budget.lease() as lease:
            relay = relaying.Relay(
                connection=call.connection,
                exchange=call.exchange,
                tally=call.tally,
                lease=lease,
                silence=self._upstream_seconds,
                names=self._names,
            )
            await relay.run(head, call.mask)
        call.tally.end(OutcomeKind.COMPLETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    connection: UpstreamConnection
    exchange: Exchange
    admission: Admission
    upstream: Upstream
    mask: MaskPlan
    tally: CallTally


class _Sender:
    """Writes one request. The head waits for the first bytes that may leave (`passage`)."""

    def __init__(self, call: _Call, *, before_first_byte: Callable[[CallTally], None]) -> None:
        self._connection = call.connection
        self._exchange = call.exchange
        self._upstream = call.upstream
        self._tally = call.tally
        self._before_first_byte = before_first_byte

    async def whole(self, body: bytes) -> None:
        """Send a body that is all there."""
        passage = open_passage(self._upstream, length=len(body), tally=self._tally)
        whole = passage.feed(body) + passage.end()
        framing = [passage.framing] if body or self._upstream.method in ("POST", "PUT") else []
        await self._write(self._head(framing) + whole, is_last=True)

    async def stream(self) -> None:
        """Send a body as it comes; what would make it whole stays here until all of it is known to be right."""
        passage = open_passage(self._upstream, length=self._exchange.head.content_length, tally=self._tally)
        kept = self._head([passage.framing])
        while chunk := await _next_chunk(self._exchange):
            ready = passage.feed(chunk)
            if ready:
                await self._write(kept + ready)
                kept = b""
            if self._connection.has_answered:
                return
        await self._write(kept + passage.end(), is_last=True)

    async def _write(self, data: bytes, *, is_last: bool = False) -> None:
        if not self._tally.was_sent:
            self._before_first_byte(self._tally)
        # Set before the write: once handed to the kernel the last bytes may have arrived, whatever we hear.
        self._connection.is_request_whole = is_last
        await self._connection.send(data)

    def _head(self, framing: list[tuple[str, str]]) -> bytes:
        own = http1.end_to_end(self._upstream.headers)
        if not http1.header(own, "host"):
            own.insert(0, ("Host", self._upstream.host))
        return http1.request_head(method=self._upstream.method, target=self._upstream.target, headers=[*own, *framing])


async def _next_chunk(exchange: Exchange) -> bytes:
    if exchange.body.has_arrived:
        return await exchange.body.read()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await exchange.body.read()
    except TimeoutError as error:
        raise problems.BodyTooSlow() from error


def _place(upstream: Upstream) -> Place:
    name = upstream.host.rpartition(":")[0] if upstream.host.rpartition(":")[2].isdigit() else upstream.host
    return Place(
        host=upstream.dial_host, port=upstream.dial_port, is_tls=upstream.is_tls, server_name=name or upstream.host
    )


def _lost_while_sending(connection: UpstreamConnection) -> Problem:
    """AWS cannot have run a request whose last bytes never left; otherwise it may have."""
    return problems.OutcomeUnknown() if connection.is_request_whole else problems.UploadInterrupted()


def _kind_when_client_left(tally: CallTally) -> OutcomeKind:
    if not tally.was_sent:
        return OutcomeKind.NOT_SENT
    # AWS's answer is here (the client is not): the call ran. Before that, its request was cut off by us.
    return OutcomeKind.COMPLETED if tally.has_answer else OutcomeKind.FAILED


def _kind_of(problem: Problem, tally: CallTally) -> OutcomeKind:
    if not tally.was_sent:
        return OutcomeKind.NOT_SENT
    if isinstance(problem, problems.OutcomeUnknown) and not tally.has_answer:
        return OutcomeKind.AMBIGUOUS
    return OutcomeKind.FAILED
