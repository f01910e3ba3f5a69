"""A scan tells where secrets lie in a bucket, a table or a log group: places, types and counts, never a value."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest
from django.utils import timezone

from gateway.connections.models import Connection, ConnectionState
from gateway.jobs import scans, services, work
from gateway.jobs.models import JobFinding, JobState
from gateway.jobs.problems import JobRefused
from gateway.policy import detectors
from gateway.tenants.scope import in_tenant
from tests.jobs.working import found, read, scan, told, worked
from tests.requests.standin import Standin
from tests.requests.world import EVERYTHING, publish_text

PASSWORD = "correct-horse-battery-9"
CONFIG = f"DB_PASSWORD={PASSWORD}\nDB_HOST=db.internal\n"


@pytest.fixture
def bucket(aws: Standin) -> str:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="scanned", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for key, body in {
        "config/app.env": CONFIG.encode(),
        "config/plain.txt": b"nothing here\n",
        "packed.json.gz": gzip.compress(json.dumps({"password": PASSWORD}).encode()),
        "logo.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        f"names/{'ghp_' + 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'}.txt": b"see the name",
    }.items():
        s3.put_object(Bucket="scanned", Key=key, Body=body)
    return "scanned"


@pytest.fixture(autouse=True)
def _emptied(aws: Standin) -> Any:
    yield
    s3 = aws.client("s3")
    for name in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        for one in s3.list_objects_v2(Bucket=name).get("Contents", ()):
            s3.delete_object(Bucket=name, Key=one["Key"])
        s3.delete_bucket(Bucket=name)


def test_a_bucket_is_reported_by_object_and_type(bucket: str, billing_account: Connection, open_policy: None) -> None:
    job = worked(scan(billing_account, what="bucket", bucket=bucket))
    assert (job.state, job.error) == (JobState.DONE, "")
    assert found(job) == {
        "s3://scanned/config/app.env": {"password": 1},
        "s3://scanned/packed.json.gz": {"password": 1},
    }
    assert (job.counts["seen"], job.counts["scanned"], job.counts["unscanned"], job.counts["secrets"]) == (5, 4, 1, 2)


def test_the_system_is_its_principal_and_no_value_is_kept(
    bucket: str, billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    job = worked(scan(billing_account, what="bucket", bucket=bucket))
    kinds = told(job)
    assert [(kind, by) for kind, by, _ in kinds] == [
        ("job.started", "olga"),
        ("job.worked", "system"),
        ("job.ended", "system"),
    ]
    kept = json.dumps([kinds, job.target, job.counts, found(job)])
    assert PASSWORD not in kept
    assert "ghp_" not in kept
    seen = [json.loads(line) for line in aws.access_log.read_text().splitlines()]
    ours = [one for one in seen if f"hoopweb-job/{job.pk}" in one["user_agent"]]
    assert {one["path"].partition("?")[0] for one in ours} >= {"/scanned", "/scanned/config/app.env"}
    assert all(one["has_session_token"] for one in ours)


def test_a_prefix_and_a_sample_are_kept_to(bucket: str, billing_account: Connection, open_policy: None) -> None:
    job = worked(scan(billing_account, what="bucket", bucket=bucket, prefix="config/"))
    assert set(found(job)) == {"s3://scanned/config/app.env"}
    assert job.counts["seen"] == 2
    half = worked(scan(billing_account, what="bucket", bucket=bucket, percent=50))
    assert half.counts["not_sampled"] + half.counts.get("scanned", 0) + half.counts.get("unscanned", 0) == 5
    assert worked(scan(billing_account, what="bucket", bucket=bucket, percent=50)).counts == half.counts


def test_the_tenants_own_detectors_look_too(bucket: str, billing_account: Connection, open_policy: None) -> None:
    tenant = billing_account.tenant
    one = detectors.Definition(name="host-name", pattern=r"\bdb\.internal\b", must_match=("db.internal",))
    with in_tenant(tenant):
        made = detectors.save(tenant=tenant, definition=one, by_label="olga", now=timezone.now())
        detectors.set_live(tenant=tenant, detector_id=made.detector_id, number=1, by_label="olga", now=timezone.now())
    job = worked(scan(billing_account, what="bucket", bucket=bucket, prefix="config/"))
    assert found(job)["s3://scanned/config/app.env"] == {"password": 1, "host-name": 1}


def test_many_pages_go_on_where_the_last_worker_died(
    bucket: str, billing_account: Connection, open_policy: None, aws: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "OBJECTS_A_PAGE", 2)
    whole = worked(scan(billing_account, what="bucket", bucket=bucket))
    assert whole.pages == 3
    job = scan(billing_account, what="bucket", bucket=bucket)
    died: list[bool] = []
    plain = scans.scan_page

    def dying(*given: Any) -> Any:
        if len(died) == 1:
            died.append(True)
            raise KeyboardInterrupt
        died.append(True)
        return plain(*given)

    monkeypatch.setattr(work, "scan_page", dying)
    with pytest.raises(KeyboardInterrupt):
        work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=timezone.now)
    # Its lease still runs: nobody else takes the job, then anybody may.
    assert not work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=timezone.now)
    assert read(job).pages == 1
    later = timezone.now() + work.LEASE + work.LEASE
    assert not work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=lambda: later)
    assert (read(job).state, read(job).counts, found(job)) == (JobState.DONE, whole.counts, found(whole))


def test_a_table_is_reported_by_item(billing_account: Connection, open_policy: None, aws: Standin) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="people",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        dynamodb.put_item(TableName="people", Item={"id": {"S": "a"}, "password": {"S": PASSWORD}})
        dynamodb.put_item(TableName="people", Item={"id": {"S": "b"}, "notes": {"L": [{"B": CONFIG.encode()}]}})
        dynamodb.put_item(TableName="people", Item={"id": {"S": "c"}, "age": {"N": "41"}})
        job = worked(scan(billing_account, what="table", table="people"))
    finally:
        dynamodb.delete_table(TableName="people")
    assert job.state == JobState.DONE, job.error
    assert found(job) == {"dynamodb:people/a": {"password": 1}, "dynamodb:people/b": {"password": 1}}
    assert job.counts["scanned"] == 3


def test_a_binary_key_is_paged_by(monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"id": {"B": b"\x00\xff"}, "n": {"N": "7"}}
    assert json.loads(json.dumps(scans._as_json(key))) == {"id": {"B": "AP8="}, "n": {"N": "7"}}
    assert scans._key(scans._as_json(key)) == key


def test_a_log_group_is_reported_by_stream(billing_account: Connection, open_policy: None, aws: Standin) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="/app/web")
    try:
        logs.create_log_stream(logGroupName="/app/web", logStreamName="one")
        now = int(time.time() * 1000)
        lines = [f"login password={PASSWORD}", "all good", f'{{"password": "{PASSWORD}"}}']
        logs.put_log_events(
            logGroupName="/app/web",
            logStreamName="one",
            logEvents=[{"timestamp": now + place, "message": line} for place, line in enumerate(lines)],
        )
        job = worked(scan(billing_account, what="log-group", log_group="/app/web"))
    finally:
        logs.delete_log_group(logGroupName="/app/web")
    assert job.state == JobState.DONE, job.error
    assert found(job) == {"logs:/app/web/one": {"password": 2}}


def test_what_policy_forbids_the_system_does_not_read(bucket: str, billing_account: Connection, aws: Standin) -> None:
    forbidden = '@id("not.these") forbid (principal, action == Action::"s3:GetObject", resource);'
    publish_text(billing_account.tenant, EVERYTHING + forbidden)
    job = worked(scan(billing_account, what="bucket", bucket=bucket))
    assert job.state == JobState.FAILED
    assert "not.these" in job.error
    seen = [json.loads(line) for line in aws.access_log.read_text().splitlines()]
    assert not [
        one for one in seen if f"hoopweb-job/{job.pk}" in one["user_agent"] and not one["path"].startswith("/scanned?")
    ]


def test_what_aws_refuses_ends_the_job_with_its_code(
    billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    job = worked(scan(billing_account, what="bucket", bucket="is-not-there"))
    assert job.state == JobState.FAILED
    assert "NoSuchBucket" in job.error


@pytest.mark.parametrize("what", ["connection", "tenant", "job"])
def test_the_kill_switch_stops_it_before_its_next_page(
    bucket: str, billing_account: Connection, open_policy: None, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "OBJECTS_A_PAGE", 1)
    job, plain = scan(billing_account, what="bucket", bucket=bucket), scans.scan_page

    def thrown(*given: Any) -> Any:
        page = plain(*given)
        with in_tenant(job.tenant_id):
            if what == "connection":
                Connection.objects.for_tenant(job.tenant_id).update(state=ConnectionState.SUSPENDED)
            elif what == "tenant":
                type(job.tenant).objects.filter(pk=job.tenant_id).update(is_suspended=True)
            else:
                services.cancel(tenant=job.tenant, job_id=job.pk, by_label="olga", now=timezone.now())
        return page

    monkeypatch.setattr(work, "scan_page", thrown)
    assert not work.perform(tenant_id=job.tenant_id, job_id=job.pk, now=timezone.now)
    ended = read(job)
    assert ended.state == (JobState.CANCELLED if what == "job" else JobState.FAILED)
    assert ended.pages == (0 if what == "job" else 1)


@pytest.mark.parametrize(
    "target",
    [
        {"what": "bucket", "bucket": "Not A Bucket"},
        {"what": "bucket", "bucket": "scanned", "prefix": "a*"},
        {"what": "bucket", "bucket": "scanned", "prefix": f"x/{'ghp_' + 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'}"},
        {"what": "table", "table": "x"},
        {"what": "log-group", "log_group": "a b"},
        {"what": "bucket", "bucket": "scanned", "region": "ap-south-1"},
        {"what": "queue"},
    ],
)
def test_what_is_no_target_is_refused(billing_account: Connection, target: dict[str, Any]) -> None:
    with pytest.raises(JobRefused):
        scan(billing_account, **target)


def test_no_more_than_ten_are_open(billing_account: Connection) -> None:
    for _ in range(10):
        scan(billing_account, what="table", table="people")
    with pytest.raises(JobRefused, match="open already"):
        scan(billing_account, what="table", table="people")
    with in_tenant(billing_account.tenant_id):
        assert not JobFinding.objects.for_tenant(billing_account.tenant_id).exists()
