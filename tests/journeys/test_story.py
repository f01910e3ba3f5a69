"""The demo's story is the product's first promise, so it is a test."""

from __future__ import annotations

from hoopweb.story.steps import STEPS
from tests.journeys.product import Product


def test_the_demo_goes_as_told(product: Product) -> None:
    told = product.manage("demo_story")
    assert f"All {len(STEPS)} steps went as told." in told
