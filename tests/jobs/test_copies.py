"""A masked copy: what an agent may read instead. Nothing unread is copied, nothing of others is overwritten."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from gateway.connections.models import Connection
from gateway.jobs import copies
from gateway.jobs.models import JobState
from gateway.jobs.problems import JobRefused
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
