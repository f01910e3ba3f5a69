"""Reviews by the calendar: begun each quarter, reminded of before they are due, and told of when they are overdue.

Telling is the notices' matter: each step is an event they follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity.caller import Caller
from gateway.tenants.models import Tenant
from hoopweb.reviews.models import AccessReview, ReviewItem, ReviewSchedule
from hoopweb.reviews.problems import ReviewOpenAlready, ScheduleRefused
from hoopweb.reviews.services import REVIEWERS, begin, beginning_of_quarter, quarter_of, schedule_of

BY = "schedule"
FEWEST_DAYS, MOST_DAYS, MOST_REMINDERS = 7, 60, 5
# A tenant made amid a quarter has its first review after so long: on its first day there is nothing to look at.
SETTLING = timedelta(days=14)
# What is overdue is told again each week.
OVERDUE_EVERY = timedelta(days=7)


@transaction.atomic
def choose_schedule(
    *, by: Caller, is_on: bool, days_to_answer: int, remind_days_before: Sequence[int], now: datetime
) -> ReviewSchedule:
    """Set how the tenant's reviews are held, and leave an event; raises ScheduleRefused."""
    by.must(REVIEWERS)
    days = sorted(set(remind_days_before), reverse=True)
    is_fit = FEWEST_DAYS <= days_to_answer <= MOST_DAYS and len(days) <= MOST_REMINDERS
    if not is_fit or any(not 0 < one < days_to_answer for one in days):
        raise ScheduleRefused
    values = {"is_on": is_on, "days_to_answer": days_to_answer, "remind_days_before": days}
    made: ReviewSchedule = ReviewSchedule.objects.update_or_create(tenant=by.tenant, defaults=values)[0]
    told = f"{'each quarter' if is_on else 'by hand'}, {days_to_answer} days, reminded {days} days before"
    data = {"by": by.label, "what": "access reviews", "result": told}
    append(tenant_id=by.tenant.pk, kind=EventKind.TENANT_CHANGED, at=now, subject=by.tenant.pk, data=data)
    return made


@transaction.atomic
def keep(tenant: Tenant, now: datetime) -> int:
    """Begin, remind of and tell of what is due now; returns how many steps. Inside the tenant's transaction."""
    schedule, steps = schedule_of(tenant), 0
    if schedule.is_on and not tenant.is_suspended and _is_to_begin(tenant, now):
        try:
            begin(tenant, by_label=BY, now=now)
            steps += 1
        except ReviewOpenAlready:
            # Somebody began it this very moment.
            return steps
    rows = AccessReview.objects.for_tenant(tenant).filter(closed_at=None)
    for review in rows.select_for_update(no_key=True, skip_locked=True).order_by("opened_at"):
        steps += _remind(review, schedule, now)
    return steps


def _is_to_begin(tenant: Tenant, now: datetime) -> bool:
    begun = beginning_of_quarter(now)
    first = begun if tenant.created_at <= begun else tenant.created_at + SETTLING
    return now >= first and not AccessReview.objects.for_tenant(tenant).filter(quarter=quarter_of(now)).exists()


def _remind(review: AccessReview, schedule: ReviewSchedule, now: datetime) -> int:
    moment = _last_moment(review, schedule, now)
    if moment is None or (review.reminded_at is not None and review.reminded_at >= moment):
        return 0
    review.reminded_at = now
    review.save(update_fields=("reminded_at",))
    unanswered = ReviewItem.objects.for_tenant(review.tenant_id).filter(review=review, answer="").count()
    kind = EventKind.REVIEW_OVERDUE if now >= review.due_at else EventKind.REVIEW_REMINDED
    data = {"name": review.quarter, "count": unanswered, "expires_at": review.due_at.isoformat()}
    append(tenant_id=review.tenant_id, kind=kind, at=now, subject=review.pk, data=data)
    return 1


def _last_moment(review: AccessReview, schedule: ReviewSchedule, now: datetime) -> datetime | None:
    """The last moment that has come at which people are to be told; one before the review's opening is none."""
    if now >= review.due_at:
        return review.due_at + (now - review.due_at) // OVERDUE_EVERY * OVERDUE_EVERY
    moments = [review.due_at - timedelta(days=days) for days in schedule.remind_days_before]
    return max((moment for moment in moments if review.opened_at < moment <= now), default=None)
