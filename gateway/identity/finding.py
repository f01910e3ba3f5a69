"""Who stands behind a key or a browser's session: one statement each, asked while the tenant is entered.

A call spends less time here than in the ORM's compiler: these are the statements of every request. What they found is judged
in `middleware`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import models

from gateway.identity.door_models import IdentityProvider, SignIn
from gateway.identity.models import ApiKey, Membership, ServiceAccount, User
from gateway.tenants.models import Tenant

M = TypeVar("M", bound=models.Model)
# A statement and its values.
Question = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Part:
    """One table of a statement: the model, its alias, and the fields read; others are fetched should somebody ask."""

    model: type[models.Model]
    alias: str
    fields: tuple[str, ...]

    @property
    def columns(self) -> str:
        return ", ".join(f"{self.alias}.{name}" for name in self.fields)

    def made(self, values: Sequence[Any]) -> Any:
        """The row as its model, or None where the join found none."""
        is_there = values[self.fields.index("id")] is not None
        return self.model.from_db("default", self.fields, values) if is_there else None


def _part(model: type[models.Model], alias: str, *wanted: str) -> _Part:
    """These fields of a model, or all; in the model's own order, in which `from_db` takes values.

    JSON is left to be fetched when asked for: only the ORM's own compiler reads it out of its text.
    """
    plain = (field for field in model._meta.concrete_fields if not isinstance(field, models.JSONField))
    names = (field.attname for field in plain)
    return _Part(model, alias, tuple(name for name in names if not wanted or name in wanted))


_TENANT = _part(Tenant, "t")
_USER = _part(User, "u", "id", "username", "is_active")
_MEMBER = _part(Membership, "m")
_KEY = _part(ApiKey, "k")
_ACCOUNT = _part(ServiceAccount, "w", "id", "tenant_id", "name", "is_suspended")
_SIGN_IN = _part(SignIn, "s")
_PROVIDER = _part(IdentityProvider, "p")

_KEY_PARTS = (_TENANT, _KEY, _USER, _MEMBER, _ACCOUNT)
_BY_KEY = f"""
SELECT {", ".join(part.columns for part in _KEY_PARTS)}{{columns}} FROM tenants_tenant t
LEFT JOIN identity_apikey k ON k.tenant_id = t.id AND k.id = %s
LEFT JOIN identity_user u ON u.id = k.user_id
LEFT JOIN identity_membership m ON m.tenant_id = t.id AND m.user_id = k.user_id AND m.is_active
LEFT JOIN identity_serviceaccount w ON w.tenant_id = t.id AND w.id = k.service_account_id
{{join}} WHERE t.id = %s
"""  # noqa: S608  # names of our own columns
_SIGN_IN_PARTS = (_TENANT, _SIGN_IN, _PROVIDER, _MEMBER)
_BY_SIGN_IN = f"""
SELECT {", ".join(part.columns for part in _SIGN_IN_PARTS)}{{columns}} FROM tenants_tenant t
LEFT JOIN identity_signin s ON s.tenant_id = t.id AND s.id = %s AND s.user_id = %s
LEFT JOIN identity_identityprovider p ON p.tenant_id = t.id AND p.id = s.provider_id
LEFT JOIN identity_membership m ON m.tenant_id = t.id AND m.user_id = %s AND m.is_active
{{join}} WHERE t.id = %s
"""  # noqa: S608  # names of our own columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Columns of another room's table that are read with each caller: its alias is x, its rows are by tenant and person."""

    table: str = ""
    columns: tuple[str, ...] = ()

    def statement(self, text: str, person: str) -> str:
        """The statement with these columns last; `person` is the column that names the person in it."""
        join = f"LEFT JOIN {self.table} x ON x.tenant_id = t.id AND x.user_id = {person}" if self.table else ""
        return text.format(columns="".join(f", x.{name}" for name in self.columns), join=join)


@dataclass(slots=True)
class _Statements:
    by_key: str
    by_sign_in: str


_statements = _Statements(Beside().statement(_BY_KEY, ""), Beside().statement(_BY_SIGN_IN, ""))


def read_beside(beside: Beside) -> None:
    """From now on read these columns with each caller; they end the answer's row. Called while the process starts."""
    _statements.by_key = beside.statement(_BY_KEY, "k.user_id")
    _statements.by_sign_in = beside.statement(_BY_SIGN_IN, "s.user_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """A key as it stands, with whose it is; `membership` is None where the person is a member no longer."""

    tenant: Tenant
    key: ApiKey | None
    user: User | None
    membership: Membership | None
    account: ServiceAccount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitter:
    """A browser's sign-in as it stands, with the person's membership."""

    tenant: Tenant
    sign_in: SignIn | None
    membership: Membership | None


def question_of_key(tenant_id: UUID, key_id: UUID) -> Question:
    """Asks for the key of this id and who holds it; `holder` reads the answer."""
    return _statements.by_key, (key_id, tenant_id)


def question_of_sign_in(tenant_id: UUID, user: User, sign_in_id: UUID) -> Question:
    """Asks for the sign-in of this id if it is the person's; `sitter` reads the answer."""
    return _statements.by_sign_in, (sign_in_id, user.pk, user.pk, tenant_id)


def holder(row: Sequence[Any] | None) -> KeyHolder | None:
    """Who holds a key; None where there is no such tenant."""
    if row is None:
        return None
    tenant, key, user, membership, account = _parts(_KEY_PARTS, row)
    if key is not None:
        key.tenant, key.user, key.service_account = tenant, user, account
    if membership is not None:
        membership.tenant, membership.user = tenant, user
    return KeyHolder(tenant=tenant, key=key, user=user, membership=membership, account=account)


def sitter(row: Sequence[Any] | None, user: User) -> Sitter | None:
    """A browser's sign-in; None where there is no such tenant."""
    if row is None:
        return None
    tenant, sign_in, provider, membership = _parts(_SIGN_IN_PARTS, row)
    if sign_in is not None:
        sign_in.tenant, sign_in.user, sign_in.provider = tenant, user, provider
    if membership is not None:
        membership.tenant, membership.user = tenant, user
    return Sitter(tenant=tenant, sign_in=sign_in, membership=membership)


def _parts(parts: Sequence[_Part], row: Sequence[Any]) -> Iterator[Any]:
    start = 0
    for part in parts:
        yield part.made(row[start : start + len(part.fields)])
        start += len(part.fields)
