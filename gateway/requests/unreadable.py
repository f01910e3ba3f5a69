"""Asking people about answers nobody could read: on a connection that says `ask`, the next identical call asks.

That an answer is unreadable is known only once it came, so the first one is withheld and its outcome says so. Who votes,
and what a grant is good for, is `approvals`' and `asks`'; only reads are asked about, since the call runs again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from gateway.connections.models import Connection
from gateway.masking.bodies import WITHHELD_CODE
from gateway.requests import storable
from gateway.requests.examine import UNREADABLE_RULE, Examined, asks_about_unreadable, recorded_arn
from gateway.requests.models import ProxiedRequest
from gateway.tenants.scope import in_tenant
from gateway.terms import Ask, Effect

# An answer withheld longer ago is found out anew.
ASKED_WITHIN = timedelta(hours=24)
REASON = "An answer of this call was withheld: nobody here can read it"


def asked_about(examined: Examined, *, now: datetime) -> Examined:
    """The call with people asked about its answer, where an identical one's was withheld; else as it is."""
    decision = examined.decision
    if decision.effect is Effect.DENY or decision.would_be is not None or not asks_about_unreadable(examined):
        return examined
    tenant_id = examined.key.tenant_id
    with in_tenant(tenant_id):
        if not _was_withheld(examined, now):
            return examined
        approvers = Connection.objects.for_tenant(tenant_id).get(pk=examined.key.connection.id).opaque_approvers
    ask = Ask(rule_id=UNREADABLE_RULE, approvers=approvers)
    asked = replace(
        decision,
        effect=Effect.ASK,
        asks=(*decision.asks, ask),
        rule_ids=(*decision.rule_ids, UNREADABLE_RULE),
        reason=REASON,
    )
    return replace(examined, decision=asked)


def _was_withheld(examined: Examined, now: datetime) -> bool:
    """Whether this principal's identical call was withheld lately. `parameters` are compared as they are recorded."""
    primary, key = examined.primary, examined.key
    withheld = ProxiedRequest.objects.for_tenant(key.tenant_id).filter(
        error=WITHHELD_CODE,
        connection_id=key.connection.id,
        person_id=key.person_id,
        agent_id=key.principal.agent_id,
        service=storable.text(primary.operation.service, 80),
        operation=storable.text(primary.operation.name, 120),
        resources=[storable.text(recorded_arn(resource.arn, key.detectors)) for resource in primary.resources],
        received_at__gt=now - ASKED_WITHIN,
    )
    return bool(withheld.exists())
