"""The walk of one request: read it, ask about it, then forward, refuse, hold or hand over a result.

Sending to AWS and what comes back is `forwarding`; which body is what, `routing`; the protocol, `server`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from datetime import UTC, datetime
from typing import Any, TypeVar, assert_never
from uuid import UUID, uuid4

import structlog

from gateway.edge import problems, routing
from gateway.edge.budget import Budget, Lease
from gateway.edge.control import Control
from gateway.edge.exchange import Exchange
from gateway.edge.forwarding import Forwarding
from gateway.edge.journal import Journal
from gateway.edge.refusals import Refusals
from gateway.problems import Problem
from gateway.wire.contract import (
    LARGEST_PARAMETERS,
    LARGEST_SHARED_BODY,
    Admission,
    BodyMode,
    Hold,
    Verdict,
    VerdictKind,
)
from gateway.wire.replay import ReplayWindow, sighting_of
from gateway.wire.request import WireRequest
from gateway.wire.sigv4 import claim_of

log = structlog.get_logger("edge.walk")

# A client that sends nothing for so long amid its parameters.
BODY_SECONDS = 60.0
# How long a client waits for the control plane to confirm that its hold is over.
HOLD_END_SECONDS = 5.0


Carried = TypeVar("Carried")


class Walk:
    """What every exchange of every listener is given to."""

    def __init__(
        self,
        *,
        control: Control,
        journal: Journal,
        forwarding: Forwarding,
        budget: Budget,
        refusals: Refusals,
        names: tuple[str, ...] = (),
    ) -> None:
        self._control = control
        self._journal = journal
        self._forwarding = forwarding
        self._budget = budget
        self._refusals = refusals
        self._names = names
        self._seen = ReplayWindow()

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request. Raises ClientGone when there is nobody to answer."""
        async with self._budget.lease() as lease:
            try:
                self._check_admitting()
                admission = await self._read(exchange, lease)
            except Problem as problem:
                # Nobody is known to have sent this: it is counted, not recorded as anybody's call.
                self._refusals.count(source=exchange.source, code=problem.code)
                await exchange.refuse(problem)
                return
            try:
                verdict = await self._control.admit(admission)
            except problems.ControlUnreachable as problem:
                await exchange.refuse(problem, request_id=str(admission.id))
                return
            await self._follow(exchange, admission, verdict)

    def _check_admitting(self) -> None:
        if not self._control.is_admitting:
            raise problems.NotReady()
        if self._journal.trouble:
            raise problems.JournalUnavailable(f"The journal is {self._journal.trouble}")

    # -- read

    async def _read(self, exchange: Exchange, lease: Lease) -> Admission:
        head = exchange.head
        mode = routing.body_mode(head, self._names)
        body = await self._read_parameters(exchange, lease) if mode is BodyMode.PARAMETERS else b""
        return Admission(
            id=uuid4(),
            received_at=exchange.received_at,
            listener=exchange.listener,
            source=exchange.source,
            method=head.method,
            target=head.target,
            headers=head.headers,
            body_mode=mode,
            body=body,
            body_sha256=hashlib.sha256(body).hexdigest() if mode is BodyMode.PARAMETERS else None,
            content_length=head.content_length,
            # A payload is not there to be approved, and a large body would be held in memory for minutes.
            can_hold=mode is not BodyMode.PAYLOAD and len(body) <= LARGEST_SHARED_BODY,
        )

    async def _read_parameters(self, exchange: Exchange, lease: Lease) -> bytes:
        length = exchange.head.content_length
        if length is not None:
            if length > LARGEST_PARAMETERS:
                raise problems.BodyTooLarge()
            await lease.grow(length)
        await exchange.ask_for_body()
        chunks: list[bytes] = []
        size = 0
        while chunk := await _next_chunk(exchange):
            size += len(chunk)
            if size > LARGEST_PARAMETERS:
                raise problems.BodyTooLarge()
            if length is None:
                await lease.grow(len(chunk))
            chunks.append(chunk)
        return b"".join(chunks)

    # -- follow

    async def _follow(self, exchange: Exchange, admission: Admission, verdict: Verdict) -> None:
        match verdict.kind:
            case VerdictKind.FORWARD:
                await self._forward(exchange, admission, verdict)
            case VerdictKind.REFUSE:
                await exchange.answer(_carried(verdict.answer))
            case VerdictKind.RESULT:
                await self._hand_over(exchange, verdict)
            case VerdictKind.HOLD:
                await self._hold(exchange, admission, _carried(verdict.hold))
            case _:
                assert_never(verdict.kind)

    async def _forward(self, exchange: Exchange, admission: Admission, verdict: Verdict) -> None:
        """Send a permitted call. A change that was sent before under the same signature is somebody's copy."""
        try:
            if verdict.changes:
                self._check_first(admission)
        except Problem as problem:
            self._forwarding.not_sent(admission.id, error=problem.code)
            await exchange.refuse(problem, request_id=str(admission.id))
            return
        await self._forwarding.forward(exchange, admission, verdict)

    def _check_first(self, admission: Admission) -> None:
        """Raises RequestReplayed. What counts is when a call came, not how long people took over it."""
        request = WireRequest(method=admission.method, target=admission.target, headers=admission.headers)
        sighting = sighting_of(request, claim_of(request))
        if sighting is not None:
            received_at = datetime.fromtimestamp(admission.received_at, UTC)
            self._seen.check(sighting, admission_id=admission.id, now=received_at)

    async def _hand_over(self, exchange: Exchange, verdict: Verdict) -> None:
        """Give an approved call's result; if the client cannot take it, the control plane may keep it for its return."""
        try:
            await exchange.answer(_carried(verdict.answer))
        except problems.ClientGone:
            self._control.holds.client_left(verdict.id)
            raise

    # -- hold

    async def _hold(self, exchange: Exchange, admission: Admission, hold: Hold) -> None:
        log.info("held", request=str(admission.id), approval=str(hold.approval_id))
        waiting = self._control.holds.open(admission.id)
        try:
            await self._wait_for_people(exchange, waiting, hold)
        except problems.ClientGone:
            self._nobody_waits(admission.id, waiting)
            raise
        if waiting.done():
            resolution: Verdict | None = waiting.result()
        else:
            resolution = await self._control.holds.time_is_over(admission.id, seconds=HOLD_END_SECONDS)
        if resolution is None or resolution.kind is VerdictKind.HOLD:
            # Held twice would be a loop without end; the first hold's answer says how to come back.
            await exchange.answer(hold.pending)
        elif exchange.left.is_set():
            self._nobody_waits(admission.id, waiting)
        else:
            await self._follow(exchange, admission, resolution)

    def _nobody_waits(self, id_: UUID, waiting: asyncio.Future[Verdict]) -> None:
        """A permission that came in the same instant is not used, and that is an outcome."""
        if waiting.done() and waiting.result().kind is VerdictKind.FORWARD:
            self._forwarding.not_sent(id_, error="client.gone")
        else:
            self._control.holds.client_left(id_)

    async def _wait_for_people(self, exchange: Exchange, waiting: asyncio.Future[Verdict], hold: Hold) -> None:
        """Wait for the resolution, telling the client every so often that somebody is there.

        Returns when `waiting` is done or the time is over; raises ClientGone when the client closes first. A client
        that only half-closes counts as gone: no SDK does it, and a call nobody waits for must not run.
        """
        left = asyncio.get_running_loop().create_task(exchange.left.wait())
        ends: set[asyncio.Future[Any]] = {waiting, left}
        ends_at = time.monotonic() + hold.seconds
        is_chatty = routing.bears_interim(exchange.head.headers)
        try:
            while (remaining := ends_at - time.monotonic()) > 0:
                pause = min(remaining, max(hold.interim_seconds, 0.05)) if is_chatty else remaining
                await asyncio.wait(ends, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    return
                if left.done():
                    raise problems.ClientGone()
                if is_chatty and pause < remaining:
                    await exchange.interim()
        finally:
            left.cancel()


async def _next_chunk(exchange: Exchange) -> bytes:
    # Most parameters come with their head; a clock for what is there already would cost more than reading it.
    if exchange.body.has_arrived:
        return await exchange.body.read()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await exchange.body.read()
    except TimeoutError as error:
        raise problems.BodyTooSlow() from error


def _carried(part: Carried | None) -> Carried:
    """Return what a verdict of its kind carries; `control` lets no verdict in without it."""
    if part is None:
        raise ValueError("the verdict does not carry what its kind needs")
    return part
