"""Two tenants on the same edges: neither sees, approves or reaches anything of the other."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.journeys.product import Product, Tenant


def test_both_tenants_work_through_both_edges(product: Product, demo: Tenant, globex: Tenant) -> None:
    for tenant in (demo, globex):
        for edge in (0, 1):
            names = [bucket["Name"] for bucket in tenant.aws("s3", edge=edge).list_buckets()["Buckets"]]
            assert "acme-reports" in names


def test_a_call_is_seen_by_its_own_tenant_only(product: Product, demo: Tenant, globex: Tenant) -> None:
    keys = demo.keys_for("only-ours")
    demo.aws("dynamodb", keys=keys).list_tables()
    mine = next(one for one in demo.items("sessions/") if one["conversation"] == "only-ours")
    assert "only-ours" not in {one["conversation"] for one in globex.items("sessions/")}
    for path in (f"sessions/{mine['id']}/", f"sessions/{mine['id']}/timeline/"):
        assert globex.rest("GET", path).status == 404


def test_keys_of_a_tenant_do_not_open_the_other(product: Product, demo: Tenant, globex: Tenant) -> None:
    mixed = dict(demo.demo) | {"AWS_SESSION_TOKEN": globex.demo["AWS_SESSION_TOKEN"]}
    with pytest.raises(ClientError) as refused:
        demo.aws("dynamodb", keys=mixed).list_tables()
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_an_edge_in_no_tenants_scope_is_answered_like_a_key_that_never_was(product: Product, demo: Tenant) -> None:
    stranger = dict(demo.demo) | {"AWS_ACCESS_KEY_ID": "HWIA" + "A" * 52}
    with pytest.raises(ClientError) as refused:
        demo.aws("dynamodb", keys=stranger).list_tables()
    assert refused.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_revoked_key_is_out_at_the_next_call(product: Product, demo: Tenant) -> None:
    keys = demo.keys_for("revoked-soon")
    demo.aws("dynamodb", keys=keys).list_tables()
    assert demo.rest("DELETE", f"keys/{keys['id']}/", key="HOOPWEB_ADMIN_API_KEY").status == 204
    with pytest.raises(ClientError) as refused:
        demo.aws("dynamodb", keys=keys).list_tables()
    assert refused.value.response["Error"]["Code"] == "ExpiredTokenException"
