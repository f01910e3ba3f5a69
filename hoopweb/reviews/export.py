"""An access review as CSV: one line a holder, with the answer given, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import QuerySet

from hoopweb.reviews.models import AccessReview, ReviewItem

COLUMNS = ("kind", "id", "holder", "access", "since", "last_used", "answer", "reason", "answered_by", "answered_at")
# Rows fetched at a time.
_AT_ONCE = 500
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(review: AccessReview) -> Iterator[str]:
    """The review's lines, ordered as its page shows them, while they are read: a campaign of thousands fills no memory."""
    yield _line(COLUMNS)
    for item in _rows(review).iterator(chunk_size=_AT_ONCE):
        yield _line(_cell(value) for value in _row(item))


def items_of(review: AccessReview) -> list[ReviewItem]:
    return list(_rows(review))


def _rows(review: AccessReview) -> QuerySet[ReviewItem]:
    rows: QuerySet[ReviewItem] = ReviewItem.objects.for_tenant(review.tenant_id).filter(review=review)
    return rows.order_by("kind", "label", "id")


def _line(values: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()


def _row(item: ReviewItem) -> tuple[object, ...]:
    told = (item.kind, item.subject, item.label, item.access, item.since, item.last_used_at)
    return (*told, item.answer, item.reason, item.answered_by, item.answered_at)


def _cell(value: object) -> str:
    text = value.isoformat() if isinstance(value, datetime) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
