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
