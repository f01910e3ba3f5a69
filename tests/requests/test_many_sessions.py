"""A tenant's thousands of keys, sessions and prompts cost the next call nothing: what stands behind a key is found by index."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from django.db import connection

from audit.models import Prompt, Session
from gateway.identity.models import GatewayKey, User
from gateway.tenants.models import Tenant
from gateway.tenants.scope import in_tenant
from gateway.wire.contract import VerdictKind
from tests.conftest import AsOwner
from tests.connections.strict_sts import StrictSts
from tests.requests.test_links import prompt
from tests.requests.world import EdgeLife, Keys

MANY = 1_500


def _grow(tenant: Tenant) -> None:
    """Copy the tenant's one session, key and prompt many times, each under names of its own."""
    models: tuple[Any, ...] = (Session, GatewayKey, Prompt)
    for model in models:
        one, copies = model.objects.for_tenant(tenant).get(), []
        for number in range(MANY):
            facts = {field.attname: getattr(one, field.attname) for field in model._meta.fields}
            facts |= {"id": uuid4(), "conversation": f"other-{number}"}
            if model is GatewayKey:
                facts["access_key_id"] = f"HWIAOTHER{number:08}"
            copies.append(model(**facts))
        model.objects.bulk_create(copies, batch_size=1_000)


def _plan(tenant: Tenant, access_key_id: str) -> str:
    """The plan PostgreSQL keeps for reading one key, as the app's role has it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(
            "PREPARE behind (uuid, text) AS SELECT * FROM requests_key WHERE tenant_id = $1 AND access_key_id = $2"
        )
        # EXPLAIN takes no parameters of the protocol's.
        cursor.execute(f"EXPLAIN EXECUTE behind ('{tenant.pk}', '{access_key_id}')")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE behind")
    return plan


def test_neither_keys_nor_sessions_are_read_through(
    ready: StrictSts, edge: EdgeLife, keys: Keys, acme: Tenant, alice: User, as_owner: AsOwner
) -> None:
    prompt(acme, alice, "conv-1", "gen-1")
    assert edge.admit_one(keys.call("s3", "list_buckets")).kind is VerdictKind.FORWARD
    with in_tenant(acme):
        access_key_id = GatewayKey.objects.for_tenant(acme).get().access_key_id
        _grow(acme)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_session, identity_gatewaykey, audit_prompt")
    with in_tenant(acme):
        plan = _plan(acme, access_key_id)
    assert not re.search(r"Seq Scan on (audit_session|identity_gatewaykey|audit_prompt)", plan)
    assert re.search(r"Index Cond: \(\(tenant_id = .*conversation\)::text = ", plan), "a session is found by its name"
    assert re.search(r"Index Cond: .*access_key_id", plan), "a key is found by its id"
    assert edge.admit_one(keys.call("s3", "list_buckets")).kind is VerdictKind.FORWARD
