"""The edge of the world: a control plane and an AWS that do as a test says, with a real edge in between.

Both fakes speak HTTP over sockets; the edge is the product's own, put together by `gateway.edge.app`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.edge.app import Edge, serve
from gateway.edge.settings import Address, EdgeSettings
from gateway.terms import Protocol
from gateway.wire import contract
from tests.edge.certificates import Certificates
from tests.edge.peers import FakeServer, Message, read_answer, read_body, read_head, write_answer

CALLER = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=GWIAX/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host",
    "X-Amz-Target": "DynamoDB_20120810.GetItem",
    "Content-Type": "application/x-amz-json-1.0",
    "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5",
}
S3_CALLER = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=GWIAX/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host",
    "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5",
}
# Clear bodies pass whatever the content scan thinks of them: masking itself is another room's to test.
CLEAR = contract.MaskPlan(protocol=Protocol.JSON, body=contract.BodyForm.BLOB, is_clear=True)

Decide = Callable[[contract.Admission], "contract.Verdict | Awaitable[contract.Verdict]"]
Worlds = Callable[..., AbstractAsyncContextManager["World"]]
Answering = Callable[[Message, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class FakeControl:
    """Answers the edge's five paths and remembers all it was told."""

    def __init__(self) -> None:
        self.server = FakeServer(self._talk)
        self.edge_id = uuid4()
        self.keys: dict[str, bytes] = {}
        self.enrolments: list[contract.Enrolment] = []
        self.boots: list[contract.BootRequest] = []
        self.batches: list[contract.AdmissionBatch] = []
        self.feeds: list[contract.FeedRequest] = []
        self.outcomes: dict[UUID, contract.Outcome] = {}
        self.refused: dict[str, int] = {}
        self.resolutions: list[contract.Verdict] = []
        self.offered: list[bytes] = []
        self.is_key_due = False
        self.is_revoked = False
        self.is_fenced = False
        self.outcome_posts = 0
        self.store_outcomes = True
        self.feed_seconds = 0.05
        self.fail_first = 0
        self.hang_admissions = False
        self.is_unknown = False
        self.forget_first = False
        self.reject: Callable[[contract.AdmissionBatch], bool] = lambda batch: False
        self.reject_outcome: UUID | None = None
        self.decide: Decide

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def admissions(self) -> list[contract.Admission]:
        return [item for batch in self.batches for item in batch.items]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_head(reader)
            request.body = b"".join([chunk async for chunk in read_body(reader, request)])
            status, answer = await self._answer(request)
            writer.write(write_answer(status, {"Content-Type": "application/vnd.hoopweb.edge+msgpack"}, answer))
            await writer.drain()

    async def _answer(self, request: Message) -> tuple[int, bytes]:
        path = request.target.removeprefix("/api/edge/v1")
        if path != "/enrol":
            self._check_signature(request)
        if self.is_fenced:
            return 409, msgspec.msgpack.encode({"code": "edge.boot_fenced", "message": "fenced"})
        if self.is_unknown:
            return 401, b'{"code":"edge.refused","status":401}'
        encode = msgspec.msgpack.encode
        match path:
            case "/enrol":
                enrolment = msgspec.msgpack.decode(request.body, type=contract.Enrolment)
                self.enrolments.append(enrolment)
                self.keys[str(self.edge_id)] = enrolment.public_key
                return 200, encode(contract.EnrolmentAnswer(edge_id=self.edge_id))
            case "/journal-keys":
                asked = msgspec.msgpack.decode(request.body, type=contract.JournalKeysRequest)
                return 200, encode(contract.JournalKeys(items=tuple(map(self._journal_key, asked.boots))))
            case "/key":
                return 200, encode(self._offer(msgspec.msgpack.decode(request.body, type=contract.KeyOffer)))
            case "/boots":
                self.boots.append(msgspec.msgpack.decode(request.body, type=contract.BootRequest))
                return 200, encode(contract.BootAnswer(feed_seconds=self.feed_seconds, hold_seconds=90))
            case "/admissions":
                return await self._admissions(request)
            case "/outcomes":
                return self._outcomes(msgspec.msgpack.decode(request.body, type=contract.OutcomeBatch))
            case "/feed":
                return 200, encode(self._feed(msgspec.msgpack.decode(request.body, type=contract.FeedRequest)))
        return 404, b""

    async def _admissions(self, request: Message) -> tuple[int, bytes]:
        batch = msgspec.msgpack.decode(request.body, type=contract.AdmissionBatch)
        self.batches.append(batch)
        if self.reject(batch):
            return 422, b'{"code":"edge.malformed"}'
        if self.fail_first:
            self.fail_first -= 1
            return 503, b""
        if self.hang_admissions:
            await asyncio.sleep(3600)
        verdicts = [self.decide(item) for item in batch.items]
        whole = tuple([v if isinstance(v, contract.Verdict) else await v for v in verdicts])
        return 200, msgspec.msgpack.encode(contract.VerdictBatch(items=whole))

    def _outcomes(self, batch: contract.OutcomeBatch) -> tuple[int, bytes]:
        self.outcome_posts += 1
        if not self.store_outcomes:
            return 503, b""
        if self.reject_outcome in {item.id for item in batch.items}:
            return 422, b'{"code":"edge.malformed"}'
        stored = {} if self.forget_first else {item.id: item for item in batch.items}
        self.forget_first = False
        self.outcomes.update(stored)
        return 200, msgspec.msgpack.encode(contract.OutcomeReceipt(stored=tuple(stored)))

    def _feed(self, request: contract.FeedRequest) -> contract.FeedAnswer:
        self.feeds.append(request)
        for refusal in request.refusals:
            self.refused[refusal.code] = self.refused.get(refusal.code, 0) + refusal.count
        mentioned = {*request.held, *(end.id for end in request.ended)}
        due = tuple(verdict for verdict in self.resolutions if verdict.id in mentioned)
        return contract.FeedAnswer(
            cursor={"acme": len(self.feeds)},
            resolutions=due,
            is_revoked=self.is_revoked,
            is_key_due=self.is_key_due,
        )

    def _journal_key(self, boot: UUID) -> contract.JournalKey:
        key = hashlib.sha256(self.edge_id.bytes + boot.bytes).digest()
        heard = max((feed.journal for feed in self.feeds if feed.boot == boot), default=0)
        return contract.JournalKey(boot=boot, key=key, heard=heard)

    def _offer(self, offer: contract.KeyOffer) -> contract.KeyOfferAnswer:
        text = contract.edge_key_proof(edge_id=self.edge_id, public_key=offer.public_key)
        Ed25519PublicKey.from_public_bytes(offer.public_key).verify(offer.proof, text)
        self.offered.append(offer.public_key)
        return contract.KeyOfferAnswer(after_seconds=0.05)

    def _key_of(self, request: Message) -> bytes:
        """The edge's present key. The first call signed by an offered one makes it that."""
        name = request.headers["x-hoopweb-edge"]
        if self.offered:
            try:
                self._verify(request, self.offered[-1])
            except InvalidSignature:
                return self.keys[name]
            self.keys[name] = self.offered.pop()
            self.is_key_due = False
        return self.keys[name]

    def _check_signature(self, request: Message) -> None:
        self._verify(request, self._key_of(request))

    def _verify(self, request: Message, public_key: bytes) -> None:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        text = contract.edge_string_to_sign(
            method=request.method,
            path=request.target,
            date=request.headers["x-hoopweb-date"],
            body_sha256=hashlib.sha256(request.body).hexdigest(),
        )
        key.verify(base64.b64decode(request.headers["x-hoopweb-signature"]), text)


class FakeAws:
    """Keeps an access log of its own; answers 200 with `{}` unless told otherwise."""

    def __init__(self) -> None:
        self.server = FakeServer(self._talk)
        self.log: list[Message] = []
        self.connections = 0
        self.answering: Answering | None = None

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            request = await read_head(reader)
            self.log.append(request)
            if self.answering is not None:
                await self.answering(request, reader, writer)
            else:
                request.body = b"".join([chunk async for chunk in read_body(reader, request)])
                writer.write(write_answer(200, {"x-amzn-RequestId": "AWS-1", "Content-Type": "text/plain"}, b"{}"))
            await writer.drain()


class Client:
    """One connection of a client that may send whatever it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, is_head: bool = False, seconds: float = 10) -> Message:
        async with asyncio.timeout(seconds):
            return await read_answer(self.reader, is_head=is_head)

    async def ask(self, data: bytes, *, is_head: bool = False) -> Message:
        await self.send(data)
        return await self.answer(is_head=is_head)

    def leave(self) -> None:
        """Vanish: the peer gets a reset rather than a clean end."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def is_closed(self, seconds: float = 5) -> bool:
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


class World:
    def __init__(self, *, folder: Path, certificates: Certificates, settings: dict[str, Any]) -> None:
        self.control = FakeControl()
        self.control.decide = self.forward
        self.aws = FakeAws()
        self.folder = folder
        self.certificates = certificates
        self.edge: Edge
        self.running: asyncio.Task[None]
        self._stopping = asyncio.Event()
        self._settings = settings
        self._clients: list[Client] = []

    def settings(self) -> EdgeSettings:
        values: dict[str, Any] = {
            "listen": Address(host="127.0.0.1", port=0),
            "tls_cert": self.certificates.cert,
            "tls_key": self.certificates.key,
            "listen_plain": Address(host="127.0.0.1", port=0),
            "listen_health": Address(host="127.0.0.1", port=0),
            "control_urls": (self.control.url,),
            "control_ca": None,
            "control_cert": None,
            "control_key": None,
            "state": self.folder / "state",
            "enrol_token": "one-time",
            "name": "edge-1",
            "gateway_names": ("gw.example",),
            "upstream_ca": self.certificates.cert,
            "journal_max_bytes": 64 * 1024 * 1024,
            "journal_fsync": False,
            "max_connections": 64,
            "buffer_bytes": 64 * 1024 * 1024,
            "control_seconds": 2.0,
            "upstream_seconds": 5.0,
            "names_model": None,
            "names_model_digest": "",
        }
        return EdgeSettings(**{**values, **self._settings})

    async def start(self) -> None:
        await self.control.server.start()
        await self.aws.server.start()
        await self.start_edge()
        await self.ready()

    async def start_edge(self) -> None:
        self._stopping = asyncio.Event()
        self.edge = Edge(self.settings())
        self.running = asyncio.ensure_future(serve(self.edge, self._stopping))

    async def stop_edge(self) -> None:
        self._stopping.set()
        await asyncio.wait({self.running}, timeout=10)

    async def stop(self) -> None:
        for client in self._clients:
            client.writer.transport.abort()
        await self.stop_edge()
        await self.control.server.stop()
        await self.aws.server.stop()

    async def ready(self) -> None:
        # A model takes its seconds to load, more of them on a busy machine.
        seconds = 60 if self._settings.get("names_model") else 8
        await self.until(lambda: bool(self.control.feeds), "the edge to be ready", seconds)

    async def until(self, is_so: Callable[[], bool], what: str, seconds: float = 8) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not is_so():
                    if self.running.done():
                        self.running.result()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}") from None

    async def client(self, *, tls: bool = False, port: int | None = None) -> Client:
        context = ssl.create_default_context(cafile=str(self.certificates.cert)) if tls else None
        wanted = port or self.edge.ports["tls" if tls else "plain"]
        reader, writer = await asyncio.open_connection("127.0.0.1", wanted, ssl=context, limit=1 << 20)
        self._clients.append(Client(reader, writer))
        return self._clients[-1]

    async def outcome(self) -> contract.Outcome:
        """Wait for the first outcome that was shipped."""
        await self.until(lambda: bool(self.control.outcomes), "an outcome")
        return next(iter(self.control.outcomes.values()))

    # -- verdicts

    def forward(self, admission: contract.Admission, **changes: Any) -> contract.Verdict:
        """Permit a call as it is, towards the fake AWS."""
        upstream: dict[str, Any] = {
            "method": admission.method,
            "target": admission.target,
            "host": "service.eu-west-1.amazonaws.com",
            "headers": (("Host", "service.eu-west-1.amazonaws.com"), ("X-Signed", "by-the-gateway")),
            "dial_host": "127.0.0.1",
            "dial_port": self.aws.server.port,
            "is_tls": False,
        }
        mask = changes.pop("mask", CLEAR)
        return contract.Verdict(
            id=admission.id,
            kind=contract.VerdictKind.FORWARD,
            upstream=contract.Upstream(**{**upstream, **changes}),
            mask=mask,
            commitment_salt=b"salt",
        )

    @staticmethod
    def refuse(admission: contract.Admission) -> contract.Verdict:
        return contract.Verdict(id=admission.id, kind=contract.VerdictKind.REFUSE, answer=DENIED)

    @staticmethod
    def hold(admission: contract.Admission, *, seconds: float, interim: float = 0.1) -> contract.Verdict:
        hold = contract.Hold(approval_id=uuid4(), seconds=seconds, interim_seconds=interim, pending=PENDING)
        return contract.Verdict(id=admission.id, kind=contract.VerdictKind.HOLD, hold=hold)


_JSON_ERROR = (("Content-Type", "application/x-amz-json-1.0"),)
DENIED = contract.Answer(status=403, headers=_JSON_ERROR, body=b'{"__type":"AccessDeniedException","message":"no"}')
PENDING = contract.Answer(status=403, headers=_JSON_ERROR, body=b'{"__type":"ApprovalPending","message":"later"}')
RESULT = contract.Answer(status=200, headers=_JSON_ERROR, body=b'{"Item":{}}')
