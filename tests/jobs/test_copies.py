"""A masked copy: what an agent may read instead. Nothing unread is copied, nothing of others is overwritten."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from gateway.connections.models import Connection, ConnectionState
from gateway.jobs import copies, work
from gateway.jobs.models import JobState
from gateway.jobs.problems import JobRefused
from gateway.policy import detectors
from gateway.tenants.scope import in_tenant
from tests.jobs.working import copy, found, worked
from tests.requests.standin import Standin

PASSWORD = "correct-horse-battery-9"
LARGE = (
    b"".join(b"line %06d of a long report\n" % number for number in range(400_000)) + f"password={PASSWORD}\n".encode()
)
PLACES = {"bucket": "ledger", "prefix": "raw/", "to_bucket": "shared", "to_prefix": "masked/"}


@pytest.fixture
def buckets(aws: Standin) -> Iterator[None]:
    s3 = aws.client("s3")
    for name in ("ledger", "shared"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket="ledger", Key="raw/a.env", Body=f"DB_PASSWORD={PASSWORD}\n".encode(), ContentType="text/x-env")
    s3.put_object(Bucket="ledger", Key="raw/b.json", Body=json.dumps({"password": PASSWORD}).encode())
    packed = gzip.compress(f"password={PASSWORD}\n".encode())
    s3.put_object(Bucket="ledger", Key="raw/c.gz", Body=packed, ContentEncoding="gzip", ContentType="text/plain")
    s3.put_object(Bucket="ledger", Key="raw/logo.png", Body=b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    s3.put_object(Bucket="ledger", Key="other/d.env", Body=b"not below the prefix")
    yield
    for name in ("ledger", "shared"):
        for one in s3.list_objects_v2(Bucket=name).get("Contents", ()):
            s3.delete_object(Bucket=name, Key=one["Key"])
        s3.delete_bucket(Bucket=name)


def copied(aws: Standin) -> dict[str, bytes]:
    s3 = aws.client("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="shared").get("Contents", ())]
    return {key: s3.get_object(Bucket="shared", Key=key)["Body"].read() for key in keys}


def test_what_can_be_read_is_copied_masked_and_says_whence(
    buckets: None, billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    job = worked(copy(billing_account, **PLACES))
    assert (job.state, job.error) == (JobState.DONE, "")
    made = copied(aws)
    assert set(made) == {"masked/a.env", "masked/b.json", "masked/c.gz"}
    assert made["masked/a.env"] == b"DB_PASSWORD=[REDACTED:password]\n"
    assert json.loads(made["masked/b.json"]) == {"password": "[REDACTED:password]"}
    assert gzip.decompress(made["masked/c.gz"]) == b"password=[REDACTED:password]\n"
    assert (job.counts["copied"], job.counts["unscanned"], job.counts["secrets"]) == (3, 1, 3)
    assert found(job)["s3://ledger/raw/a.env"] == {"password": 1}
    head = aws.client("s3").head_object(Bucket="shared", Key="masked/a.env")
    assert head["ContentType"] == "text/x-env"
    assert head["Metadata"][copies.SOURCE].endswith("@ledger")
    assert head["Metadata"][copies.RULES] == job.rules
    assert aws.client("s3").head_object(Bucket="shared", Key="masked/c.gz")["ContentEncoding"] == "gzip"


def test_once_more_copies_only_what_changed(
    buckets: None, billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    worked(copy(billing_account, **PLACES))
    aws.client("s3").put_object(Bucket="ledger", Key="raw/a.env", Body=f"API_PASSWORD={PASSWORD}\n".encode())
    job = worked(copy(billing_account, **PLACES))
    assert (job.counts["copied"], job.counts["up_to_date"]) == (1, 2)
    assert copied(aws)["masked/a.env"] == b"API_PASSWORD=[REDACTED:password]\n"


def test_a_detector_made_live_since_has_everything_copied_again(
    buckets: None, billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    aws.client("s3").put_object(Bucket="ledger", Key="raw/staff.txt", Body=b"it is EMP-004711\n")
    worked(copy(billing_account, **PLACES))
    assert copied(aws)["masked/staff.txt"] == b"it is EMP-004711\n"
    tenant = billing_account.tenant
    one = detectors.Definition(name="employee-id", pattern=r"EMP-\d{6}", must_match=("EMP-004711",))
    with in_tenant(tenant):
        made = detectors.save(tenant=tenant, definition=one, by_label="olga", now=timezone.now())
        detectors.set_live(tenant=tenant, detector_id=made.detector_id, number=1, by_label="olga", now=timezone.now())
    job = worked(copy(billing_account, **PLACES))
    assert copied(aws)["masked/staff.txt"] == b"it is [REDACTED:employee-id]\n"
    assert "up_to_date" not in job.counts
    assert worked(copy(billing_account, **PLACES)).counts["up_to_date"] == 4


def test_two_objects_whose_names_differ_only_in_a_secret_do_not_take_turns_in_one_place(
    buckets: None, billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    for number, token in enumerate(("a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "z9Y8x7W6v5U4t3S2r1Q0p9O8n7M6l5K4j3I2")):
        aws.client("s3").put_object(Bucket="ledger", Key=f"raw/ghp_{token}.txt", Body=f"number {number}\n".encode())
    first = worked(copy(billing_account, **PLACES))
    masked = [key for key in copied(aws) if "REDACTED" in key]
    assert (len(masked), first.counts["kept"]) == (1, 1)
    kept = copied(aws)[masked[0]]
    again = worked(copy(billing_account, **PLACES))
    assert (again.counts["kept"], again.counts["up_to_date"], copied(aws)[masked[0]]) == (1, 4, kept)


def test_what_lay_there_before_is_left_alone(
    buckets: None, billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    aws.client("s3").put_object(Bucket="shared", Key="masked/a.env", Body=b"somebody's own")
    job = worked(copy(billing_account, **PLACES))
    assert (job.counts["kept"], job.counts["copied"]) == (1, 2)
    assert copied(aws)["masked/a.env"] == b"somebody's own"


def test_an_object_of_many_parts_is_copied_in_one_stream(
    buckets: None, billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    aws.client("s3").put_object(Bucket="ledger", Key="raw/large.txt", Body=LARGE, ContentType="text/plain")
    job = worked(copy(billing_account, **PLACES | {"prefix": "raw/large.txt", "to_prefix": "masked/large.txt"}))
    assert (job.state, job.error, job.counts["copied"]) == (JobState.DONE, "", 1)
    assert copied(aws)["masked/large.txt"] == LARGE.replace(PASSWORD.encode(), b"[REDACTED:password]")


def test_the_kill_switch_amid_an_object_leaves_nothing_of_it(
    buckets: None, billing_account: Connection, open_policy: None, aws: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.client("s3").put_object(Bucket="ledger", Key="raw/large.txt", Body=LARGE, ContentType="text/plain")
    plain = work.Heart.beat

    def thrown(heart: work.Heart, place: str, done: int) -> None:
        if done:
            with in_tenant(billing_account.tenant):
                Connection.objects.for_tenant(billing_account.tenant).update(state=ConnectionState.SUSPENDED)
        plain(heart, place, done)

    monkeypatch.setattr(work, "BEAT", timedelta(0))
    monkeypatch.setattr(work.Heart, "beat", thrown)
    job = worked(copy(billing_account, **PLACES | {"prefix": "raw/large.txt", "to_prefix": "masked/large.txt"}))
    assert (job.state, "suspended" in job.error) == (JobState.FAILED, True)
    assert copied(aws) == {}
    assert "Uploads" not in aws.client("s3").list_multipart_uploads(Bucket="shared")


def test_nothing_is_copied_to_a_public_bucket(
    buckets: None, billing_account: Connection, open_policy: None, aws: Standin
) -> None:
    open_to_all = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shared/*"}
        ],
    }
    s3 = aws.client("s3")
    s3.put_bucket_policy(Bucket="shared", Policy=json.dumps(open_to_all))
    is_public = s3.get_bucket_policy_status(Bucket="shared")["PolicyStatus"]["IsPublic"]
    job = worked(copy(billing_account, **PLACES))
    assert is_public
    assert job.state == JobState.FAILED
    assert "public" in job.error
    assert copied(aws) == {}


@pytest.mark.parametrize(
    ("prefix", "to_prefix"), [("raw/", "raw/masked/"), ("raw/masked/", "raw/"), ("", "masked/"), ("raw/", "")]
)
def test_a_copy_into_its_own_source_is_refused(billing_account: Connection, prefix: str, to_prefix: str) -> None:
    with pytest.raises(JobRefused, match="inside the other"):
        copy(billing_account, bucket="ledger", prefix=prefix, to_bucket="ledger", to_prefix=to_prefix)
