"""A post whose answer was lost is sent again, and people may have answered meanwhile: the client hears what they said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from approvals.services import expire_due
from gateway.requests import settle
from gateway.requests.problems import ApprovalLapsed, ApprovalRefused
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import Verdict, VerdictKind
from tests.requests.asking import Asking
from tests.requests.world import kinds_of

NOW = datetime.now(UTC)


def told(verdict: Verdict) -> str:
    assert verdict.kind is VerdictKind.REFUSE
    assert verdict.answer is not None
    return verdict.answer.body.decode()


def test_refused_between_the_two_posts_is_told_as_refused(asking: Asking, acme: Tenant) -> None:
    item = asking.terminate()
    approval = asking.hold(item)
    asking.answer(approval, "refuse")
    assert settle.end_unanswerable(tenant_id=acme.pk, now=NOW) == 1
    before = kinds_of(acme, item)
    assert ApprovalRefused.title in told(asking.edge.admit_one(item))
    assert kinds_of(acme, item) == before


@pytest.mark.parametrize("posts", [2, 3])
def test_however_often_it_is_sent_again(asking: Asking, acme: Tenant, posts: int) -> None:
    item = asking.terminate()
    asking.answer(asking.hold(item), "refuse")
    settle.end_unanswerable(tenant_id=acme.pk, now=NOW)
    assert all(ApprovalRefused.title in told(asking.edge.admit_one(item)) for _ in range(posts))


def test_lapsed_between_the_two_posts_is_told_as_lapsed(asking: Asking, acme: Tenant) -> None:
    item = asking.terminate()
    asking.hold(item)
    later = NOW + timedelta(hours=2)
    with in_tenant(acme):
        expire_due(tenant_id=acme.pk, now=later)
    settle.end_unanswerable(tenant_id=acme.pk, now=later)
    assert ApprovalLapsed.title in told(asking.edge.admit_one(item))
