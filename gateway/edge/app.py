"""One edge put together: its parts, their start in order, and their end.

Reading the environment and the exit status belong to `__main__`.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cache
from uuid import UUID, uuid4

import structlog

from gateway.edge.budget import Budget
from gateway.edge.control import Control
from gateway.edge.control_http import ControlHttp
from gateway.edge.control_tls import ControlTls
from gateway.edge.forwarding import Forwarding
from gateway.edge.health import health_handler
from gateway.edge.identity import Identity
from gateway.edge.journal import Journal, machine_start
from gateway.edge.listeners.aws import AwsListener, server_tls
from gateway.edge.refusals import Refusals
from gateway.edge.settings import EdgeSettings
from gateway.edge.upstream import Pool
from gateway.edge.walk import Walk
from gateway.masking.content import default_scanner
from gateway.names.reader import Reader

log = structlog.get_logger("edge")

# Calls under way at a stop get this long; a supervisor usually kills after 10 to 30 s.
DRAIN_SECONDS = 8.0
FLUSH_SECONDS = 1.0
# Supervisors and load balancers; nobody else has business there.
MOST_HEALTH_CONNECTIONS = 32


class Edge:
    """`start`, then `run` until cancelled or EdgeEnded, then `drain` and `close`. One per process and state folder."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.boot: UUID = uuid4()
        self.ports: dict[str, int] = {}
        self._settings = settings
        self._identity = Identity.open(settings.state)
        self._refusals = Refusals()
        self._budget = Budget(settings.buffer_bytes)
        self._pool = Pool(tls=cache(self._upstream_tls))
        self._journal = Journal(
            folder=settings.state / "journal",
            boot=self.boot,
            machine_start=machine_start(),
            max_bytes=settings.journal_max_bytes,
            fsync=settings.journal_fsync,
        )
        control_tls = ControlTls(ca=settings.control_ca, cert=settings.control_cert, key=settings.control_key)
        # Now, not at the first call: files that cannot be read are a mistake somebody should hear of at the start.
        control_tls()
        self._control = Control(
            http=ControlHttp(urls=settings.control_urls, identity=self._identity, pool=Pool(tls=control_tls)),
            identity=self._identity,
            journal=self._journal,
            refusals=self._refusals,
            boot=self.boot,
            admit_seconds=settings.control_seconds,
        )
        folder, digest = settings.names_model, settings.names_model_digest
        self.names = Reader(folder, digest=digest) if folder is not None else None
        self._aws = AwsListener(
            handler=self._walk().handle, refusals=self._refusals, most_connections=settings.max_connections
        )
        self._health = AwsListener(
            handler=health_handler(lambda: self._control.is_ready),
            # Nonsense on the supervisor's port is not a client's refusal.
            refusals=Refusals(),
            most_connections=MOST_HEALTH_CONNECTIONS,
        )

    def _walk(self) -> Walk:
        forwarding = Forwarding(
            pool=self._pool,
            journal=self._journal,
            # Apart from the requests' budget: calls that hold one body must not wait for each other's other one.
            budget=Budget(self._settings.buffer_bytes),
            report=self._control.report,
            upstream_seconds=self._settings.upstream_seconds,
            names=self.names,
        )
        return Walk(
            control=self._control,
            journal=self._journal,
            forwarding=forwarding,
            budget=self._budget,
            refusals=self._refusals,
            names=self._settings.gateway_names,
        )

    async def start(self) -> None:
        """Listen, then enrol and boot. Until the boot is registered every call is refused as not ready."""
        settings = self._settings
        if settings.listen_health is not None:
            self.ports["health"] = await self._health.listen(settings.listen_health, tls=None)
        if settings.listen is not None and settings.tls_cert is not None and settings.tls_key is not None:
            tls = server_tls(cert=settings.tls_cert, key=settings.tls_key)
            self.ports["tls"] = await self._aws.listen(settings.listen, tls=tls)
        if settings.listen_plain is not None:
            self.ports["plain"] = await self._aws.listen(settings.listen_plain, tls=None)
        log.info("listening", **self.ports)
        # Compiling the detectors takes a while: before the first answer, and off the loop.
        await asyncio.to_thread(default_scanner().load)
        if self.names is not None:
            await asyncio.to_thread(self.names.start)
        await self._control.start(name=settings.name, token=settings.enrol_token)

    async def run(self) -> None:
        """Feed and ship; raises EdgeEnded when this edge may not go on."""
        await self._control.run()

    async def drain(self) -> None:
        """Stop accepting, let calls under way end, and give their outcomes a moment to leave."""
        await self._aws.drain(seconds=DRAIN_SECONDS)
        await self._control.flush(seconds=FLUSH_SECONDS)

    async def close(self) -> None:
        """Let go of everything; what was not shipped stays in the journal for the next start."""
        await self._health.drain(seconds=0)
        self._pool.close()
        self._journal.close()
        if self.names is not None:
            self.names.close()

    def _upstream_tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._settings.upstream_ca is not None:
            context.load_verify_locations(self._settings.upstream_ca)
        return context


async def serve(edge: Edge, stopping: asyncio.Event) -> None:
    """Run an edge until `stopping` is set; raises EdgeEnded when the control plane ended it."""
    working = asyncio.ensure_future(_start_and_run(edge))
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        stopped.cancel()
        # The feed and the shipping go on while calls end, so that their outcomes still leave.
        await edge.drain()
        working.cancel()
        await asyncio.wait({working})
        await edge.close()


async def _start_and_run(edge: Edge) -> None:
    await edge.start()
    await edge.run()
