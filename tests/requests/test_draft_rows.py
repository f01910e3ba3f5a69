"""A request's row is drafted with every column of its table, and what is not said is what the model would put there."""

from __future__ import annotations

import msgspec
from django.db.models import Field

from gateway.requests.draft_rows import DraftRow
from gateway.requests.models import ProxiedRequest

COLUMNS: dict[str, Field] = {str(one.column): one for one in ProxiedRequest._meta.concrete_fields}


def _fields() -> dict[str, msgspec.structs.FieldInfo]:
    return {one.name: one for one in msgspec.structs.fields(DraftRow)}


def _default(field: msgspec.structs.FieldInfo) -> object:
    made = field.default_factory
    value = made() if callable(made) else field.default
    return list(value) if isinstance(value, tuple) else value


def test_a_draft_has_the_columns_of_its_table_and_no_other() -> None:
    assert _fields().keys() == COLUMNS.keys()


def test_what_is_not_said_is_what_the_model_would_put_there() -> None:
    unsaid = {name: _default(one) for name, one in _fields().items() if not one.required and name != "state"}

    assert unsaid == {name: COLUMNS[name].get_default() for name in unsaid}


def test_only_columns_that_may_be_empty_are_empty_by_default() -> None:
    empty = {name for name, one in _fields().items() if not one.required and _default(one) is None}

    assert all(COLUMNS[name].null for name in empty)
