"""Reading connections, always inside their tenant's transaction."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from gateway.connections.models import Connection, ConnectionState
from gateway.connections.problems import ConnectionNotActive, ConnectionUnknown
from gateway.connections.sts import BaseKeys, RoleTarget
from gateway.sealing import services as sealing
from gateway.tenants.models import Tenant
from gateway.tenants.scope import as_role

SECRET_COLUMN = "connections_credential.sealed_secret"  # noqa: S105 - the name of a column


def connections(tenant: Tenant) -> QuerySet[Connection]:
    """All connections of the tenant, by name."""
    found: QuerySet[Connection] = Connection.objects.for_tenant(tenant).order_by("name")
    return found


def connection(tenant: Tenant, connection_id: UUID) -> Connection:
    """One connection; raises ConnectionUnknown, for another tenant's as for none."""
    found: Connection | None = connections(tenant).select_related("credential").filter(pk=connection_id).first()
    if found is None:
        raise ConnectionUnknown
    return found


def active_connection(tenant: Tenant, connection_id: UUID) -> Connection:
    """One connection that may be used now; raises ConnectionUnknown or ConnectionNotActive."""
    found = connection(tenant, connection_id)
    if found.state != ConnectionState.ACTIVE:
        raise ConnectionNotActive(f"Connection `{found.name}` is {found.state}")
    return found


def of_role(role_arn: str) -> list[Connection]:
    """The active connections of a role, of whichever tenants: for a workload that knows nothing but the role's name."""
    with as_role(role_arn):
        return list(Connection.objects.filter(role_arn=role_arn, state=ConnectionState.ACTIVE).order_by("id"))


def role_target(tenant: Tenant, found: Connection) -> RoleTarget:
    """Everything STS needs, with the base keys opened; take it out of the transaction before asking STS."""
    return RoleTarget(
        tenant_id=tenant.pk,
        tenant_label=tenant.slug,
        connection_id=found.pk,
        connection_label=found.name,
        account=found.account_id,
        role_arn=found.role_arn,
        external_id=found.external_id,
        regions=tuple(found.regions),
        further_accounts=tuple(found.further_accounts),
        base=_base_keys(tenant, found),
    )


def _base_keys(tenant: Tenant, found: Connection) -> BaseKeys | None:
    credential = found.credential
    if credential is None:
        return None
    secret = sealing.unseal(tenant_id=tenant.pk, column=SECRET_COLUMN, sealed=bytes(credential.sealed_secret))
    return BaseKeys(access_key_id=credential.access_key_id, secret_access_key=secret.decode())
