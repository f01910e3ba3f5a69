"""Sending one approved call from a worker: raw HTTP, no retry, masked before it is kept.

The edge sends everything else; both mask by the same plan and report the same outcome.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import urllib3
from django.conf import settings
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from gateway.masking.bodies import BodyMasker, End, Withheld
from gateway.masking.content import wanted_by
from gateway.masking.masker import open_body
from gateway.names.model import BadModel
from gateway.names.reader import Reader, shared_reader
from gateway.problems import Problem
from gateway.requests.problems import NamesUnread, ResultWithheld, RunFailed
from gateway.requests.refusals import answer_in, dialect_named
from gateway.terms import OutcomeKind, Protocol
from gateway.wire.contract import LARGEST_RECORDED_HEAD, Answer, MaskPlan, Outcome, Upstream

CONNECT_SECONDS = 10.0
# Longer than AWS takes for any call that is not a stream, shorter than a run's lease.
READ_SECONDS = 70.0
# A server that sends a byte now and then does not keep a worker: below Celery's own limit for the task.
ANSWER_SECONDS = 150.0
# A result is kept, sealed, and handed over in one message; past this it is withheld, and the outcome says so.
LARGEST_RESULT = 10 * 1024 * 1024
_CHUNK = 64 * 1024
_TIMEOUT = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)


class TooSlow(OSError):
    """The answer is not whole after all the time it may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of one send: the masked answer for the client, and the outcome for the record."""

    answer: Answer
    outcome: Outcome
    ended_at: datetime


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One send under way."""

    request_id: UUID
    plan: MaskPlan
    method: str
    started_at: float
    request_commitment: str
    response: hmac.HMAC
    salt: bytes
    bytes_up: int
    bytes_down: int = 0
    status: int | None = None
    aws_request_id: str = ""


def _names_reader() -> Reader | None:
    return shared_reader(settings.NAMES_MODEL, settings.NAMES_MODEL_DIGEST)


def must_read_names(plan: MaskPlan) -> None:
    """Have the model loaded where the answer will need it: it takes seconds. Raises NamesUnread where there is none."""
    if not wanted_by(plan).asks_for_people:
        return
    reader = _names_reader()
    if reader is None:
        raise NamesUnread
    try:
        reader.start()
    except BadModel as error:
        raise NamesUnread(str(error)) from None


def send(upstream: Upstream, body: bytes, *, plan: MaskPlan, request_id: UUID, salt: bytes) -> Sent:
    """Send once and mask what comes back. Whatever goes wrong, the outcome says what may have happened."""
    attempt = _Attempt(
        request_id=request_id,
        plan=plan,
        method=upstream.method,
        started_at=time.time(),
        request_commitment=hmac.new(salt, body, hashlib.sha256).hexdigest(),
        response=hmac.new(salt, b"", hashlib.sha256),
        salt=salt,
        bytes_up=len(body),
    )
    # A connection for this call alone: one kept from before may have been closed by now, and a call that dies with it
    # would end as ambiguous for no reason of its own.
    kind = urllib3.HTTPSConnectionPool if upstream.is_tls else urllib3.HTTPConnectionPool
    try:
        with kind(upstream.dial_host, upstream.dial_port, maxsize=1, retries=False, timeout=_TIMEOUT) as pool:
            return _received(attempt, _asked(pool, upstream, body))
    except (NewConnectionError, ConnectTimeoutError) as error:
        # No connection, so no byte: the call did not run.
        return _failed(attempt, OutcomeKind.NOT_SENT, "upstream.unreachable", type(error).__name__)
    except (HTTPError, OSError) as error:
        # An answer that began says that the call arrived; without one nobody can tell.
        kind_of_end = OutcomeKind.AMBIGUOUS if attempt.status is None else OutcomeKind.FAILED
        return _failed(attempt, kind_of_end, "upstream.lost", type(error).__name__)


def _asked(pool: urllib3.HTTPConnectionPool, upstream: Upstream, body: bytes) -> urllib3.BaseHTTPResponse:
    headers = [(name, value) for name, value in upstream.headers if name.lower() != "content-length"]
    # As the edge frames it: a GET or HEAD without a body says nothing of its length.
    framing = [("content-length", str(len(body)))] if body or upstream.method in ("POST", "PUT") else []
    return pool.urlopen(
        upstream.method,
        upstream.target,
        body=body or None,
        headers=urllib3.HTTPHeaderDict([*headers, *framing]),
        preload_content=False,
        decode_content=False,
        redirect=False,
        retries=False,
        assert_same_host=False,
    )


def _received(attempt: _Attempt, response: urllib3.BaseHTTPResponse) -> Sent:
    headers = tuple((name.lower(), value) for name, value in response.headers.items())
    found = dict(headers)
    attempt.status = response.status
    attempt.aws_request_id = found.get("x-amzn-requestid") or found.get("x-amz-request-id") or ""
    plan, salt = attempt.plan, attempt.salt
    masker = open_body(response.status, headers, plan, method=attempt.method, salt=salt, names=_names_reader())
    end = _masked(attempt, masker, response) if isinstance(masker, BodyMasker) else masker
    response.close()
    return _withheld(attempt) if end is None or isinstance(end, Withheld) else _completed(attempt, response.status, end)


def _masked(attempt: _Attempt, masker: BodyMasker, response: urllib3.BaseHTTPResponse) -> End | Withheld | None:
    """Read and mask the whole body; None where it is more than is kept."""
    parts = []
    for chunk in response.stream(_CHUNK, decode_content=False):
        attempt.response.update(chunk)
        attempt.bytes_down += len(chunk)
        if attempt.bytes_down > LARGEST_RESULT:
            return None
        if time.time() - attempt.started_at > ANSWER_SECONDS:
            raise TooSlow
        part = masker.feed(chunk)
        if isinstance(part, Withheld):
            return part
        parts.append(part)
    end = masker.finish()
    if isinstance(end, Withheld):
        return end
    return End(headers=end.headers, body=b"".join((*parts, end.body)), report=end.report)


def _completed(attempt: _Attempt, status: int, end: End) -> Sent:
    content_type = {name.lower(): value for name, value in end.headers}.get("content-type", "")
    report = end.report
    outcome = msgspec.structs.replace(
        _outcome(attempt, OutcomeKind.COMPLETED, ""),
        bytes_scanned=report.bytes_scanned,
        bytes_unscanned=report.bytes_unscanned,
        bytes_unread=report.bytes_unread,
        masked_by_type=dict(report.masked_by_type),
        masked_by_rule=dict(report.masked_by_rule),
        masked_values=report.values,
        mask_rules=report.rules,
        response_commitment=attempt.response.hexdigest(),
        content_type=content_type,
        head=end.body[:LARGEST_RECORDED_HEAD],
        head_is_whole=len(end.body) <= LARGEST_RECORDED_HEAD,
    )
    return _sent(outcome, Answer(status=status, headers=tuple(end.headers), body=end.body))


def _withheld(attempt: _Attempt) -> Sent:
    outcome = _outcome(attempt, OutcomeKind.COMPLETED, ResultWithheld.code)
    return _sent(outcome, _answer(attempt, ResultWithheld()))


def _failed(attempt: _Attempt, kind: OutcomeKind, error: str, what: str) -> Sent:
    detail = f"Nothing was sent ({what})" if kind is OutcomeKind.NOT_SENT else f"It may have run ({what})"
    return _sent(_outcome(attempt, kind, error), _answer(attempt, RunFailed(detail)))


def _outcome(attempt: _Attempt, kind: OutcomeKind, error: str) -> Outcome:
    return Outcome(
        id=attempt.request_id,
        kind=kind,
        ended_at=time.time(),
        started_at=attempt.started_at,
        status=attempt.status,
        aws_request_id=attempt.aws_request_id,
        error=error,
        bytes_up=attempt.bytes_up,
        bytes_down=attempt.bytes_down,
        request_commitment=attempt.request_commitment,
    )


def _answer(attempt: _Attempt, problem: Problem) -> Answer:
    name = "s3" if attempt.plan.s3_errors else Protocol(attempt.plan.protocol).value
    return answer_in(dialect_named(name, method=attempt.method, request_id=attempt.request_id), problem)


def _sent(outcome: Outcome, answer: Answer) -> Sent:
    return Sent(answer=answer, outcome=outcome, ended_at=datetime.fromtimestamp(outcome.ended_at, tz=UTC))
