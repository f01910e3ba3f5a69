"""A tenant's detector on the running product: made over REST, in force for the next call, for that tenant alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from hoopweb.stack import seed
from tests.journeys.product import Product, Tenant

BADGE = "BDG-7731-QX"
TABLE = "staff-badges"
ADMIN = "HOOPWEB_ADMIN_API_KEY"


@pytest.fixture
def planted(product: Product) -> Iterator[None]:
    """An object and an item that only this tenant would call secret."""
    product.truth("s3").put_object(Bucket=seed.SCRATCH, Key="staff.txt", Body=f"lost: {BADGE}\n".encode())
    table = product.truth("dynamodb")
    table.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table.put_item(TableName=TABLE, Item={"id": {"S": "c-1"}, "badge": {"S": BADGE}})
    yield
    table.delete_table(TableName=TABLE)


def test_it_masks_the_next_call_of_its_tenant_and_nobody_elses(
    product: Product, demo: Tenant, globex: Tenant, planted: None
) -> None:
    def seen(tenant: Tenant) -> tuple[str, str]:
        text = tenant.aws("s3").get_object(Bucket=seed.SCRATCH, Key="staff.txt")["Body"].read().decode()
        item = tenant.aws("dynamodb", edge=1).get_item(TableName=TABLE, Key={"id": {"S": "c-1"}})["Item"]
        return text, item["badge"]["S"]

    clear = f"lost: {BADGE}\n", BADGE
    assert seen(demo) == clear
    body = {"name": "badge", "pattern": r"BDG-\d{4}-[A-Z]{2}", "must_match": [BADGE]}
    made = demo.rest("POST", "detectors/", key=ADMIN, body=body)
    assert made.status == 201, made.body
    path = f"detectors/{made.body['id']}/"
    assert demo.rest("PATCH", path, key=ADMIN, body={"number": 1}).status == 200
    try:
        assert seen(demo) == ("lost: [REDACTED:badge]\n", "[REDACTED:badge]")
        assert seen(globex) == clear
        newest = demo.items("requests/?limit=1")[0]
        assert BADGE not in json.dumps(demo.rest("GET", f"requests/{newest['id']}/").body)
    finally:
        assert demo.rest("PATCH", path, key=ADMIN, body={"number": None}).status == 200
    assert seen(demo) == clear
