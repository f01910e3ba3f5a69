"""A job object by object: seen as it goes, stopped amid one, gone on with after a worker's death, and never done twice."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from django.utils import timezone
from pytest_django.fixtures import Settings

from gateway.connections.models import Connection, ConnectionState
from gateway.jobs import scans, services, tasks, work
from gateway.jobs.aws import stopped
from gateway.jobs.models import JobState, MaskingJob
from gateway.jobs.problems import JobDelayed, JobStopped
from gateway.jobs.steps import Page, look_at
from gateway.masking.content import default_scanner
from gateway.tenants.scope import in_tenant
from tests.jobs.working import found, read, scan, told, worked
from tests.requests.standin import Standin

PASSWORD = "correct-horse-battery-9"
KEYS = [f"logs/{number}.env" for number in range(6)]


@pytest.fixture
def bucket(aws: Standin) -> Any:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="progress", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for key in KEYS:
        s3.put_object(Bucket="progress", Key=key, Body=f"DB_PASSWORD={PASSWORD}\n".encode())
    yield "progress"
    for key in KEYS:
        s3.delete_object(Bucket="progress", Key=key)
    s3.delete_bucket(Bucket="progress")


def dies_at(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A worker that is killed as it begins its so-manieth object, once."""
    plain, begun = scans._object, list[str]()

    def dying(s3: Any, bucket: str, key: str, *rest: Any) -> None:
        begun.append(key)
        if len(begun) == count:
            raise KeyboardInterrupt
        plain(s3, bucket, key, *rest)

    monkeypatch.setattr(scans, "_object", dying)


def held(job: MaskingJob) -> tuple[MaskingJob, Any]:
    """The job in a worker's hands, and its lease."""
    lease = uuid4()
    assert work._taken(job.tenant_id, job.pk, lease, timezone.now())
    return read(job), lease


def test_each_object_counts_at_once_and_none_is_read_twice(
    bucket: str, billing_account: Connection, open_policy: None, aws: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = scan(billing_account, what="bucket", bucket=bucket)
    dies_at(monkeypatch, 4)
    with pytest.raises(KeyboardInterrupt):
        work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=timezone.now)
    amid = read(job)
    assert (amid.counts["scanned"], amid.cursor, amid.pages) == (3, {"after": KEYS[2]}, 0)
    assert set(found(job)) == {f"s3://progress/{key}" for key in KEYS[:3]}
    later = timezone.now() + 2 * work.LEASE
    assert not work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=lambda: later)
    done = read(job)
    assert (done.state, done.counts["scanned"], done.counts["secrets"]) == (JobState.DONE, 6, 6)
    seen = [json.loads(line) for line in aws.access_log.read_text().splitlines()]
    asked = [one["path"] for one in seen if f"hoopweb-job/{job.pk}" in one["user_agent"]]
    assert sorted(path for path in asked if "?" not in path) == [f"/progress/{key}" for key in KEYS]


def test_its_events_tell_of_each_object_once(
    bucket: str, billing_account: Connection, open_policy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "OBJECTS_A_PAGE", 4)
    job = scan(billing_account, what="bucket", bucket=bucket)
    dies_at(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=timezone.now)
    later = timezone.now() + 2 * work.LEASE
    work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=lambda: later)
    pages = [what for kind, _, what in told(job) if kind == "job.worked"]
    assert [what.partition(" scanned")[0].rpartition(" ")[2] for what in pages] == ["6"]
    assert told(job)[-1][2].startswith("done:")


def test_a_turn_that_is_over_amid_a_page_goes_on_from_there(
    bucket: str, billing_account: Connection, open_policy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "TURN", timedelta(microseconds=1))
    job = scan(billing_account, what="bucket", bucket=bucket)
    began = timezone.now()
    moments = iter(range(1000))
    # The turn's own time is over once its first object is written.
    assert work.perform(
        tenant_id=job.tenant_id, job_id=job.pk, now=lambda: began + timedelta(microseconds=next(moments) // 4)
    )
    assert read(job).counts["scanned"] in range(1, 6)
    assert read(job).lease is None
    monkeypatch.undo()
    assert worked(job).counts["scanned"] == 6


def test_what_is_read_now_is_told_and_keeps_the_lease(billing_account: Connection) -> None:
    job, lease = held(scan(billing_account, what="table", table="people"))
    began = timezone.now()
    moment = [began]
    heart = work.Heart(job, lease, lambda: moment[0])
    heart.beat("s3://reports/a", 10)
    assert read(job).progress is None
    moment[0] = began + 4 * work.LEASE
    heart.beat("s3://reports/a", 2_000_000)
    assert read(job).progress == {"place": "s3://reports/a", "bytes": 2_000_000}
    assert read(job).lease_until == moment[0] + work.LEASE


@pytest.mark.parametrize("what", ["connection", "tenant", "job", "lease"])
def test_a_beat_amid_an_object_hears_the_kill_switch(billing_account: Connection, what: str) -> None:
    job, lease = held(scan(billing_account, what="table", table="people"))
    heart = work.Heart(job, lease, lambda: timezone.now() + work.BEAT)
    heart._due = timezone.now()
    with in_tenant(job.tenant_id):
        if what == "connection":
            Connection.objects.for_tenant(job.tenant_id).update(state=ConnectionState.SUSPENDED)
        elif what == "tenant":
            type(job.tenant).objects.filter(pk=job.tenant_id).update(is_suspended=True)
        elif what == "job":
            services.cancel(tenant=job.tenant, job_id=job.pk, by_label="olga", now=timezone.now())
        else:
            MaskingJob.objects.for_tenant(job.tenant_id).update(lease=uuid4())
    with pytest.raises(JobStopped if what in ("connection", "tenant") else work.Lost):
        heart.beat("s3://reports/a", 1)


# -- AWS that is busy, and places at which workers die


@pytest.mark.parametrize("code", ["SlowDown", "ThrottlingException", "ProvisionedThroughputExceededException", "503"])
def test_a_busy_aws_is_waited_for(code: str) -> None:
    assert isinstance(stopped(ClientError({"Error": {"Code": code}}, "Scan"), what="the scan"), JobDelayed)


def test_an_aws_that_does_not_answer_is_waited_for() -> None:
    assert isinstance(stopped(ReadTimeoutError(endpoint_url="https://s3"), what="the scan"), JobDelayed)


def test_an_aws_that_says_no_is_not() -> None:
    assert isinstance(stopped(ClientError({"Error": {"Code": "AccessDenied"}}, "Scan"), what="the scan"), JobStopped)


def test_a_busy_aws_delays_the_job_and_ends_it_only_after_many_turns_in_vain(
    billing_account: Connection, open_policy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any) -> Any:
        raise JobDelayed("AWS answered `SlowDown` to the scan")

    monkeypatch.setattr(work, "scan_page", busy)
    job, moment, waits = scan(billing_account, what="table", table="people"), timezone.now(), list[float]()
    while read(job).state in (JobState.QUEUED, JobState.RUNNING):
        now = moment
        assert not work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=lambda: now)  # noqa: B023  # called at once
        until = read(job).lease_until
        if until is not None:
            # Too early: nobody takes it.
            assert not work._taken(job.tenant_id, job.pk, uuid4(), until - timedelta(seconds=1))
            waits.append((until - moment).total_seconds())
            moment = until + timedelta(seconds=1)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    assert read(job).state == JobState.FAILED
    assert "8 times at the same place" in read(job).error


def test_what_was_done_meanwhile_begins_the_count_anew(
    bucket: str, billing_account: Connection, open_policy: None
) -> None:
    job = scan(billing_account, what="bucket", bucket=bucket)
    with in_tenant(job.tenant_id):
        MaskingJob.objects.for_tenant(job.tenant_id).update(tries=work.MOST_TRIES - 1)
    done = worked(job)
    assert (done.state, done.tries) == (JobState.DONE, 0)


def test_one_text_that_cannot_be_read_does_not_end_a_scan() -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    page = Page()
    look_at(page, default_scanner(), deep, "dynamodb:people/a")
    assert (page.counts["unscanned"], page.counts["scanned"], page.findings) == (1, 0, {})


def test_a_large_object_may_take_longer_than_other_tasks(settings: Settings) -> None:
    assert tasks.perform_job.time_limit > 20 * settings.CELERY_TASK_TIME_LIMIT
