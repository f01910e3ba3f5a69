"""How fresh a human proof must be is the tenant's to set, by whom it concerns, and each change is an event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.identity.proof import is_fresh
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right
from gateway.tenants.scope import in_tenant
from tests.api.asking import Api, api_of, is_problem
from tests.identity.test_members import events


@pytest.fixture
def owner(acme: Tenant) -> Api:
    return api_of(acme, None, Right.PROVIDERS_WRITE, Right.SESSIONS_READ)


def test_the_minutes_are_set_count_at_once_and_leave_an_event(acme: Tenant, owner: Api) -> None:
    assert owner.get("human-proof/").json() == {"minutes": 15}
    assert owner.patch("human-proof/", {"minutes": 5}).json() == {"minutes": 5}
    with in_tenant(acme):
        acme.refresh_from_db()
    now = timezone.now()
    assert is_fresh(acme, now - timedelta(minutes=5), now)
    assert not is_fresh(acme, now - timedelta(minutes=5, seconds=1), now)
    assert [one["data"]["result"] for one in events(acme, "tenant.changed")] == ["5 minutes, before: 15"]


@pytest.mark.parametrize("body", [{"minutes": 0}, {"minutes": 721}, {"minutes": "x"}, {}, {"minutes": 5, "x": 1}])
def test_what_is_no_number_of_minutes_is_refused(acme: Tenant, owner: Api, body: dict[str, Any]) -> None:
    assert is_problem(owner.patch("human-proof/", body), 400, "api.malformed")
    assert events(acme, "tenant.changed") == []


def test_who_may_read_may_not_set(acme: Tenant) -> None:
    reader = api_of(acme, None, Right.SESSIONS_READ)
    assert is_problem(reader.patch("human-proof/", {"minutes": 60}), 403, "identity.right_missing")


def test_one_tenants_minutes_are_no_others(owner: Api, globex: Tenant) -> None:
    owner.patch("human-proof/", {"minutes": 5})
    assert api_of(globex, None, Right.SESSIONS_READ).get("human-proof/").json() == {"minutes": 15}
