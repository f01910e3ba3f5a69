"""What one prompt caused, counted: its calls by answer, where they went, and what was masked in them.

The calls themselves are `selectors`' to tell. Called inside the tenant's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q

from audit.models import Session
from gateway.requests.models import ProxiedRequest, RequestState
from gateway.tenants.models import Tenant

# Counts by type, never a value: no more is kept of what was masked.
_MASKED = """
SELECT kind.key, sum(kind.value::bigint) FROM {table} AS call, jsonb_each_text(call.masked->'by_type') AS kind
WHERE call.tenant_id = %s AND call.prompt_id = %s GROUP BY kind.key ORDER BY kind.key
"""
# Connections one prompt works on; the page names no more.
_MOST_SESSIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Caused:
    """Counts over every call of one prompt; `sessions` are the newest of those it worked in."""

    calls: int
    refused: int
    asked: int
    masked: Mapping[str, int]
    sessions: tuple[Session, ...]


def caused_by(*, tenant: Tenant, prompt_id: UUID) -> Caused:
    """Count what a prompt caused; all zero where no call followed."""
    rows = ProxiedRequest.objects.for_tenant(tenant).filter(prompt_id=prompt_id)
    counts = rows.aggregate(
        calls=Count("pk"),
        refused=Count("pk", filter=Q(state=RequestState.REFUSED)),
        asked=Count("pk", filter=Q(approval_id__isnull=False)),
    )
    sessions = Session.objects.for_tenant(tenant).filter(pk__in=rows.values("session_id"))
    return Caused(
        **counts,
        masked=_masked(tenant, prompt_id),
        sessions=tuple(sessions.order_by("-last_at", "-id")[:_MOST_SESSIONS]),
    )


def _masked(tenant: Tenant, prompt_id: UUID) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(_MASKED.format(table=ProxiedRequest._meta.db_table), [tenant.pk, prompt_id])
        return {kind: int(count) for kind, count in cursor.fetchall()}
