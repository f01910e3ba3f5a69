"""Opening an access review and answering its lines. A removal takes effect at once, by the owning room's service.

Who holds what is `holders`; each step is an event. Called inside the tenant's transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from django.db import IntegrityError, transaction

from audit.kinds import EventKind
from audit.services import append
from gateway.identity import devices, standing, workload_rules
from gateway.identity.caller import Caller
from gateway.identity.selectors import members
from gateway.identity.services import revoke_api_key
from gateway.identity.standing import Switch
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from hoopweb.reviews.groups import take_from_group
from hoopweb.reviews.holders import holders
from hoopweb.reviews.lines import Holder
from hoopweb.reviews.models import AccessReview, HolderKind, ReviewAnswer, ReviewItem, ReviewSchedule
from hoopweb.reviews.problems import OwnAccess, ReviewAnswered, ReviewNotFound, ReviewOpenAlready, ReviewReasonRefused

# A month into a quarter, its review should have been begun.
TIME_TO_BEGIN = timedelta(days=30)
LARGEST_REASON = 500
SHORTEST_REASON = 3
REVIEWERS = Right.MEMBERS_SUSPEND


def quarter_of(now: datetime) -> str:
    """The quarter a moment lies in, as `2026-Q4`."""
    return f"{now.year}-Q{(now.month + 2) // 3}"


def beginning_of_quarter(now: datetime) -> datetime:
    return now.replace(month=(now.month - 1) // 3 * 3 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)


@transaction.atomic
def open_review(*, by: Caller, now: datetime) -> AccessReview:
    """Put every right held today before people; raises ReviewOpenAlready when this quarter was begun."""
    by.must(REVIEWERS)
    return begin(by.tenant, by_label=by.label, key=by.api_key.pk if by.api_key else None, now=now)


@transaction.atomic
def begin(tenant: Tenant, *, by_label: str, now: datetime, key: UUID | None = None) -> AccessReview:
    """Open this quarter's review; raises ReviewOpenAlready. Who may is the caller's to say."""
    quarter = quarter_of(now)
    due_at = now + timedelta(days=schedule_of(tenant).days_to_answer)
    try:
        with transaction.atomic():
            review: AccessReview = AccessReview.objects.create(
                tenant=tenant, quarter=quarter, opened_by=by_label, opened_at=now, due_at=due_at
            )
    except IntegrityError:
        raise ReviewOpenAlready from None
    made = ReviewItem.objects.bulk_create(_item(review, holder) for holder in holders(tenant, now))
    data = {"by": by_label, "name": quarter, "count": len(made), "expires_at": due_at.isoformat()}
    if key is not None:
        data["key"] = str(key)
    append(tenant_id=tenant.pk, kind=EventKind.REVIEW_OPENED, at=now, subject=review.pk, data=data)
    return review


def schedule_of(tenant: Tenant) -> ReviewSchedule:
    """The tenant's own schedule, or the usual one."""
    found: ReviewSchedule | None = ReviewSchedule.objects.for_tenant(tenant).first()
    return found or ReviewSchedule(tenant=tenant)


def _item(review: AccessReview, holder: Holder) -> ReviewItem:
    return ReviewItem(
        tenant_id=review.tenant_id,
        review=review,
        kind=holder.kind,
        subject=holder.subject,
        label=holder.label,
        access=holder.access,
        since=holder.since,
        last_used_at=holder.last_used_at,
    )


@transaction.atomic
def answer(
    *, by: Caller, review_id: UUID, item_id: UUID, answer: ReviewAnswer, reason: str, now: datetime
) -> ReviewItem:
    """Keep one line's access, or take it away now. The last answer closes the review.

    Raises ReviewNotFound, ReviewAnswered, ReviewReasonRefused, OwnAccess, and what the removal itself raises.
    """
    by.must(REVIEWERS)
    reason = reason.strip()
    if not SHORTEST_REASON <= len(reason) <= LARGEST_REASON or not reason.isprintable():
        raise ReviewReasonRefused
    review: AccessReview | None = (
        AccessReview.objects.for_tenant(by.tenant).select_for_update(no_key=True).filter(pk=review_id).first()
    )
    item: ReviewItem | None = ReviewItem.objects.for_tenant(by.tenant).filter(review_id=review_id, pk=item_id).first()
    if review is None or item is None:
        raise ReviewNotFound
    if item.answer:
        raise ReviewAnswered
    _must_not_be_own(by, item)
    if answer == ReviewAnswer.REMOVE:
        _remove(by, item, f"access review {review.quarter}: {reason}"[:LARGEST_REASON], now)
    item.answer, item.reason, item.answered_by, item.answered_at = answer, reason, by.label, now
    item.save(update_fields=("answer", "reason", "answered_by", "answered_at"))
    facts = {"name": review.quarter, "what": f"{item.kind} {item.label}", "result": answer.value, "reason": reason}
    _record(by, EventKind.REVIEW_ANSWERED, item.subject, now, **facts)
    _close_if_done(by, review, now)
    return item


def _must_not_be_own(by: Caller, item: ReviewItem) -> None:
    if by.user is None or (item.kind, item.subject) != (HolderKind.MEMBER, by.user.pk):
        return
    others = members(by.tenant).filter(is_active=True).exclude(user=by.user)
    if any(REVIEWERS in one.rights for one in others):
        raise OwnAccess


def _remove(by: Caller, item: ReviewItem, reason: str, now: datetime) -> None:
    tenant, switch = by.tenant, Switch(is_suspended=True, reason=reason)
    match HolderKind(item.kind):
        case HolderKind.MEMBER:
            standing.switch_member(by=by, user_id=item.subject, switch=switch, now=now)
        case HolderKind.API_KEY:
            by.must(Right.API_KEYS_WRITE)
            revoke_api_key(tenant=tenant, key_id=item.subject, by_label=by.label, now=now)
        case HolderKind.SERVICE_ACCOUNT:
            standing.switch_service_account(by=by, account_id=item.subject, switch=switch, now=now)
        case HolderKind.DEVICE:
            by.must(Right.KEYS_REVOKE)
            devices.revoke(tenant=tenant, device_id=item.subject, by=None, by_label=by.label, now=now)
        case HolderKind.WORKLOAD_RULE:
            by.must(Right.AGENTS_WRITE)
            workload_rules.revoke_workload_rule(tenant=tenant, rule_id=item.subject, by_label=by.label, now=now)
        case HolderKind.GROUP:
            take_from_group(by, item.subject, now)
        case unknown:
            assert_never(unknown)


def _close_if_done(by: Caller, review: AccessReview, now: datetime) -> None:
    if ReviewItem.objects.for_tenant(by.tenant).filter(review=review, answer="").exists():
        return
    review.closed_at = now
    review.save(update_fields=("closed_at",))
    _record(by, EventKind.REVIEW_CLOSED, review.pk, now, name=review.quarter)


def _record(by: Caller, kind: EventKind, subject: UUID, now: datetime, **facts: str | int) -> None:
    data = {"by": by.label, **facts}
    if by.api_key is not None:
        data["key"] = str(by.api_key.pk)
    append(tenant_id=by.tenant.pk, kind=kind, at=now, subject=subject, data=data)


def is_overdue(tenant: Tenant, now: datetime) -> bool:
    """Whether a review's time is up, or this quarter's has not been opened a month into it."""
    rows = AccessReview.objects.for_tenant(tenant)
    if rows.filter(closed_at=None, due_at__lte=now).exists():
        return True
    first = max(beginning_of_quarter(now), tenant.created_at)
    return now - first > TIME_TO_BEGIN and not rows.filter(quarter=quarter_of(now)).exists()
