"""An answer on its way back: from AWS's connection through the masker to the client, never more than it must hold.

What is masked is `gateway.masking`'s; what a failure here means for the outcome, `forwarding`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.edge import http1, problems
from gateway.edge.budget import Lease
from gateway.edge.exchange import Exchange
from gateway.edge.tally import CallTally
from gateway.edge.upstream import AnswerHead, Lost, UpstreamConnection
from gateway.masking.bodies import BodyMasker, End, Reason, Withheld
from gateway.masking.content import Wanted
from gateway.masking.masker import open_body
from gateway.masking.people import NameReader
from gateway.problems import Problem
from gateway.wire.contract import LARGEST_SCANNED_BODY, MaskPlan

# Scanning this much takes about a millisecond; more would keep every other connection waiting, so a thread does it.
SCANNED_IN_LOOP_BYTES = 32 * 1024

Part = TypeVar("Part", bytes, End)
Done = TypeVar("Done")
# Bodies that are read for people's names wait for one process: in threads of their own, so that scans find theirs.
_READING = ThreadPoolExecutor(max_workers=4, thread_name_prefix="names")


class Relay:
    """Brings one answer back. Raises ResponseWithheld, OutcomeUnknown or ClientGone."""

    def __init__(
        self,
        *,
        connection: UpstreamConnection,
        exchange: Exchange,
        tally: CallTally,
        lease: Lease,
        silence: float,
        names: NameReader | None = None,
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._tally = tally
        self._lease = lease
        self._silence = silence
        self._names = names
        self._reads_names = False
        self._is_started = False

    async def run(self, head: AnswerHead, plan: MaskPlan) -> None:
        """Mask and answer. Nothing is written to the client before it is known that it may be."""
        masker = await self._opened(head, plan)
        if isinstance(masker, Withheld):
            raise _refusal(masker)
        if masker.headers is None:
            # Asked for at once, so that a body there is no room for is withheld before it is read.
            await self._hold(min(head.content_length or 0, masker.appetite, LARGEST_SCANNED_BODY))
        while chunk := await self._next_chunk():
            if masker.headers is None:
                await self._hold(masker.held + len(chunk))
            await self._show(masker, await self._fed(masker, chunk), head)
            await self._hold(masker.held)
        is_streamed = masker.headers is not None
        end = await self._finished(masker)
        self._note(end)
        if not self._is_started:
            await self._start(head, end.headers, masker.length if is_streamed else len(end.body))
        await self._write(end.body)
        await self._exchange.end()

    async def _opened(self, head: AnswerHead, plan: MaskPlan) -> BodyMasker | Withheld:
        def opened() -> BodyMasker | Withheld:
            method, salt = self._exchange.head.method, self._tally.salt
            return open_body(head.status, head.headers, plan, method=method, salt=salt, names=self._names)

        self._reads_names = Wanted(masks=plan.masks).asks_for_people
        return await self._done(opened, is_quick=True)

    async def _fed(self, masker: BodyMasker, chunk: bytes) -> bytes:
        is_quick = len(chunk) < masker.appetite
        return _allowed(await self._done(lambda: masker.feed(chunk), is_quick=is_quick))

    async def _finished(self, masker: BodyMasker) -> End:
        is_quick = masker.held < SCANNED_IN_LOOP_BYTES
        return _allowed(await self._done(masker.finish, is_quick=is_quick))

    async def _done(self, work: Callable[[], Done], *, is_quick: bool) -> Done:
        """What takes its time is done in a thread: the loop serves every other call."""
        if self._reads_names:
            return await asyncio.get_running_loop().run_in_executor(_READING, work)
        return work() if is_quick else await asyncio.to_thread(work)

    async def _show(self, masker: BodyMasker, data: bytes, head: AnswerHead) -> None:
        if masker.headers is not None and not self._is_started:
            self._is_started = True
            await self._start(head, masker.headers, masker.length)
        await self._write(data)

    async def _start(self, head: AnswerHead, headers: http1.Headers, length: int | None) -> None:
        await self._exchange.start(status=head.status, headers=http1.end_to_end(headers), length=length)

    async def _write(self, data: bytes) -> None:
        self._tally.showed(data)
        await self._exchange.write(data)

    async def _hold(self, size: int) -> None:
        """Have room for bytes that wait for the masker. The call has run, so `try again` would be the wrong answer."""
        if size > self._lease.size:
            try:
                await self._lease.grow(size - self._lease.size)
            except problems.BuffersFull as error:
                raise problems.ResponseWithheld("no room to mask it in") from error

    async def _next_chunk(self) -> bytes:
        try:
            async with asyncio.timeout(self._silence):
                chunk = await self._connection.body.read()
        except (Lost, TimeoutError) as error:
            raise problems.OutcomeUnknown() from error
        self._tally.came_down(chunk)
        return chunk

    def _note(self, end: End) -> None:
        report = end.report
        self._tally.masked(
            by_type=report.masked_by_type, by_rule=report.masked_by_rule, values=report.values, rules=report.rules
        )
        self._tally.bytes_scanned, self._tally.bytes_unscanned = report.bytes_scanned, report.bytes_unscanned
        self._tally.bytes_unread = report.bytes_unread


def _allowed(answer: Part | Withheld) -> Part:
    if isinstance(answer, Withheld):
        raise _refusal(answer)
    return answer


def _refusal(withheld: Withheld) -> Problem:
    """What the client hears. A range that only its widening brought back does not exist, as AWS would have said."""
    if withheld.reason is Reason.OUTSIDE:
        return problems.RangeOutside()
    if withheld.may_be_asked:
        return problems.ResponseHeldBack(withheld.reason.value)
    return problems.ResponseWithheld(withheld.reason.value)
