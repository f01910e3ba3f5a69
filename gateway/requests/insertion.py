"""Inserting request rows: one statement made once, since the ORM takes longer to make it than the database to run it.

What the rows say is `rows`; the order of writes is `write`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import connection, models
from psycopg.types.json import Jsonb

from gateway.requests.models import ProxiedRequest


@lru_cache(maxsize=1)
def _columns() -> tuple[tuple[str, bool], ...]:
    """Attribute and whether it is JSON, for every column in the model's own order."""
    fields = ProxiedRequest._meta.concrete_fields
    return tuple((field.attname, isinstance(field, models.JSONField)) for field in fields)


@lru_cache(maxsize=64)
def _statement(count: int) -> str:
    table = connection.ops.quote_name(ProxiedRequest._meta.db_table)
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in ProxiedRequest._meta.concrete_fields)
    one = f"({', '.join(['%s'] * len(_columns()))})"
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([one] * count)}"  # noqa: S608  # names of our own model


def _values(row: ProxiedRequest) -> list[Any]:
    return [Jsonb(getattr(row, name)) if is_json else getattr(row, name) for name, is_json in _columns()]


def insert(rows: Sequence[ProxiedRequest]) -> None:
    """Insert the rows in one statement; raises IntegrityError when an id is known already."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_statement(len(rows)), [value for row in rows for value in _values(row)])
