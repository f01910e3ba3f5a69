"""What an agent read masked it cannot write back over the real value, unless a rule permits exactly that."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.tenants.models import Tenant
from gateway.wire.contract import BodyMode, VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.test_allowed import upstream_of
from tests.requests.test_refused import refusal
from tests.requests.world import EdgeLife, Keys, again, publish_text, row_of

TOKEN = "[REDACTED:password]"
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("secretsmanager", "put_secret_value", {"SecretId": "prod/db", "SecretString": f'{{"password":"{TOKEN}"}}'}),
    ("dynamodb", "put_item", {"TableName": "t", "Item": {"id": {"S": "1"}, "note": {"S": f"uses {TOKEN}"}}}),
    ("ssm", "put_parameter", {"Name": "n", "Value": TOKEN, "Type": "SecureString"}),
    ("lambda", "update_function_configuration", {"FunctionName": "f", "Environment": {"Variables": {"DB": TOKEN}}}),
]


@pytest.mark.parametrize(("service", "operation", "parameters"), WRITES)
def test_a_write_that_holds_a_mask_token_is_refused(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    admission = keys.call(service, operation, **parameters)
    said = refusal(edge.admit_one(admission))
    assert "unchanged at its source" in said
    assert row_of(acme, admission).refusal_code == "requests.mask_token_stored"


def test_a_read_may_ask_for_one(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    admission = keys.call("dynamodb", "get_item", TableName="t", Key={"id": {"S": TOKEN}})
    assert edge.admit_one(admission).kind is VerdictKind.FORWARD


def test_a_rule_may_permit_it(strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    publish_text(acme, '@id("fixtures") @clear("mask-tokens") permit (principal, action, resource);')
    service, operation, parameters = WRITES[1]
    assert edge.admit_one(keys.call(service, operation, **parameters)).kind is VerdictKind.FORWARD


def test_it_is_not_even_asked_about(strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    ask = '@id("asks") @effect("ask") @approvers("operators") forbid (principal, action, resource);'
    publish_text(acme, f'@id("all") permit (principal, action, resource);{ask}')
    service, operation, parameters = WRITES[0]
    admission = keys.call(service, operation, **parameters)
    refusal(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "requests.mask_token_stored"


UNSIGNED = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}


def upload(keys: Keys) -> Any:
    signed = keys.sign(method="PUT", target="/bucket/key", headers=dict(UNSIGNED), body=b"", service="s3")
    return again(signed, body_mode=BodyMode.PAYLOAD)


def test_the_edge_looks_for_tokens_in_an_objects_bytes(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    assert upstream_of(edge.admit_one(upload(keys))).refuses_mask_tokens
    read = edge.admit_one(keys.call("s3", "get_object", Bucket="bucket", Key="key"))
    assert not upstream_of(read).refuses_mask_tokens


def test_and_not_where_a_rule_permits_them(strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    publish_text(acme, '@id("fixtures") @clear("mask-tokens") permit (principal, action, resource);')
    assert not upstream_of(edge.admit_one(upload(keys))).refuses_mask_tokens
