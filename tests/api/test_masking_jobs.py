"""`/masking-jobs/`: started, watched and cancelled over REST, by who may."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.connections.models import Connection
from gateway.jobs import tasks
from gateway.tenants.models import Tenant
from gateway.tenants.rights import RIGHTS_OF, Right, Role
from tests.api.asking import Api, api_of, is_problem

SCAN = {"what": "bucket", "bucket": "reports", "prefix": "2026/", "percent": 10, "reason": "before the audit"}


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    queued: list[Any] = []
    monkeypatch.setattr(tasks, "queue", lambda *given: queued.append(given))
    return queued


@pytest.fixture
def admin(acme: Tenant) -> Api:
    return api_of(acme, None, Right.POLICIES_READ, Right.JOBS_RUN)


def test_a_scan_is_started_read_and_cancelled(admin: Api, billing_account: Connection) -> None:
    made = admin.post("masking-jobs/scans/", SCAN | {"connection": str(billing_account.pk)})
    assert made.status_code == 201, made.content
    job = made.json()
    assert (job["kind"], job["state"], job["reason"]) == ("scan", "queued", "before the audit")
    assert job["about"] == "s3://reports/2026/, 10 % of the objects"
    assert (job["progress"], job["counts"]) == (None, {})
    assert admin.get("masking-jobs/").json()["items"] == [job]
    path = f"masking-jobs/{job['id']}/"
    assert admin.get(path).json() == job
    assert admin.get(f"{path}findings/").json()["items"] == []
    assert admin.delete(path).json()["state"] == "cancelled"
    assert is_problem(admin.delete(path), 409, "job.over")


def test_a_copy_and_a_remask_are_started(admin: Api, billing_account: Connection) -> None:
    places = {"bucket": "ledger", "prefix": "raw/", "to_bucket": "shared", "to_prefix": "masked/"}
    copy = admin.post("masking-jobs/copies/", places | {"connection": str(billing_account.pk)})
    assert copy.json()["about"] == "s3://ledger/raw/ to s3://shared/masked/"
    remask = admin.post("masking-jobs/remasks/", {})
    assert (remask.status_code, remask.json()["kind"], remask.json()["connection"]) == (201, "remask", None)


def test_a_target_that_cannot_be_is_refused(admin: Api, billing_account: Connection) -> None:
    body = SCAN | {"connection": str(billing_account.pk), "prefix": "a*"}
    assert is_problem(admin.post("masking-jobs/scans/", body), 400, "job.refused")


def test_a_secret_in_the_reason_is_not_kept(admin: Api) -> None:
    made = admin.post("masking-jobs/remasks/", {"reason": "since password=correct-horse-battery-9 leaked"}).json()
    assert "correct-horse" not in made["reason"]


def test_a_neighbours_connection_and_jobs_are_nowhere(admin: Api, billing_account: Connection, globex: Tenant) -> None:
    other = api_of(globex, None, Right.POLICIES_READ, Right.JOBS_RUN)
    assert other.post("masking-jobs/scans/", SCAN | {"connection": str(billing_account.pk)}).status_code == 404
    job = admin.post("masking-jobs/remasks/", {}).json()
    for answer in (
        other.get(f"masking-jobs/{job['id']}/"),
        other.get(f"masking-jobs/{job['id']}/findings/"),
        other.delete(f"masking-jobs/{job['id']}/"),
    ):
        assert is_problem(answer, 404, "job.unknown")


def test_who_only_reads_starts_nothing(acme: Tenant, billing_account: Connection) -> None:
    reader = api_of(acme, None, Right.POLICIES_READ)
    assert reader.get("masking-jobs/").status_code == 200
    for path in ("remasks", "scans", "copies"):
        assert reader.post(f"masking-jobs/{path}/", {}).status_code == 403
    assert {role for role in Role if Right.JOBS_RUN in RIGHTS_OF[role]} == {Role.OWNER, Role.SECURITY_ADMIN}
