"""An access review as CSV: one line a holder, with the answer given, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import datetime

from hoopweb.reviews.models import AccessReview, ReviewItem

COLUMNS = ("kind", "id", "holder", "access", "since", "last_used", "answer", "reason", "answered_by", "answered_at")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(review: AccessReview) -> str:
    """The review's lines, ordered as its page shows them."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for item in items_of(review):
        writer.writerow(_cell(value) for value in _row(item))
    return out.getvalue()


def items_of(review: AccessReview) -> list[ReviewItem]:
    rows = ReviewItem.objects.for_tenant(review.tenant_id).filter(review=review)
    return list(rows.order_by("kind", "label", "id"))


def _row(item: ReviewItem) -> tuple[object, ...]:
    told = (item.kind, item.subject, item.label, item.access, item.since, item.last_used_at)
    return (*told, item.answer, item.reason, item.answered_by, item.answered_at)


def _cell(value: object) -> str:
    text = value.isoformat() if isinstance(value, datetime) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
