"""The access review's pages: this quarter's campaign, its lines with keep and remove, its CSV."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway.identity.caller import Caller
from gateway.tenants.rights import Right
from hoopweb.api.access_reviews import ORDER, csv_answer, one_review
from hoopweb.api.base import record_read
from hoopweb.api.errors import Malformed
from hoopweb.reviews import schedule, services
from hoopweb.reviews.export import items_of
from hoopweb.reviews.models import AccessReview, ReviewAnswer
from hoopweb.ui.base import cursor_of, page, show


@require_http_methods(["GET", "HEAD", "POST"])
@page(Right.MEMBERS_READ, POST=services.REVIEWERS)
def reviews(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Every quarter's review; a POST begins this one's."""
    now = timezone.now()
    if request.method == "POST":
        return _to(services.open_review(by=caller, now=now))
    rows = AccessReview.objects.for_tenant(caller.tenant)
    context = {
        "page": ORDER.page(rows, **cursor_of(request)),
        "quarter": services.quarter_of(now),
        "is_begun": rows.filter(quarter=services.quarter_of(now)).exists(),
        "is_overdue": services.is_overdue(caller.tenant, now),
        "may_answer": services.REVIEWERS in caller.rights,
        "schedule": services.schedule_of(caller.tenant),
        "now": now,
    }
    return show(request, caller, "reviews.html", context, here="access")


@require_POST
@page(services.REVIEWERS)
def schedule_form(request: HttpRequest, caller: Caller) -> HttpResponse:
    """How this tenant's reviews are held."""
    days, reminders = request.POST.get("days", ""), request.POST.get("reminders", "").replace(",", " ").split()
    if not all(text.isascii() and text.isdigit() and len(text) <= 3 for text in (days, *reminders)):
        raise Malformed("Days are numbers")
    schedule.choose_schedule(
        by=caller,
        is_on=request.POST.get("is_on") == "on",
        days_to_answer=int(days),
        remind_days_before=[int(text) for text in reminders],
        now=timezone.now(),
    )
    return HttpResponseRedirect(reverse("ui:reviews"))


def _to(review: AccessReview, line: UUID | None = None) -> HttpResponse:
    place = f"#line-{line}" if line else ""
    return HttpResponseRedirect(reverse("ui:review", kwargs={"review_id": review.pk}) + place)


@require_safe
@page(Right.MEMBERS_READ)
def review(request: HttpRequest, caller: Caller, review_id: UUID) -> HttpResponse:
    found = one_review(caller.tenant, review_id)
    items = items_of(found)
    context = {
        "review": found,
        "items": items,
        "open": sum(1 for item in items if not item.answer),
        "is_overdue": found.closed_at is None and found.due_at <= timezone.now(),
        "may_answer": services.REVIEWERS in caller.rights,
        "longest_reason": services.LARGEST_REASON,
    }
    return show(request, caller, "review.html", context, here="access")


@require_POST
@page(services.REVIEWERS)
def answer(request: HttpRequest, caller: Caller, review_id: UUID, item_id: UUID) -> HttpResponse:
    given = request.POST.get("answer", "")
    if given not in ReviewAnswer.values:
        # Looked up first: a line of nobody is nowhere, whatever was answered to it.
        one_review(caller.tenant, review_id)
        raise Malformed("Choose keep or remove")
    item = services.answer(
        by=caller,
        review_id=review_id,
        item_id=item_id,
        answer=ReviewAnswer(given),
        reason=request.POST.get("reason", ""),
        now=timezone.now(),
    )
    return _to(one_review(caller.tenant, review_id), item.pk)


@require_safe
@page(Right.MEMBERS_READ)
def export(request: HttpRequest, caller: Caller, review_id: UUID) -> HttpResponseBase:
    found = one_review(caller.tenant, review_id)
    answer = csv_answer(found)
    record_read(caller=caller, what="access review, exported", subject=found.pk, now=timezone.now())
    return answer
