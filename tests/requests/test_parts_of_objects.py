"""Parts of objects: fetched wider where they can be masked, refused where nobody knows their edges."""

from __future__ import annotations

from gateway.tenants.models import Tenant
from gateway.wire.contract import VerdictKind
from tests.connections.strict_sts import StrictSts
from tests.requests.test_refused import refusal
from tests.requests.world import EdgeLife, Keys, publish_text, row_of


def test_a_part_of_what_must_be_masked(ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant) -> None:
    admission = keys.call("s3", "get_object", Bucket="b", Key="k", PartNumber=1)
    refusal(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "requests.range_of_masked"


def test_a_part_of_what_must_be_masked_is_not_even_asked_about(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    ask = '@id("asks") @effect("ask") @approvers("operators") forbid (principal, action, resource);'
    publish_text(acme, f'@id("all") permit (principal, action, resource);{ask}')
    admission = keys.call("s3", "get_object", Bucket="b", Key="k", PartNumber=1)
    refusal(edge.admit_one(admission))
    assert row_of(acme, admission).refusal_code == "requests.range_of_masked"


def test_a_range_that_is_masked_is_fetched_wider(ready: StrictSts, edge: EdgeLife, keys: Keys) -> None:
    verdict = edge.admit_one(keys.call("s3", "get_object", Bucket="b", Key="k", Range="bytes=20000-29999"))
    assert verdict.upstream is not None
    assert verdict.mask is not None
    assert dict(verdict.upstream.headers)["range"] == "bytes=11808-38191"
    assert verdict.mask.range == "bytes=20000-29999"


def test_a_rule_that_clears_the_body_lets_a_part_of_it_pass(
    strict_sts: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant
) -> None:
    publish_text(acme, '@id("all") @clear("body") permit (principal, action, resource);')
    verdict = edge.admit_one(keys.call("s3", "get_object", Bucket="b", Key="k", Range="bytes=0-9"))
    assert verdict.kind is VerdictKind.FORWARD
    assert verdict.upstream is not None
    assert dict(verdict.upstream.headers)["range"] == "bytes=0-9"
