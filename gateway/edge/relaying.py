"""An answer on its way back: from AWS's connection through the masker to the client, never more than it must hold.

What is masked is `gateway.masking`'s; what a failure here means for the outcome, `forwarding`'s.
"""

from __future__ import annotations

import asyncio

from gateway.edge import http1, problems
from gateway.edge.budget import Lease
from gateway.edge.server import Exchange
from gateway.edge.tally import CallTally
from gateway.edge.upstream import AnswerHead, Lost, UpstreamConnection
from gateway.wire.contract import MaskPlan


class Relay:
    """Brings one answer back. Raises ResponseWithheld, OutcomeUnknown or ClientGone."""

    def __init__(
        self, *, connection: UpstreamConnection, exchange: Exchange, tally: CallTally, lease: Lease, silence: float
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._tally = tally
        self._lease = lease
        self._silence = silence

    async def run(self, head: AnswerHead, plan: MaskPlan) -> None:
        await self._exchange.start(
            status=head.status, headers=http1.end_to_end(head.headers), length=head.content_length
        )
        while chunk := await self._next_chunk():
            self._tally.came_down(chunk)
            self._tally.showed(chunk)
            await self._exchange.write(chunk)
        await self._exchange.end()

    async def _next_chunk(self) -> bytes:
        try:
            async with asyncio.timeout(self._silence):
                return await self._connection.body.read()
        except (Lost, TimeoutError) as error:
            raise problems.OutcomeUnknown() from error
