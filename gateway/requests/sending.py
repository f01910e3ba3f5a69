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
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError

from gateway.masking.masker import BodyMasker, End, Withheld, open_body
from gateway.problems import Problem
from gateway.requests.problems import ResultWithheld, RunFailed
from gateway.requests.refusals import answer_in, dialect_named
from gateway.terms import OutcomeKind, Protocol
from gateway.wire.contract import LARGEST_RECORDED_HEAD, Answer, MaskPlan, Outcome, Upstream

CONNECT_SECONDS = 10.0
# Longer than AWS takes for any call that is not a stream, shorter than a run's lease.
READ_SECONDS = 70.0
_CHUNK = 64 * 1024
_pool = urllib3.PoolManager(
    num_pools=8, maxsize=4, retries=False, timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
)


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
    bytes_up: int
    bytes_down: int = 0
    status: int | None = None
    aws_request_id: str = ""


def send(upstream: Upstream, body: bytes, *, plan: MaskPlan, request_id: UUID, salt: bytes) -> Sent:
    """Send once and mask what comes back. Whatever goes wrong, the outcome says what may have happened."""
    attempt = _Attempt(
        request_id=request_id,
        plan=plan,
        method=upstream.method,
        started_at=time.time(),
        request_commitment=hmac.new(salt, body, hashlib.sha256).hexdigest(),
        response=hmac.new(salt, b"", hashlib.sha256),
        bytes_up=len(body),
    )
    scheme = "https" if upstream.is_tls else "http"
    address = f"{scheme}://{upstream.dial_host}:{upstream.dial_port}"
    headers = [(name, value) for name, value in upstream.headers if name.lower() != "content-length"]
    try:
        response = _pool.urlopen(
            upstream.method,
            f"{address}{upstream.target}",
            body=body,
            headers=urllib3.HTTPHeaderDict([*headers, ("content-length", str(len(body)))]),
            preload_content=False,
            decode_content=False,
            redirect=False,
            retries=False,
        )
        return _received(attempt, response)
    except (NewConnectionError, MaxRetryError) as error:
        # No connection, so no byte: the call did not run.
        return _failed(attempt, OutcomeKind.NOT_SENT, "upstream.unreachable", type(error).__name__)
    except (HTTPError, OSError) as error:
        return _failed(attempt, OutcomeKind.AMBIGUOUS, "upstream.lost", type(error).__name__)


def _received(attempt: _Attempt, response: urllib3.BaseHTTPResponse) -> Sent:
    headers = tuple((name.lower(), value) for name, value in response.headers.items())
    found = dict(headers)
    attempt.status = response.status
    attempt.aws_request_id = found.get("x-amzn-requestid") or found.get("x-amz-request-id") or ""
    masker = open_body(response.status, headers, attempt.plan, method=attempt.method)
    end = _masked(attempt, masker, response) if isinstance(masker, BodyMasker) else masker
    if isinstance(end, Withheld):
        # What was not read must not be read later as another call's answer.
        response.close()
        return _withheld(attempt)
    response.release_conn()
    return _completed(attempt, response.status, end)


def _masked(attempt: _Attempt, masker: BodyMasker, response: urllib3.BaseHTTPResponse) -> End | Withheld:
    parts = []
    for chunk in response.stream(_CHUNK, decode_content=False):
        attempt.response.update(chunk)
        attempt.bytes_down += len(chunk)
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
        masked_by_type=dict(report.masked_by_type),
        masked_by_rule=dict(report.masked_by_rule),
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
