"""What Django says when no view answered: problem+json under /api/, a page elsewhere."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from gateway.problems import Problem
from hoopweb.api import errors
from hoopweb.ui.base import problem_page


class CsrfStale(Problem):
    code = "ui.csrf_refused"
    status = 403
    title = "This form was not sent from this page, or the page was open too long"
    remedy = "Go back, load the page again and send the form once more."


def _answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    if request.path.startswith("/api/"):
        return errors.plain_problem(request, problem)
    return problem_page(request, problem)


def malformed(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, errors.Malformed())


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, CsrfStale())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, errors.NotFound())


def server_error(request: HttpRequest, **_: Any) -> HttpResponse:
    """Our own failure. Django has logged it; the answer never says more than that it is ours."""
    return _answer(request, errors.Unexpected())


def csrf_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW; why it was refused is for the log, which Django has written."""
    return _answer(request, CsrfStale())
