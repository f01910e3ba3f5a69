"""The edge's API: MessagePack in, MessagePack out, each call signed by the edge's own key.

One thin view a message; what it does is a service's. Nothing here knows a browser or a person.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from gateway.problems import Problem
from gateway.requests import edge_keys, edges, outcomes
from gateway.requests.admit import admit
from gateway.requests.edges import EdgeIdentity
from gateway.requests.feed import feed
from gateway.requests.problems import MalformedMessage
from gateway.wire.contract import (
    LARGEST_BATCH_ITEMS,
    AdmissionBatch,
    BootAnswer,
    BootRequest,
    Enrolment,
    EnrolmentAnswer,
    FeedRequest,
    JournalKeys,
    JournalKeysRequest,
    KeyOffer,
    KeyOfferAnswer,
    Message,
    OutcomeBatch,
    OutcomeReceipt,
    VerdictBatch,
)

log = logging.getLogger("hoopweb.edge-api")
MEDIA_TYPE = "application/vnd.hoopweb.edge+msgpack"


class StoreUnavailable(Problem):
    code = "store.unavailable"
    status = 503
    title = "The database did not take this in time"
    remedy = "Send the same batch again; ids make it safe."


class MessageTooLarge(Problem):
    code = "edge.too_large"
    status = 413
    title = "The message is larger than any batch may be"


class NotThisWay(Problem):
    code = "edge.method"
    status = 405
    title = "The edge's API takes POST only"


class OneMediaType(BaseContentNegotiation):
    """There is nothing to choose, and nothing to render: answers are messages, written as they are."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0] if parsers else None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return None, MEDIA_TYPE


class EdgeView(APIView):
    """Base of the edge's endpoints: verified signature, strict message, problems as `{code, message}`."""

    http_method_names = ("post",)
    authentication_classes = ()
    permission_classes = ()
    renderer_classes = ()
    # An edge names no type it accepts, and whatever a stranger names, he gets this one.
    content_negotiation_class = OneMediaType
    message: type[Message]
    # Only the feed tells a revoked edge that it is.
    also_revoked = False

    def post(self, request: Request) -> HttpResponse:
        body = body_of(request)
        now = timezone.now()
        edge = edges.authenticate(
            edge_id=request.headers.get("X-Hoopweb-Edge", ""),
            date=request.headers.get("X-Hoopweb-Date", ""),
            signature=request.headers.get("X-Hoopweb-Signature", ""),
            method="POST",
            path=request.path,
            body=body,
            now=now,
            also_revoked=self.also_revoked,
        )
        return written(self.answer(edge, decoded(body, self.message), now))

    def answer(self, edge: EdgeIdentity, message: Any, now: Any) -> Message:
        """Answer one verified message."""
        raise NotImplementedError

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # DRF itself takes any
        if isinstance(exc, DatabaseError):
            # Fail closed and retryable: nothing is forwarded that is not recorded.
            log.error("the database refused a batch: %s", type(exc).__name__)
            exc = StoreUnavailable()
        if isinstance(exc, RequestDataTooBig):
            exc = MessageTooLarge()
        if isinstance(exc, APIException):
            exc = NotThisWay(str(exc.detail))
        if isinstance(exc, Problem):
            return written({"code": exc.code, "message": exc.message}, status=exc.status)
        return super().handle_exception(exc)


def written(message: Message | dict[str, str], *, status: int = 200) -> HttpResponse:
    """A message as an answer's body."""
    return HttpResponse(msgspec.msgpack.encode(message), status=status, content_type=MEDIA_TYPE)


def body_of(request: Request) -> bytes:
    """The raw bytes: the signature is over them. Django refuses more than DATA_UPLOAD_MAX_MEMORY_SIZE."""
    if request.content_type != MEDIA_TYPE:
        raise MalformedMessage(f"The content type must be {MEDIA_TYPE}")
    return request._request.body


def decoded(body: bytes, kind: type[Message]) -> Message:
    """Decode strictly: an unknown member or a wrong type is not a message of the contract."""
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise MalformedMessage from error


class EnrolView(EdgeView):
    """The one call that is not signed: the one-time token stands for it."""

    message = Enrolment

    def post(self, request: Request) -> HttpResponse:
        enrolment = decoded(body_of(request), Enrolment)
        if not isinstance(enrolment, Enrolment):
            raise MalformedMessage
        edge = edges.enrol(enrolment=enrolment, now=timezone.now())
        return written(EnrolmentAnswer(edge_id=edge.pk))


class BootView(EdgeView):
    message = BootRequest

    def answer(self, edge: EdgeIdentity, message: BootRequest, now: Any) -> BootAnswer:
        edges.register_boot(edge=edge, boot=message, now=now)
        return BootAnswer(feed_seconds=settings.FEED_SECONDS, hold_seconds=settings.HOLD_SECONDS)


class JournalKeysView(EdgeView):
    message = JournalKeysRequest

    def answer(self, edge: EdgeIdentity, message: JournalKeysRequest, now: Any) -> JournalKeys:
        return edge_keys.journal_keys(edge_id=edge.id, tenants=edge.tenants, asked=message)


class KeyView(EdgeView):
    message = KeyOffer

    def answer(self, edge: EdgeIdentity, message: KeyOffer, now: Any) -> KeyOfferAnswer:
        return edge_keys.offer(edge_id=edge.id, offered=message)


class AdmissionsView(EdgeView):
    message = AdmissionBatch

    def answer(self, edge: EdgeIdentity, message: AdmissionBatch, now: Any) -> VerdictBatch:
        if len(message.items) > LARGEST_BATCH_ITEMS or len({item.id for item in message.items}) < len(message.items):
            raise MalformedMessage("A batch has at most 64 admissions, each with an id of its own")
        return VerdictBatch(items=tuple(admit(edge=edge, boot_id=message.boot, items=message.items, now=now)))


class OutcomesView(EdgeView):
    message = OutcomeBatch

    def answer(self, edge: EdgeIdentity, message: OutcomeBatch, now: Any) -> OutcomeReceipt:
        # A fenced boot's outcomes are taken too: they are corrections, and losing them would lose the truth.
        return OutcomeReceipt(stored=tuple(outcomes.store_outcomes(edge_id=edge.id, outcomes=message.items, now=now)))


class FeedView(EdgeView):
    message = FeedRequest
    also_revoked = True

    def answer(self, edge: EdgeIdentity, message: FeedRequest, now: Any) -> Message:
        return feed(edge=edge, asked=message, now=now)
