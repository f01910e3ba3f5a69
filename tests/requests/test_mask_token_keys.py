"""Tokens that keep masked values joinable have a key of their session's and connection's, and only where asked for."""

from __future__ import annotations

from gateway.masking.replacement import Writing
from gateway.tenants.models import Tenant
from gateway.wire.contract import MaskPlan
from tests.connections.strict_sts import StrictSts
from tests.requests.world import EdgeLife, Keys, publish_text


def plan_of_a_read(edge: EdgeLife, keys: Keys) -> MaskPlan:
    verdict = edge.admit_one(keys.call("dynamodb", "get_item", TableName="t", Key={"id": {"S": "1"}}))
    assert verdict.mask is not None
    return verdict.mask


def test_a_session_keeps_its_key_and_its_values_their_token(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, '@id("joinable") @mask("email-token") permit (principal, action, resource);')
    first, second = plan_of_a_read(edge, keys), plan_of_a_read(edge, keys)
    assert first.masks == ("email-token",)
    assert len(first.token_key) == 32
    assert first.token_key == second.token_key
    written = Writing(masks=first.masks, token_key=first.token_key).text("email", "ada@example.org")
    assert written.startswith("[REDACTED:email:")


def test_no_key_travels_where_policy_asks_for_no_token(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, '@id("plain") @mask("email, card-last4") permit (principal, action, resource);')
    assert plan_of_a_read(edge, keys).token_key == b""
