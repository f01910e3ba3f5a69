"""Revoking and suspending reach everything: the next call, and within two seconds the one that waits for a person."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.journeys import evidence
from tests.journeys.approving import APPROVER
from tests.journeys.product import Product, Tenant
from tests.journeys.test_approvals import Call, new_instance, pending, state_of, terminate, vote

REACH_SECONDS = 2.0
ADMIN = "HOOPWEB_ADMIN_API_KEY"


def cut_within_reach(call: Call, switch: Callable[[], None]) -> str:
    """Use the switch on a waiting call; return the code its client got, in time."""
    switch()
    thrown = time.monotonic()
    call.join(REACH_SECONDS + 5)
    assert time.monotonic() - thrown < REACH_SECONDS
    assert call.error is not None
    return str(call.error.response["Error"]["Code"])


def withdrawn(product: Product, tenant: Tenant, approval_id: str, instance: str) -> None:
    """Nobody can approve it any more, and it did not run."""
    assert tenant.rest("GET", f"approvals/{approval_id}/", key=APPROVER).body["state"] == "revoked"
    assert vote(tenant, {"id": approval_id}, "approve").status == 409
    assert state_of(product, instance) == "running"
    evidence.check_everything(product)


def test_a_revoked_key_cuts_the_call_that_waits(product: Product, demo: Tenant) -> None:
    instance, keys = new_instance(product), demo.keys_for("revoked-held")
    call = terminate(demo, instance, keys=keys)
    approval = pending(product, demo, instance)

    def revoke() -> None:
        assert demo.rest("DELETE", f"keys/{keys['id']}/", key=ADMIN).status == 204

    assert cut_within_reach(call, revoke) == "ExpiredToken"
    withdrawn(product, demo, approval["id"], instance)
    (event,) = demo.items(f"events/?kind=key.revoked&subject={keys['id']}")
    assert event["data"]


def test_a_suspended_agent_is_out_at_once(product: Product, globex: Tenant) -> None:
    made = globex.rest("POST", "agents/", key=ADMIN, body={"name": "wayward"})
    assert made.status == 201, made
    instance, keys = new_instance(product), globex.keys_for("suspended-held", agent=made.body["id"], key=ADMIN)
    call = terminate(globex, instance, keys=keys, edge=1)
    approval = pending(product, globex, instance)

    def suspend() -> None:
        assert globex.rest("POST", f"agents/{made.body['id']}/suspend/", key=ADMIN, body={}).status == 200

    assert cut_within_reach(call, suspend) == "UnauthorizedOperation"
    withdrawn(product, globex, approval["id"], instance)
    with pytest.raises(ClientError) as refused:
        globex.aws("dynamodb", keys=keys).list_tables()
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "agent" in refused.value.response["Error"]["Message"]
    (event,) = globex.items(f"events/?kind=agent.suspended&subject={made.body['id']}")
    assert event["data"]
    # Another agent of the same tenant goes on.
    globex.aws("dynamodb").list_tables()


def suspended_and_back(product: Product, tenant: Tenant, path: str, confirm: str = "") -> None:
    """Throw one switch at a waiting call, see that the next is refused too, and let everybody back."""
    instance, keys = new_instance(product), tenant.keys_for(f"switched-{path}")
    call = terminate(tenant, instance, keys=keys)
    approval = pending(product, tenant, instance)
    body = {"reason": "a test threw it", **({"confirm": confirm} if confirm else {})}
    try:

        def suspend() -> None:
            reply = tenant.rest("POST", f"{path}/suspend/", key=ADMIN, body=body)
            assert reply.status == 200, reply

        assert cut_within_reach(call, suspend) == "UnauthorizedOperation"
        with pytest.raises(ClientError) as refused:
            tenant.aws("dynamodb", keys=keys).list_tables()
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    finally:
        assert tenant.rest("POST", f"{path}/resume/", key=ADMIN, body={}).status == 200
    withdrawn(product, tenant, approval["id"], instance)


def test_a_suspended_person_is_out_with_the_call_that_waits(product: Product, demo: Tenant) -> None:
    developer = demo.rest("GET", "me/", key="HOOPWEB_DEVELOPER_API_KEY").body["user"]
    suspended_and_back(product, demo, f"members/{developer}")
    demo.aws("dynamodb").list_tables()
    for kind in ("member.suspended", "member.resumed"):
        assert demo.items(f"events/?kind={kind}&subject={developer}")


def test_a_suspended_connection_stops_and_is_used_again_after_its_test(product: Product, demo: Tenant) -> None:
    connection = demo.items("connections/", key=ADMIN)[-1]["id"]
    suspended_and_back(product, demo, f"connections/{connection}")
    with pytest.raises(ClientError):
        demo.aws("dynamodb").list_tables()
    assert demo.rest("POST", f"connections/{connection}/test/", key=ADMIN, body={}).body["state"] == "active"
    demo.aws("dynamodb").list_tables()


def test_a_suspended_tenant_stops_alone_and_whole(product: Product, demo: Tenant, globex: Tenant) -> None:
    reply = demo.rest("POST", "tenant/suspend/", key=ADMIN, body={"reason": "by a slip"})
    assert (reply.status, reply.body["code"]) == (409, "identity.would_lock_out")
    slug = demo.rest("GET", "me/", key=ADMIN).body["tenant"]
    suspended_and_back(product, demo, "tenant", confirm=slug)
    demo.aws("dynamodb").list_tables()
    globex.aws("dynamodb").list_tables()
