"""What a connection says about payloads that cannot be read travels with each call's mask plan, from the next call on."""

from __future__ import annotations

from gateway.connections import services
from gateway.connections.models import Connection, OpaquePayloads
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import OpaqueChoice
from tests.connections.strict_sts import StrictSts
from tests.people import NOW
from tests.requests.world import EdgeLife, Keys


def test_the_choice_travels_with_the_next_call(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, billing_account: Connection
) -> None:
    seen = []
    for choice in (None, OpaquePayloads.PASS, OpaquePayloads.WITHHOLD):
        if choice is not None:
            with in_tenant(acme):
                services.choose_opaque_payloads(
                    tenant=acme, connection_id=billing_account.pk, choice=choice, by_label="sam", now=NOW
                )
        verdict = edge.admit_one(keys.call("s3", "get_object", Bucket="b", Key="k"))
        assert verdict.mask is not None
        seen.append(verdict.mask.opaque)
    assert seen == [OpaqueChoice.WITHHOLD, OpaqueChoice.PASS, OpaqueChoice.WITHHOLD]
