"""The tenants of the running product (`tests.running_stack`), and the storms' own table."""

from __future__ import annotations

import pytest

from tests.journeys.callers import TABLE
from tests.journeys.product import Product, Tenant


@pytest.fixture(scope="session", autouse=True)
def storm_table(product: Product) -> None:
    """Made past hoopweb: the demo's story counts what is in the others."""
    product.truth("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture(scope="session")
def demo(product: Product) -> Tenant:
    return product.demo


@pytest.fixture(scope="session")
def globex(product: Product) -> Tenant:
    return product.globex
