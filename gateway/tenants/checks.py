"""Start-up check: the serving role must be bound by row-level security."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connections

from gateway.wire.addresses import networks

SERVING_ROLES = frozenset({"web", "web-edge", "worker-approved", "worker-jobs", "beat"})


def unbound_role(alias: str = "default") -> str | None:
    """Return the current database role when it is superuser or bypasses row-level security, else None."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        name, is_unbound = cursor.fetchone()
    return str(name) if is_unbound else None


def role_is_bound_by_row_security(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Django check `tenants.E001`, for serving processes."""
    if settings.ROLE not in SERVING_ROLES:
        return []
    role = unbound_role()
    if role is None:
        return []
    hint = "Serve as the app role (HOOPWEB_DB_USER=hoopweb_app); only migrations use another."
    return [Error(f"The database role {role} is not bound by row-level security.", hint=hint, id="tenants.E001")]


def egress_lists_are_exact(**_: Any) -> list[CheckMessage]:
    """Django check `tenants.E002`: a list that cannot be read must stop the start, not open or shut something else."""
    try:
        networks([*settings.EGRESS_ALLOWED, *settings.EGRESS_DENIED])
    except ValueError as error:
        return [Error(f"HOOPWEB_EGRESS_ALLOWED or HOOPWEB_EGRESS_DENIED: {error}", id="tenants.E002")]
    return []
