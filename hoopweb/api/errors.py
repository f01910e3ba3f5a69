"""Every failure of the API as problem+json (RFC 9457) with a stable `code`.

Which failures exist is said by the rooms (`gateway.problems.Problem`) and by DRF; this renders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from gateway.engine import PolicyRejected
from gateway.problems import Problem

CONTENT_TYPE = "application/problem+json"


class Malformed(Problem):
    code = "api.malformed"
    status = 400
    title = "The request is not of the form this endpoint takes"
    remedy = "Compare it with /api/docs/."


class TooLarge(Problem):
    code = "api.too_large"
    status = 413
    title = "The body is larger than this endpoint takes"


class NotFound(Problem):
    code = "api.not_found"
    status = 404
    title = "There is nothing here by that name"
    remedy = "It may belong to another tenant, or never have been."


class MethodRefused(Problem):
    code = "api.method_not_allowed"
    status = 405
    title = "This endpoint does not take that method"


class CsrfRefused(Problem):
    code = "api.csrf_refused"
    status = 403
    title = "The browser's session came without its CSRF token"
    remedy = "Send it as `X-CSRFToken`, or use an API key."


class NotAcceptable(Problem):
    code = "api.not_acceptable"
    status = 406
    title = "This endpoint answers in JSON only"


class MediaTypeRefused(Problem):
    code = "api.unsupported_media_type"
    status = 415
    title = "The body must be application/json"


class TooManyRequests(Problem):
    code = "api.throttled"
    status = 429
    title = "Too many requests"
    remedy = "Wait as long as `Retry-After` says."


class Unexpected(Problem):
    code = "internal"
    status = 500
    title = "Something went wrong on our side"
    remedy = "Nothing was changed. Try again; the log of the web process has the cause."


_OF_DRF: dict[type[exceptions.APIException], type[Problem]] = {
    exceptions.ValidationError: Malformed,
    exceptions.ParseError: Malformed,
    exceptions.NotFound: NotFound,
    exceptions.MethodNotAllowed: MethodRefused,
    exceptions.NotAcceptable: NotAcceptable,
    exceptions.UnsupportedMediaType: MediaTypeRefused,
    exceptions.Throttled: TooManyRequests,
    # CallerAuthentication raises it for the one reason it can: a session without its token.
    exceptions.PermissionDenied: CsrfRefused,
}


def body_of(problem: Problem, *, errors: Any = None) -> dict[str, Any]:
    """Return the members of RFC 9457 plus `code`, `remedy`, and `errors` by field where there are any."""
    body: dict[str, Any] = {
        "type": f"urn:hoopweb:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail or problem.title,
    }
    if problem.remedy:
        body["remedy"] = problem.remedy
    if errors:
        body["errors"] = errors
    return body


def nothing_changes(request: HttpRequest) -> None:
    """Roll the caller's transaction back: what ends in an error has changed nothing. No query may follow."""
    # Without a caller there is no transaction of ours around the request (see CallerMiddleware).
    caller = getattr(request, "caller", None) or getattr(request, "device_caller", None)
    if caller is not None and connection.in_atomic_block:
        transaction.set_rollback(True)


def _headers(problem: Problem) -> dict[str, str]:
    return {"WWW-Authenticate": 'Bearer realm="hoopweb"'} if problem.status == 401 else {}


def _answer(problem: Problem, *, errors: Any = None, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        body_of(problem, errors=errors),
        status=problem.status,
        headers={**_headers(problem), **(headers or {})},
        content_type=CONTENT_TYPE,
    )


def refused(problem: Problem) -> Response:
    """A problem as an answer whose transaction is kept: for refusals that are themselves a finding."""
    return _answer(problem)


def _of_drf(error: exceptions.APIException) -> Response:
    kind = next((to for of, to in _OF_DRF.items() if isinstance(error, of)), Unexpected)
    errors = error.detail if isinstance(error, exceptions.ValidationError) else None
    detail = "" if errors else str(error.detail)
    # Only DRF's Throttled says how long.
    wait = getattr(error, "wait", None)
    return _answer(kind(detail), errors=errors, headers={"Retry-After": str(int(wait))} if wait else None)


def problem_json(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler. What it does not know goes on to Django, which logs it (see `server_error`)."""
    answer = _told(error)
    if answer is not None:
        nothing_changes(context["request"]._request)
    return answer


def _told(error: Exception) -> Response | None:
    match error:
        case PolicyRejected():
            return _answer(error, errors=[asdict(fault) for fault in error.faults])
        case Problem():
            return _answer(error)
        case exceptions.APIException():
            return _of_drf(error)
        case Http404():
            return _answer(NotFound())
        case PermissionDenied():
            return _answer(CsrfRefused(str(error)))
        case RequestDataTooBig():
            return _answer(TooLarge())
        case SuspiciousOperation():
            return _answer(Malformed())
    return None


def plain_problem(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The same answer where no DRF view was reached: unknown paths, refused hosts, our own failures."""
    nothing_changes(request)
    return JsonResponse(body_of(problem), status=problem.status, headers=_headers(problem), content_type=CONTENT_TYPE)
