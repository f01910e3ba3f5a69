"""The masking jobs' pages: started by form, watched, cancelled; readers only look."""

from __future__ import annotations

import pytest
from django.utils import timezone

from gateway.connections.models import Connection
from gateway.identity.models import User
from gateway.jobs import services, tasks, work
from gateway.jobs.models import MaskingJob
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Role
from gateway.tenants.scope import in_tenant
from tests.people import member
from tests.ui.browsing import browser_of, page

SCAN = {"kind": "scan", "what": "bucket", "bucket": "reports", "prefix": "", "percent": "10", "reason": "an audit"}


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "queue", lambda *given: None)


@pytest.fixture
def admin(acme: Tenant) -> User:
    return member(acme, "olga", roles=[Role.SECURITY_ADMIN])


def test_a_scan_is_started_watched_and_cancelled(acme: Tenant, admin: User, billing_account: Connection) -> None:
    client = browser_of(admin)
    assert billing_account.name in client.get("/masking-jobs/").content.decode()
    made = client.post("/masking-jobs/", SCAN | {"connection": str(billing_account.pk)})
    assert made.status_code == 302
    path = made.headers["Location"]
    text = page(client.get(path)).text
    assert "s3://reports/, 10 % of the objects" in text
    assert "Nothing yet." in text
    assert client.post(path).status_code == 302
    assert "cancelled" in page(client.get(path)).text
    assert "cancelled" in page(client.get("/masking-jobs/")).text


def test_what_a_job_did_is_shown(acme: Tenant, admin: User) -> None:
    with in_tenant(acme):
        job = services.start_remask(tenant=acme, by_label="olga", reason="", now=timezone.now())
    work.perform(tenant_id=acme.pk, job_id=job.pk, now=timezone.now)
    text = page(browser_of(admin).get(f"/masking-jobs/{job.pk}/")).text
    assert "done" in text
    assert job.rules in text


@pytest.mark.parametrize(
    "changed",
    [{"percent": "0"}, {"percent": "many"}, {"connection": "none"}, {"kind": "burn"}, {"bucket": "Not One"}],
)
def test_what_cannot_be_is_told_and_starts_nothing(
    acme: Tenant, admin: User, billing_account: Connection, changed: dict[str, str]
) -> None:
    answer = browser_of(admin).post("/masking-jobs/", SCAN | {"connection": str(billing_account.pk)} | changed)
    assert answer.status_code == 400
    with in_tenant(acme):
        assert not MaskingJob.objects.for_tenant(acme).exists()


def test_a_reader_looks_and_starts_nothing(acme: Tenant) -> None:
    client = browser_of(member(acme, "ada", roles=[Role.AUDITOR]))
    assert "Make a masked copy" not in client.get("/masking-jobs/").content.decode()
    assert client.post("/masking-jobs/", {"kind": "remask"}).status_code == 403


def test_what_is_being_read_is_shown_while_it_is(acme: Tenant, admin: User) -> None:
    with in_tenant(acme):
        job = services.start_remask(tenant=acme, by_label="olga", reason="", now=timezone.now())
        place = {"place": "s3://reports/<b>large</b>.json", "bytes": 3 * 1024 * 1024}
        MaskingJob.objects.for_tenant(acme).update(progress=place, counts={"scanned": 41})
    text = page(browser_of(admin).get(f"/masking-jobs/{job.pk}/")).text
    assert "s3://reports/<b>large</b>.json" in text
    assert "3.0\xa0MB" in text
    assert "41" in text
    work.perform(tenant_id=acme.pk, job_id=job.pk, now=timezone.now)
    assert "large" not in page(browser_of(admin).get(f"/masking-jobs/{job.pk}/")).text
