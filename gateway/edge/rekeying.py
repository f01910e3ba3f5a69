"""A new key for this edge when the control plane says one is due; no call is lost on the way.

What keys are worth is the control plane's to say; where this edge keeps its own, `identity`'s.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.edge.control_http import ControlHttp, Rejected, Unanswered
from gateway.edge.identity import Identity, raw_public_key
from gateway.wire.contract import KeyOffer, KeyOfferAnswer, edge_key_proof

log = structlog.get_logger("edge.rekeying")

OFFER_SECONDS = 10.0
PAUSE_SECONDS = 30.0


class Rekeying:
    """`due` may be called as often as the feed says so; `run` makes one key at a time."""

    def __init__(
        self, *, http: ControlHttp, identity: Identity, path: str, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._http = http
        self._identity = identity
        self._path = path
        self._pause_seconds = pause_seconds
        self._is_due = asyncio.Event()

    def due(self) -> None:
        self._is_due.set()

    async def run(self) -> None:
        """Offer a key made here, wait until it is known everywhere, then sign with it. For as long as the edge runs."""
        while True:
            await self._is_due.wait()
            try:
                await self._change()
            except (Unanswered, Rejected, msgspec.DecodeError) as error:
                # The present key stays good: nothing was given up.
                log.warning("key_not_changed", error=str(error))
            # The feed says so until the change is known everywhere; a control plane that refuses is not pressed.
            await asyncio.sleep(self._pause_seconds)
            self._is_due.clear()

    async def _change(self) -> None:
        fresh = Ed25519PrivateKey.generate()
        public = raw_public_key(fresh)
        if self._identity.edge_id is None:
            raise ValueError("the edge is not enrolled")
        proof = fresh.sign(edge_key_proof(edge_id=self._identity.edge_id, public_key=public))
        raw = await self._http.post(self._path, KeyOffer(public_key=public, proof=proof), seconds=OFFER_SECONDS)
        # A process that looked this edge up a moment ago knows only the present key.
        await asyncio.sleep(msgspec.msgpack.decode(raw, type=KeyOfferAnswer).after_seconds)
        self._identity.change_key(fresh)
        log.info("key_changed")
