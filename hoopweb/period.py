"""Confines a member with a period to its evidence, and lets nobody in whose membership's time is over.

The tables' own policies keep the period (migration `access_reviews`): this only says which one, for one request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from gateway.identity import finding
from gateway.identity.caller import Caller
from gateway.identity.middleware import streamed_within
from gateway.tenants.period import confined
from hoopweb.reviews.problems import MembershipEnded

# Read with each caller: a statement of its own would cost every call a fifth of what knowing the caller does.
BESIDE = finding.Beside(table="hoopweb_evidenceperiod", columns=("since", "until", "ends_at", "id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What a member may see of the evidence, and until when he is one; None is open on that side."""

    since: datetime | None
    until: datetime | None
    ends_at: datetime | None


class PeriodMiddleware:
    """Stands inside `CallerMiddleware`, whose transaction the setting ends with."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        caller: Caller | None = getattr(request, "caller", None)
        period = _period_of(request.caller_row) if caller is not None else None  # type: ignore[attr-defined]
        if caller is None or period is None:
            return self.get_response(request)
        if period.ends_at is not None and period.ends_at <= timezone.now():
            request.caller, request.caller_problem = None, MembershipEnded()  # type: ignore[attr-defined]  # our own attributes
            return self.get_response(request)
        request.evidence_period = period  # type: ignore[attr-defined]
        since, until = _text(period.since), _text(period.until)
        with confined(since, until):
            return streamed_within(self.get_response(request), lambda: confined(since, until))


def _period_of(row: Sequence[Any]) -> Period | None:
    """The period the caller's person is confined to; None for most people, and for keys of nobody."""
    since, until, ends_at, found = row[-len(BESIDE.columns) :]
    return Period(since=since, until=until, ends_at=ends_at) if found is not None else None


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else ""
