"""Confines a member with a period to its evidence, and lets nobody in whose membership's time is over.

The tables' own policies keep the period (migration `access_reviews`): this only says which one, for one request.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from gateway.identity.caller import Caller
from gateway.identity.middleware import streamed_within
from gateway.tenants.period import confined
from gateway.tenants.scope import in_tenant
from hoopweb.reviews.problems import MembershipEnded

_PERIOD = "SELECT since, until, ends_at FROM hoopweb_evidenceperiod WHERE tenant_id = %s AND user_id = %s"


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
        period = period_of(caller) if caller is not None else None
        if caller is None or period is None:
            return self.get_response(request)
        if period.ends_at is not None and period.ends_at <= timezone.now():
            request.caller, request.caller_problem = None, MembershipEnded()  # type: ignore[attr-defined]  # our own attributes
            return self.get_response(request)
        request.evidence_period = period  # type: ignore[attr-defined]
        since, until = _text(period.since), _text(period.until)
        with confined(since, until):
            return streamed_within(self.get_response(request), lambda: confined(since, until))


def period_of(caller: Caller) -> Period | None:
    """The period the caller's person is confined to; None for most people, and for keys of nobody."""
    if caller.user is None:
        return None
    # A view that asks over a network has no transaction around it: whose time is over is shut out there too.
    with nullcontext() if connection.in_atomic_block else in_tenant(caller.tenant), connection.cursor() as cursor:
        # Of every request: the ORM's compiler would take longer than the database.
        cursor.execute(_PERIOD, [caller.tenant.pk, caller.user.pk])
        row = cursor.fetchone()
    return Period(since=row[0], until=row[1], ends_at=row[2]) if row is not None else None


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else ""
