"""Who may see and use a connection, and keeping it for groups. The rights themselves are `gateway.identity.object_rights`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from gateway.connections import selectors
from gateway.connections.models import Connection
from gateway.connections.problems import ConnectionUnknown
from gateway.identity.caller import Caller
from gateway.identity.models import GatewayKey, Membership
from gateway.identity.object_rights import keep_for, open_to_caller
from gateway.identity.services import revoke_gateway_key
from gateway.tenants.models import Tenant
from gateway.tenants.rights import Right

USE = "view_connection"
# Whoever sets connections up, and whoever reads all evidence, sees them all; using one is another matter.
_SEE_ALL = frozenset({Right.CONNECTIONS_WRITE, Right.EVENTS_READ})


def visible_connections(caller: Caller) -> QuerySet[Connection]:
    """The connections a caller may know of, by name."""
    rows = selectors.connections(caller.tenant)
    return rows if _SEE_ALL & caller.rights else open_to_caller(rows, caller, USE)


def visible_connection(caller: Caller, connection_id: UUID) -> Connection:
    """One of them; raises ConnectionUnknown, for one kept for others as for none."""
    return _one(visible_connections(caller), connection_id)


def usable_connection(caller: Caller, connection_id: UUID) -> Connection:
    """A connection the caller may have keys to; raises ConnectionUnknown."""
    return _one(usable_connections(caller), connection_id)


def usable_connections(caller: Caller) -> QuerySet[Connection]:
    """The connections the caller may have keys to, by name. No role replaces the group here."""
    return open_to_caller(selectors.connections(caller.tenant), caller, USE)


def _one(rows: QuerySet[Connection], connection_id: UUID) -> Connection:
    found = rows.select_related("credential").filter(pk=connection_id).first()
    if found is None:
        raise ConnectionUnknown
    return found


@transaction.atomic
def keep_connection_for(
    *, tenant: Tenant, connection_id: UUID, groups: Iterable[str], by_label: str, now: datetime
) -> Connection:
    """Keep a connection for exactly these groups, or for none in particular; keys of others end with it.

    Raises ConnectionUnknown or NameRefused.
    """
    wanted = list(groups)
    selectors.connection(tenant, connection_id)
    rows = Connection.objects.for_tenant(tenant).select_for_update(no_key=True)
    found: Connection = rows.get(pk=connection_id)
    keep_for(found, wanted, permission=USE, what=f"connection {found.name}", by_label=by_label, now=now)
    if wanted:
        _end_keys_of_others(tenant, found, wanted, by_label, now)
    return found


def _end_keys_of_others(
    tenant: Tenant, connection: Connection, groups: list[str], by_label: str, now: datetime
) -> None:
    inside = Membership.objects.for_tenant(tenant).filter(groups__overlap=groups, is_active=True).values("user_id")
    live = GatewayKey.objects.for_tenant(tenant).filter(
        connection_id=connection.pk, revoked_at=None, expires_at__gt=now
    )
    # Keys derived from others end with them; a workload is in no group. Excluded in Python's sense: NULL is nobody.
    kept = live.filter(user_id__in=inside).values("id")
    for key_id in live.exclude(pk__in=kept).order_by("id").values_list("id", flat=True):
        revoke_gateway_key(tenant=tenant, key_id=key_id, by_label=by_label, now=now)
