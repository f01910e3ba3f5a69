"""Long-lived keys are an administrator's to allow, and are warned of once before they end, each inside its tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.identity.door_models import AccountSecret
from gateway.identity.ending import WARN_BEFORE, warn
from gateway.identity.models import ApiKey, ServiceAccount, User
from gateway.identity.tasks import warn_of_ending_keys
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right, Role
from gateway.tenants.scope import in_tenant
from tests.api.asking import api_of, is_problem
from tests.identity.test_members import events
from tests.people import api_key_of, member
from tests.ui.browsing import browser_of, page

DAY = timedelta(days=1)


def key_that_ends(tenant: Tenant, user: User | None, *, within: timedelta, made: timedelta) -> ApiKey:
    now = datetime.now(UTC)
    key, _ = api_key_of(tenant, user, Right.AGENTS_READ)
    with in_tenant(tenant):
        ApiKey.objects.for_tenant(tenant).filter(pk=key.pk).update(created_at=now - made, expires_at=now + within)
    return key


def warned(tenant: Tenant) -> int:
    with in_tenant(tenant):
        return warn(tenant_id=tenant.pk, now=datetime.now(UTC))


def test_a_key_near_its_end_is_written_down_once_and_marked(acme: Tenant, alice: User) -> None:
    key = key_that_ends(acme, alice, within=10 * DAY, made=80 * DAY)
    assert (warned(acme), warned(acme)) == (1, 0)
    (event,) = events(acme, "api_key.ending")
    assert (event["data"]["name"], event["data"]["user"]) == ("a test's key", "alice")
    api = api_of(acme, alice, Right.AGENTS_READ)
    (told,) = [one for one in api.get("api-keys/").json()["items"] if one["id"] == str(key.pk)]
    assert told["warned_at"] is not None
    assert "ends soon" in page(browser_of(alice).get("/api-keys/")).text


@pytest.mark.parametrize(
    ("within", "made"),
    [(WARN_BEFORE + DAY, 80 * DAY), (-DAY, 80 * DAY), (timedelta(hours=1), timedelta(0)), (DAY, 10 * DAY)],
)
def test_what_has_time_has_ended_or_was_short_is_not_warned_of(
    acme: Tenant, alice: User, within: timedelta, made: timedelta
) -> None:
    key_that_ends(acme, alice, within=within, made=made)
    assert warned(acme) == 0


def test_a_revoked_key_is_not_warned_of(acme: Tenant, alice: User) -> None:
    key = key_that_ends(acme, alice, within=DAY, made=80 * DAY)
    with in_tenant(acme):
        ApiKey.objects.for_tenant(acme).filter(pk=key.pk).update(revoked_at=datetime.now(UTC))
    assert warned(acme) == 0


def test_client_secrets_are_warned_of_too(acme: Tenant) -> None:
    now = datetime.now(UTC)
    with in_tenant(acme):
        ci = ServiceAccount.objects.create(tenant=acme, name="ci")
        AccountSecret.objects.create(
            tenant=acme, service_account=ci, digest=b"", created_at=now - 80 * DAY, expires_at=now + DAY
        )
    assert warned(acme) == 1
    assert events(acme, "service_account.secret_ending")[0]["data"]["name"] == "ci"


def test_the_task_visits_each_tenant_and_writes_into_its_own_ledger(
    acme: Tenant, globex: Tenant, alice: User, mallory: User
) -> None:
    key_that_ends(acme, alice, within=DAY, made=80 * DAY)
    key_that_ends(globex, mallory, within=DAY, made=80 * DAY)
    assert warn_of_ending_keys() == 2
    assert [one["data"]["user"] for one in events(acme, "api_key.ending")] == ["alice"]
    assert [one["data"]["user"] for one in events(globex, "api_key.ending")] == ["mallory"]


def test_longer_than_ninety_days_is_an_administrators_to_allow(acme: Tenant, alice: User) -> None:
    body = {"name": "cli", "scopes": ["requests:read"], "seconds": int((91 * DAY).total_seconds())}
    hers = browser_of(alice)
    form = {"name": "cli", "scopes": ["requests:read"], "days": "91"}
    assert hers.post("/api-keys/", form).status_code == 403
    assert hers.post("/api-keys/", form | {"days": "90"}).status_code == 200
    admin = browser_of(member(acme, "sam", roles=[Role.SECURITY_ADMIN]))
    assert admin.post("/api/v1/api-keys/", body, content_type="application/json").status_code == 201
    refused = hers.post("/api/v1/api-keys/", body, content_type="application/json")
    assert is_problem(refused, 403, "identity.right_missing")
