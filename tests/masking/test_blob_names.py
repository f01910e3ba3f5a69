"""The reviewed name lists keep up with botocore's models: blobs that must decode, tokens that must page."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.loaders
import pytest

from gateway.masking.paths import PAGINATION_NAMES
from gateway.masking.replacement import BLOB_NAMES

LOADER = botocore.loaders.Loader()
SERVICES = LOADER.list_available_services("service-2")


def _blobs(shapes: dict[str, Any], shape: str, member: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    model = shapes[shape]
    if model["type"] == "blob":
        yield member
    if shape in seen:
        return
    inner = seen | {shape}
    for name, each in model.get("members", {}).items():
        yield from _blobs(shapes, each["shape"], each.get("locationName", name), inner)
    for part in ("member", "value"):
        if part in model:
            yield from _blobs(shapes, model[part]["shape"], member, inner)


def _sensitive_blobs(shapes: dict[str, Any]) -> Iterator[str]:
    for name, model in shapes.items():
        if model.get("sensitive") and model["type"] in ("structure", "list", "map"):
            yield from _blobs(shapes, name, name)
        for member, each in model.get("members", {}).items():
            if shapes[each["shape"]].get("sensitive") and shapes[each["shape"]]["type"] == "blob":
                yield each.get("locationName", member)


@cache
def _names() -> frozenset[str]:
    models = (LOADER.load_service_model(service, "service-2")["shapes"] for service in SERVICES)
    return frozenset(name for shapes in models for name in _sensitive_blobs(shapes))


def test_every_sensitive_blob_of_the_models_is_replaced_by_base64() -> None:
    assert len(_names()) > 30
    assert _names() <= BLOB_NAMES


@pytest.mark.parametrize(
    "service", ["s3", "ec2", "iam", "dynamodb", "lambda", "secretsmanager", "ssm", "logs", "sqs", "rds"]
)
def test_every_common_services_page_token_is_left_alone(service: str) -> None:
    pages = LOADER.load_service_model(service, "paginators-1")["pagination"].values()
    tokens = {token for page in pages for token in _listed(page["output_token"])}
    plain = {token for token in tokens if token.isidentifier()}
    assert plain
    assert plain <= PAGINATION_NAMES


def _listed(tokens: str | list[str]) -> list[str]:
    return [tokens] if isinstance(tokens, str) else tokens
