"""Migration operations that put a table behind row-level security and inside its tenant.

The owner role migrates; the app role serves and gets only the rights named here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.db.migrations.operations import RunSQL

APP_ROLE = "hoopweb_app"
# NULLIF: after a transaction that set it the setting reads '' rather than NULL, and ''::uuid raises.
_CURRENT = "NULLIF(current_setting('app.{name}', true), '')::uuid"
CURRENT_TENANT = _CURRENT.format(name="tenant_id")
CURRENT_USER = _CURRENT.format(name="user_id")
CURRENT_EDGE = _CURRENT.format(name="edge_id")
# What somebody at the door typed; it opens the row of that one tenant and nothing of its.
ASKED_SLUG = "NULLIF(current_setting('app.tenant_slug', true), '')"
_NAME = re.compile(r"^[a-z_][a-z0-9_]*$")


def _named(*names: str) -> None:
    for name in names:
        if not _NAME.match(name):
            raise ValueError(f"not a plain SQL name: {name!r}")


def grant(table: str, rights: str) -> RunSQL:
    """Give the app role exactly these rights on a table that is not tenant-owned."""
    _named(table)
    return RunSQL(f"GRANT {rights} ON {table} TO {APP_ROLE}", f"REVOKE ALL ON {table} FROM {APP_ROLE}")


def policy(table: str, condition: str, *, command: str = "ALL", name: str = "tenant_isolation") -> RunSQL:
    """Add one row-level policy. Policies of one table widen each other, so keep each condition narrow."""
    _named(table, name)
    check = f" WITH CHECK ({condition})" if command in {"ALL", "INSERT"} else ""
    return RunSQL(
        f"CREATE POLICY {name} ON {table} FOR {command} USING ({condition}){check}",
        f"DROP POLICY {name} ON {table}",
    )


def force_row_security(table: str) -> RunSQL:
    """Turn row-level security on, for the owner too."""
    _named(table)
    return RunSQL(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    )


def reference(table: str, column: str, target: str) -> RunSQL:
    """Bind (tenant_id, column) to (tenant_id, id) of the target, so that no reference crosses tenants."""
    _named(table, column, target)
    name = f"{table}_{column}_in_tenant"[:63]
    return RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (tenant_id, {column}) "
        f"REFERENCES {target} (tenant_id, id) DEFERRABLE INITIALLY DEFERRED",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def isolate(table: str, *, rights: str, references: Mapping[str, str] | None = None) -> list[RunSQL]:
    """Everything a tenant-owned table needs: unique (tenant_id, id), policy, app rights, references."""
    _named(table)
    unique = f"{table}_in_tenant"[:63]
    return [
        RunSQL(
            f"ALTER TABLE {table} ADD CONSTRAINT {unique} UNIQUE (tenant_id, id)",
            f"ALTER TABLE {table} DROP CONSTRAINT {unique}",
        ),
        force_row_security(table),
        policy(table, f"tenant_id = {CURRENT_TENANT}"),
        grant(table, rights),
        *(reference(table, column, target) for column, target in (references or {}).items()),
    ]
