"""Entering a tenant: one transaction, with the setting row-level security reads.

The tenant is always an explicit argument; nothing here remembers it between calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from uuid import UUID

from django.db import connection, transaction

from gateway.tenants.models import Tenant

_Setting = Literal[
    "app.tenant_id", "app.user_id", "app.edge_id", "app.all_tenants", "app.tenant_slug", "app.role_arn", "app.device_id"
]


_ONE = "SELECT set_config('app.tenant_id', %s, true)"
# Of every page: one way to the database and back, not two.
_BOTH = "SELECT set_config('app.tenant_id', %s, true), set_config('app.user_id', %s, true)"


def _set(setting: _Setting, value: str) -> None:
    # Local to the transaction: a pooled connection never carries one tenant into the next request.
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [setting, value])


@contextmanager
def in_tenant(tenant: Tenant | UUID, *, user_id: UUID | None = None) -> Iterator[None]:
    """Open a transaction that sees exactly one tenant's rows (and, for pages, the user's own memberships)."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(*_entering(tenant.pk if isinstance(tenant, Tenant) else tenant, user_id))
        yield


@contextmanager
def in_tenant_asking(
    tenant_id: UUID, statement: str, values: Sequence[Any], *, user_id: UUID | None = None
) -> Iterator[Sequence[Any] | None]:
    """Like `in_tenant`, with the first row of one statement, or None: asked on the same way to the database and back.

    Every call of a key or a browser begins like this, so begin, setting and statement do not wait for one another.
    """
    with transaction.atomic():
        with connection.cursor() as setting, connection.cursor() as cursor:
            with connection.wrap_database_errors, connection.connection.pipeline():
                setting.execute(*_entering(tenant_id, user_id))
                cursor.execute(statement, values)
            row: Sequence[Any] | None = cursor.fetchone()
        yield row


def _entering(tenant_id: UUID, user_id: UUID | None) -> tuple[str, list[str]]:
    return (_ONE, [str(tenant_id)]) if user_id is None else (_BOTH, [str(tenant_id), str(user_id)])


@contextmanager
def as_user(user_id: UUID) -> Iterator[None]:
    """Open a transaction that sees one user's own memberships and their tenants, and nothing else."""
    with transaction.atomic():
        _set("app.user_id", str(user_id))
        yield


@contextmanager
def as_edge(edge_id: UUID) -> Iterator[None]:
    """Open a transaction that sees one edge's own scope, and nothing else."""
    with transaction.atomic():
        _set("app.edge_id", str(edge_id))
        yield


@contextmanager
def as_role(role_arn: str) -> Iterator[None]:
    """Open a transaction that sees the connections of one AWS role, and nothing else."""
    with transaction.atomic():
        _set("app.role_arn", role_arn)
        yield


@contextmanager
def as_device(device_id: UUID) -> Iterator[None]:
    """Open a transaction that sees one enrolled device, and nothing else: it tells whose tenant is to be entered."""
    with transaction.atomic():
        _set("app.device_id", str(device_id))
        yield


def all_tenant_ids() -> list[UUID]:
    """Return every tenant's id, for tasks that visit each in turn. Only the tenant table opens to this."""
    with transaction.atomic():
        _set("app.all_tenants", "sweep")
        return list(Tenant.objects.order_by("created_at").values_list("id", flat=True))


def tenant_named(slug: str) -> Tenant | None:
    """Find the tenant somebody at the door names; nothing else of it can be read by this."""
    with transaction.atomic():
        _set("app.tenant_slug", slug)
        found = Tenant.objects.filter(slug=slug).first()
        _set("app.tenant_slug", "")
    return found
