"""One call of alice's agent, examined as admission does it, for tests of what follows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.policy.services import compiled
from gateway.problems import Problem
from gateway.requests.examine import Examined, examine, wire_request
from gateway.requests.keyring import keys_of
from gateway.tenants.scope import in_tenant
from gateway.wire.sigv4 import claim_of
from tests.requests.asking import Asking


def examined_of(asking: Asking, service: str, operation: str, **parameters: Any) -> Examined:
    """The call as the control plane understands it now."""
    admission = asking.keys.call(service, operation, **parameters)
    request = wire_request(admission)
    claim = claim_of(request)
    keyring = keys_of(tenant_id=asking.tenant.pk, access_key_ids=[claim.access_key_id])
    key = keyring.keys[claim.access_key_id]
    assert not isinstance(key, Problem)
    with in_tenant(asking.tenant):
        revision = compiled(asking.tenant.pk, keyring.revision_id)
    return examine(admission=admission, request=request, claim=claim, key=key, revision=revision, now=datetime.now(UTC))
