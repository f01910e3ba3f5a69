"""Masking jobs on the running product: a real worker scans and copies, dies amid its work, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hoopweb.stack import seed
from tests.journeys.product import Product, Tenant

ADMIN = "HOOPWEB_ADMIN_API_KEY"
PASSWORD = "correct-horse-battery-9"
OBJECTS = 120
COPIES = f"""
@id("copies.written")
permit (principal is Hoopweb::System, action == Action::"s3:PutObject", resource)
when {{ resource.arn like "arn:aws:s3:::{seed.SCRATCH}/jobs/masked/*" }};
"""


@pytest.fixture
def planted(product: Product) -> Iterator[None]:
    s3 = product.truth("s3")
    for number in range(OBJECTS):
        text = f"DB_PASSWORD={PASSWORD}\n" if number % 10 == 0 else "nothing\n"
        s3.put_object(Bucket=seed.SCRATCH, Key=f"jobs/raw/{number:04}.env", Body=text.encode())
    yield
    for one in s3.list_objects_v2(Bucket=seed.SCRATCH, Prefix="jobs/")["Contents"]:
        s3.delete_object(Bucket=seed.SCRATCH, Key=one["Key"])


def started(tenant: Tenant, path: str, **body: Any) -> str:
    connection = tenant.items("connections/", key=ADMIN)[-1]["id"]
    made = tenant.rest("POST", f"masking-jobs/{path}/", key=ADMIN, body={"connection": connection, **body})
    assert made.status == 201, made.body
    return str(made.body["id"])


def ended(product: Product, tenant: Tenant, job: str, *, seconds: float) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        found = tenant.rest("GET", f"masking-jobs/{job}/", key=ADMIN).body
        return found if found["state"] not in ("queued", "running") else None

    return dict(product.wait(over, seconds=seconds, told="the job did not end"))


def test_a_scan_tells_where_secrets_lie(product: Product, demo: Tenant, planted: None) -> None:
    job = started(demo, "scans", what="bucket", bucket=seed.SCRATCH, prefix="jobs/raw/")
    found = ended(product, demo, job, seconds=60)
    assert (found["state"], found["counts"]["scanned"], found["counts"]["secrets"]) == ("done", OBJECTS, OBJECTS // 10)
    places = demo.items(f"masking-jobs/{job}/findings/?limit=100", key=ADMIN)
    assert [one["types"] for one in places] == [{"password": 1}] * (OBJECTS // 10)
    assert PASSWORD not in str(places)


def test_a_copy_is_written_only_where_policy_lets_the_system_write(
    product: Product, demo: Tenant, planted: None
) -> None:
    job = started(
        demo, "copies", bucket=seed.SCRATCH, prefix="jobs/raw/", to_bucket=seed.SCRATCH, to_prefix="jobs/masked/"
    )
    found = ended(product, demo, job, seconds=60)
    assert found["state"] == "failed"
    assert "Policy does not let the system make this call" in found["error"]
    assert "Contents" not in product.truth("s3").list_objects_v2(Bucket=seed.SCRATCH, Prefix="jobs/masked/")


def test_a_copy_outlives_its_worker_and_copies_each_object_once(product: Product, demo: Tenant, planted: None) -> None:
    with demo.policy(COPIES):
        places = {"prefix": "jobs/raw/", "to_bucket": seed.SCRATCH, "to_prefix": "jobs/masked/"}
        job = started(demo, "copies", bucket=seed.SCRATCH, **places)

        def begun() -> bool:
            found = demo.rest("GET", f"masking-jobs/{job}/", key=ADMIN).body
            assert found["state"] in ("queued", "running"), found["error"]
            return bool(found["pages"])

        product.wait(begun, seconds=30, told="no page was worked")
        product.kill("worker-jobs")
        product.wait_back("worker-jobs")
        # The dead worker's lease is not waited for here: it is tested with the clock in tests/jobs.
        product.execute("UPDATE jobs_maskingjob SET lease_until = now() WHERE lease_until IS NOT NULL")
        found = ended(product, demo, job, seconds=90)
        assert found["state"] == "done", found
    copies = product.truth("s3").list_objects_v2(Bucket=seed.SCRATCH, Prefix="jobs/masked/")["Contents"]
    assert len(copies) == OBJECTS
    assert found["counts"]["copied"] + found["counts"].get("up_to_date", 0) == OBJECTS
    body = demo.aws("s3").get_object(Bucket=seed.SCRATCH, Key="jobs/masked/0000.env")["Body"].read()
    assert body == b"DB_PASSWORD=[REDACTED:password]\n"
