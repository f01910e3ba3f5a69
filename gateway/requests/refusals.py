"""Refusals and other answers of our own, in the client's dialect. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from gateway.problems import Problem
from gateway.requests.problems import ApprovalPending, RefusedByPolicy
from gateway.terms import Decision, Effect, Protocol
from gateway.wire import errors
from gateway.wire.contract import Admission, Answer, Verdict, VerdictKind

S3_DIALECT = "s3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one client must be answered: its protocol, S3's own shape or not, and whether a body may follow."""

    protocol: Protocol
    is_s3: bool
    method: str
    request_id: UUID

    @property
    def name(self) -> str:
        """The one word a request's row keeps."""
        return S3_DIALECT if self.is_s3 else self.protocol.value


def dialect_of(admission: Admission) -> Dialect:
    """Read the dialect from the bytes alone, so that what was never understood is answered too."""
    protocol, is_s3 = errors.guess_protocol(admission.headers, admission.target, admission.method)
    return Dialect(protocol=protocol, is_s3=is_s3, method=admission.method, request_id=admission.id)


def dialect_named(name: str, *, method: str, request_id: UUID) -> Dialect:
    """The dialect a row keeps by name."""
    is_s3 = name == S3_DIALECT
    protocol = Protocol.REST_XML if is_s3 else Protocol(name)
    return Dialect(protocol=protocol, is_s3=is_s3, method=method, request_id=request_id)


# One refusal under the name each protocol's services use for it, so that clients which know the name act on it.
_AS_EXCEPTION = {
    "AccessDenied": "AccessDeniedException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "ExpiredToken": "ExpiredTokenException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
}
_IN_EC2 = {"AccessDenied": "UnauthorizedOperation"}
_IN_S3 = {"InvalidClientTokenId": "InvalidAccessKeyId"}


def _named(code: str, dialect: Dialect) -> str:
    match dialect.protocol:
        case Protocol.JSON | Protocol.REST_JSON | Protocol.CBOR:
            return _AS_EXCEPTION.get(code, code)
        case Protocol.EC2:
            return _IN_EC2.get(code, code)
        case Protocol.REST_XML if dialect.is_s3:
            return _IN_S3.get(code, code)
        case _:
            return code


def answer_in(dialect: Dialect, problem: Problem) -> Answer:
    """Render a problem so that the client's SDK raises it by its code and message."""
    return errors.render(
        dialect.protocol,
        code=_named(problem.aws_code, dialect),
        message=f"hoopweb: {problem.message} (request {dialect.request_id})",
        status=problem.status if 400 <= problem.status < 600 else 403,
        request_id=str(dialect.request_id),
        is_s3=dialect.is_s3,
        method=dialect.method,
    )


def answer_of(problem: Problem, *, admission: Admission) -> Answer:
    """Render a problem for the client that sent this admission."""
    return answer_in(dialect_of(admission), problem)


def refuse(problem: Problem, *, admission: Admission) -> Verdict:
    """The verdict that refuses with this problem."""
    return refuse_in(dialect_of(admission), problem)


def refuse_in(dialect: Dialect, problem: Problem) -> Verdict:
    """The verdict that refuses a call known by its row."""
    return Verdict(id=dialect.request_id, kind=VerdictKind.REFUSE, answer=answer_in(dialect, problem))


def of_decision(decision: Decision) -> Problem:
    """The problem that tells an agent of a deny: advice, never the rule."""
    if decision.effect is not Effect.DENY:
        raise ValueError("only a deny is a refusal")
    return RefusedByPolicy(decision.advice)


def of_refused(decision: Decision) -> Problem:
    """The problem of a call that is not allowed and that people cannot be asked about."""
    return RefusedByPolicy(decision.advice)


def pending(*, admission: Admission, approval_id: UUID, url: str) -> Answer:
    """What a client gets whose call still waits for people: not retried by SDKs, and it says where to look."""
    return answer_of(ApprovalPending(f"Approval {approval_id}: {url}/approvals/{approval_id}/"), admission=admission)
