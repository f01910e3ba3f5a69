"""The one client through which an edge speaks to the control plane: enrol, boot, admissions, feed, outcomes.

How a message travels is `control_http`; what is done with a verdict is `walk` and `forwarding`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import structlog

from gateway.edge import problems
from gateway.edge.batches import PATIENCE_SECONDS, PATIENT_IN_FLIGHT, Asked, may_leave, next_batch
from gateway.edge.control_http import ControlHttp, Rejected, Unanswered
from gateway.edge.holds import Holds
from gateway.edge.identity import Identity
from gateway.edge.journal import Journal
from gateway.edge.refusals import Refusals
from gateway.edge.rekeying import Rekeying
from gateway.terms import OutcomeKind
from gateway.wire.contract import (
    LARGEST_BATCH_BYTES,
    LARGEST_BATCH_ITEMS,
    Admission,
    AdmissionBatch,
    BootAnswer,
    BootRequest,
    Enrolment,
    EnrolmentAnswer,
    FeedAnswer,
    FeedRequest,
    JournalKeys,
    JournalKeysRequest,
    Outcome,
    OutcomeBatch,
    OutcomeReceipt,
    Verdict,
    VerdictBatch,
    VerdictKind,
)

log = structlog.get_logger("edge.control")

BASE = "/api/edge/v1"
VERSION = "1"
BOOT_SECONDS = 10.0
# Under the two seconds in which a revocation must be heard.
FEED_SECONDS = 2.0
# While somebody waits for people the feed is asked more often: what a vote decides is answered within 400 ms. A crowd
# of held calls would make that a load of its own.
HELD_SHARE = 0.3
FEW_HELD = 64
SHIP_SECONDS = 10.0
SHIP_PAUSE_SECONDS = 0.5
FLUSH_LOOK_SECONDS = 0.02
# Outcomes are safe in the journal, so they may wait for company: one signed post instead of one per call.
GATHER_SECONDS = 0.1
# An outcome the control plane did not take (not yet known to it) is offered again after so long.
OFFER_AGAIN_SECONDS = 2.0

# What the control plane says to an edge that may not go on; both end the process.
_ENDING = {"edge.boot_fenced": "this boot was fenced by a later one", "edge.refused": "this edge is not known any more"}


class EdgeEnded(Exception):
    """This edge may not go on: its boot was fenced or the edge was revoked."""


class Control:
    """`start` enrols and registers the boot; `run` keeps feed and shipping going until EdgeEnded."""

    def __init__(
        self,
        *,
        http: ControlHttp,
        identity: Identity,
        journal: Journal,
        refusals: Refusals,
        boot: UUID,
        admit_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._identity = identity
        self._journal = journal
        self._refusals = refusals
        self._boot = boot
        self._admit_seconds = admit_seconds
        self._now = now
        self._feed_due = asyncio.Event()
        self._rekeying = Rekeying(http=http, identity=identity, path=f"{BASE}/key")
        self.holds = Holds(hurry=self._feed_due.set, on_late_permission=self._not_sent)
        self._asked: deque[Asked] = deque()
        self._posts: set[asyncio.Task[None]] = set()
        self._is_pump_due = False
        self._patience: asyncio.TimerHandle | None = None
        self._outcome_due = asyncio.Event()
        self._offered: dict[UUID, float] = {}
        self._cursor: dict[str, int] = {}
        self._feed_seconds = 0.25
        self._is_booted = False
        self._is_heard = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    # -- state

    @property
    def is_admitting(self) -> bool:
        """Whether calls may be asked about: the boot is registered and this edge has not been ended."""
        return self._is_booted and not self._ended.done()

    @property
    def is_ready(self) -> bool:
        """Whether the supervisor may send traffic: admitting, the last feed answered, the journal writable."""
        return self.is_admitting and self._is_heard and not self._journal.trouble

    # -- start

    async def start(self, *, name: str, token: str) -> None:
        """Enrol if need be, register the boot, settle earlier boots; raises EdgeEnded or Rejected."""
        enrol = partial(self._enrol, name=name, token=token)
        for step in (enrol, self._open_journal, self._register):
            while not await self._tried(step()):
                log.warning("control_unreachable", step=getattr(step, "__name__", "_enrol"))
        self._is_booted = True
        log.info("boot_registered", edge=str(self._identity.edge_id), boot=str(self._boot))

    async def run(self) -> None:
        """Keep feeding and shipping; raises EdgeEnded with the reason once the edge may not go on."""
        async with asyncio.TaskGroup() as tasks:
            work = self._feed_forever, self._ship_forever, self._rekeying.run
            loops = [tasks.create_task(one()) for one in work]
            reason = await self._ended
            for loop in loops:
                loop.cancel()
        raise EdgeEnded(reason)

    async def _tried(self, step: Coroutine[Any, Any, None]) -> bool:
        try:
            await step
        except Unanswered:
            return False
        return True

    async def _enrol(self, *, name: str, token: str) -> None:
        if self._identity.edge_id is not None:
            return
        if not token:
            raise EdgeEnded("not enrolled, and HOOPWEB_EDGE_ENROL_TOKEN is not set")
        enrolment = Enrolment(token=token, name=name, public_key=self._identity.public_key)
        raw = await self._http.post(f"{BASE}/enrol", enrolment, seconds=BOOT_SECONDS, is_signed=False)
        self._identity.enrolled(msgspec.msgpack.decode(raw, type=EnrolmentAnswer).edge_id)

    async def _open_journal(self) -> None:
        asked = JournalKeysRequest(boots=self._journal.boots)
        raw = await self._http.post(f"{BASE}/journal-keys", asked, seconds=BOOT_SECONDS)
        self._journal.open(msgspec.msgpack.decode(raw, type=JournalKeys).items)

    async def _register(self) -> None:
        said, damage = self._journal.statements(), self._journal.damage()
        request = BootRequest(boot=self._boot, version=VERSION, statements=said, damage=damage)
        raw = await self._http.post(f"{BASE}/boots", request, seconds=BOOT_SECONDS)
        self._feed_seconds = msgspec.msgpack.decode(raw, type=BootAnswer).feed_seconds
        self._journal.stated()

    # -- admissions

    async def admit(self, admission: Admission) -> Verdict:
        """Ask about one request; raises ControlUnreachable when no verdict came in time.

        The control plane may have recorded it all the same, so an unanswered admission is reported as not sent.
        """
        asked = Asked(admission, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._pump_soon()
        try:
            async with asyncio.timeout(self._admit_seconds):
                return await asked.answer
        except (TimeoutError, Unanswered, Rejected) as error:
            self._not_sent(admission.id, error="admission.unanswered")
            raise problems.ControlUnreachable() from error

    def _pump_soon(self) -> None:
        # In the loop's next turn, so that calls that arrived in this one share a batch. While no post is under way
        # there is no timer.
        if not self._is_pump_due:
            self._is_pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._is_pump_due = False
        while may_leave(waiting=len(self._asked), in_flight=len(self._posts)):
            self._post_next()
        if self._asked and self._patience is None and len(self._posts) < PATIENT_IN_FLIGHT:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._pump_late)

    def _pump_late(self) -> None:
        self._patience = None
        if self._asked and len(self._posts) < PATIENT_IN_FLIGHT:
            self._post_next()

    def _post_next(self) -> None:
        if batch := next_batch(self._asked):
            task = asyncio.get_running_loop().create_task(self._post(batch))
            self._posts.add(task)
            task.add_done_callback(self._posted)

    def _posted(self, task: asyncio.Task[None]) -> None:
        self._posts.discard(task)
        self._pump()

    async def _post(self, batch: list[Asked]) -> None:
        message = AdmissionBatch(boot=self._boot, items=tuple(asked.admission for asked in batch))
        try:
            raw = await self._http.post(f"{BASE}/admissions", message, seconds=self._admit_seconds)
            verdicts = {item.id: item for item in msgspec.msgpack.decode(raw, type=VerdictBatch).items}
        except (Unanswered, Rejected, msgspec.DecodeError) as error:
            self._end_if_told(error)
            log.warning("admissions_unanswered", items=len(batch), error=str(error))
            if isinstance(error, Rejected) and len(batch) > 1 and self.is_admitting:
                # One item may be what was rejected; its neighbours must not fail with it.
                for asked in batch:
                    await self._post([asked])
                return
            verdicts = {}
        for asked in batch:
            verdict = verdicts.get(asked.admission.id)
            if asked.answer.done():
                self._take_late(verdict)
            elif verdict is not None and _is_whole(verdict):
                asked.answer.set_result(verdict)
            else:
                asked.answer.set_exception(Unanswered("no verdict"))

    def _take_late(self, verdict: Verdict | None) -> None:
        """The walk gave up already and reported not sent; a hold must be ended too."""
        if verdict is not None and verdict.kind is VerdictKind.HOLD:
            self.holds.client_left(verdict.id)

    # -- outcomes

    def report(self, outcome: Outcome) -> None:
        """Write an outcome to the journal and have it shipped."""
        self._journal.outcome(outcome)
        self._outcome_due.set()

    async def flush(self, *, seconds: float) -> None:
        """Wait until every outcome has been stored, but no longer than `seconds`."""
        ends_at = time.monotonic() + seconds
        while self.is_admitting and self._journal.unshipped(most=1) and time.monotonic() < ends_at:
            await asyncio.sleep(FLUSH_LOOK_SECONDS)

    def _not_sent(self, id_: UUID, error: str = "hold.ended") -> None:
        self.report(Outcome(id=id_, kind=OutcomeKind.NOT_SENT, ended_at=self._now(), error=error))

    async def _ship_forever(self) -> None:
        while True:
            self._outcome_due.clear()
            batch = self._next_outcomes()
            if not batch:
                # Woken by the next outcome; the time limit offers again what was not taken.
                try:
                    async with asyncio.timeout(OFFER_AGAIN_SECONDS):
                        await self._outcome_due.wait()
                except TimeoutError:
                    continue
                await asyncio.sleep(GATHER_SECONDS)
            elif not await self._ship(batch):
                await asyncio.sleep(SHIP_PAUSE_SECONDS)
            elif len(batch) < LARGEST_BATCH_ITEMS:
                # What ended during the post gathers too: shipped at once, a steady caller would cost two posts a call.
                await asyncio.sleep(GATHER_SECONDS)

    def _next_outcomes(self) -> list[Outcome]:
        due = time.monotonic() - OFFER_AGAIN_SECONDS
        self._offered = {id_: at for id_, at in self._offered.items() if at > due}
        batch: list[Outcome] = []
        size = 0
        for outcome in self._journal.unshipped(most=LARGEST_BATCH_ITEMS + len(self._offered)):
            if outcome.id in self._offered:
                continue
            size += len(outcome.head) + 1024
            if len(batch) == LARGEST_BATCH_ITEMS or (batch and size > LARGEST_BATCH_BYTES):
                break
            batch.append(outcome)
        return batch

    async def _ship(self, batch: list[Outcome]) -> bool:
        message = OutcomeBatch(boot=self._boot, items=tuple(batch))
        try:
            raw = await self._http.post(f"{BASE}/outcomes", message, seconds=SHIP_SECONDS)
            stored = msgspec.msgpack.decode(raw, type=OutcomeReceipt).stored
        except (Unanswered, Rejected, msgspec.DecodeError) as error:
            self._end_if_told(error)
            log.warning("outcomes_unanswered", items=len(batch), error=str(error))
            if isinstance(error, Rejected) and self.is_admitting:
                return await self._ship_one_by_one(batch)
            return False
        self._journal.acked(stored)
        self._offered.update(dict.fromkeys({outcome.id for outcome in batch} - set(stored), time.monotonic()))
        return True

    async def _ship_one_by_one(self, batch: list[Outcome]) -> bool:
        """One outcome may be what was rejected: it is set aside for a while, so that the others get through."""
        if len(batch) == 1:
            self._offered[batch[0].id] = time.monotonic()
            return True
        shipped = [await self._ship([outcome]) for outcome in batch]
        return all(shipped)

    # -- feed

    async def _feed_forever(self) -> None:
        while True:
            self._feed_due.clear()
            started = time.monotonic()
            was_heard, self._is_heard = self._is_heard, await self._feed()
            if was_heard != self._is_heard:
                log.info("feed_changed", is_heard=self._is_heard)
            self._journal.mend()
            try:
                async with asyncio.timeout(max(0.0, self._feed_pause - (time.monotonic() - started))):
                    await self._feed_due.wait()
            except TimeoutError:
                continue

    @property
    def _feed_pause(self) -> float:
        return self._feed_seconds * (HELD_SHARE if 0 < self.holds.count <= FEW_HELD else 1)

    async def _feed(self) -> bool:
        refusals, ended = self._refusals.report(), self.holds.ended()
        held, journal = self.holds.held(), self._journal.records
        request = FeedRequest(
            boot=self._boot, journal=journal, cursor=self._cursor, held=held, ended=ended, refusals=refusals
        )
        try:
            raw = await self._http.post(f"{BASE}/feed", request, seconds=FEED_SECONDS)
            answer = msgspec.msgpack.decode(raw, type=FeedAnswer)
        except (Unanswered, Rejected, msgspec.DecodeError) as error:
            self._end_if_told(error)
            return False
        self._refusals.confirm(refusals)
        self._cursor = answer.cursor
        self.holds.heard(resolutions=filter(_is_whole, answer.resolutions), confirmed=ended)
        if answer.is_key_due:
            self._rekeying.due()
        if answer.is_revoked:
            self._end("this edge was revoked")
        return True

    # -- end

    def _end_if_told(self, error: Exception) -> None:
        if isinstance(error, Rejected) and error.code in _ENDING:
            self._end(_ENDING[error.code])

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            log.error("edge_ended", reason=reason)
            self._ended.set_result(reason)


def _is_whole(verdict: Verdict) -> bool:
    """Whether a verdict carries what its kind needs; one that does not is no verdict."""
    match verdict.kind:
        case VerdictKind.FORWARD:
            return verdict.upstream is not None and verdict.mask is not None
        case VerdictKind.HOLD:
            return verdict.hold is not None
        case VerdictKind.REFUSE | VerdictKind.RESULT:
            return verdict.answer is not None
