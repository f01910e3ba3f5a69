"""S3 Express by an ordinary boto3: it asks for a session of the bucket by itself, and gets gateway keys."""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.journeys.clients import names_below_localhost
from tests.journeys.product import Product, Tenant

BUCKET = "journey--use1-az4--x-s3"
HOST = f"{BUCKET}.s3express-use1-az4.us-east-1.amazonaws.com"
TEXT = b"a line of text that hides nothing\n"
SESSIONS = '@id("journey.express") permit (principal, action == Action::"s3express:CreateSession", resource);'


@pytest.fixture
def s3(product: Product, demo: Tenant) -> Iterator[Any]:
    # Made past hoopweb and without an SDK: the stand-in knows directory buckets in path style only.
    scope = "Credential=truth/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    url = f"{product.stack.plan.upstream_url}/{BUCKET}"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}"}
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)) as made:
        assert made.status == 200
    with names_below_localhost(), demo.policy(SESSIONS):
        yield demo.aws("s3")
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE", headers=headers)) as gone:
        assert gone.status == 204


def test_objects_are_stored_listed_read_and_deleted_in_their_zone(product: Product, demo: Tenant, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a b/k.txt", Body=TEXT)
    s3.upload_fileobj(io.BytesIO(TEXT * 300_000), BUCKET, "parts.txt")
    assert s3.get_object(Bucket=BUCKET, Key="a b/k.txt")["Body"].read() == TEXT
    into = io.BytesIO()
    s3.download_fileobj(BUCKET, "parts.txt", into)
    assert into.getvalue() == TEXT * 300_000
    assert {one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]} == {"a b/k.txt", "parts.txt"}
    s3.delete_object(Bucket=BUCKET, Key="a b/k.txt")
    s3.delete_object(Bucket=BUCKET, Key="parts.txt")
    sent = [one for one in product.upstream() if one["host"] == HOST]
    assert {one["method"] for one in sent} >= {"PUT", "GET", "POST", "DELETE"}
    assert "hoopweb/" in sent[-1]["user_agent"]
    assert not [one for one in product.upstream() if "?session" in one["path"]]


def test_without_a_rule_for_its_sessions_the_bucket_stays_shut_and_says_why(demo: Tenant, s3: Any) -> None:
    with demo.policy(""), pytest.raises(ClientError) as refused:
        demo.aws("s3").get_object(Bucket=BUCKET, Key="k")
    assert refused.value.operation_name == "CreateSession"
    assert "ask for a policy rule" in str(refused.value)
