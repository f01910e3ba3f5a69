"""Rules over the SQL inside a call: kinds, tables and the number of statements."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.terms import Effect, SqlStatement, StatementKind
from tests.engine.questions import answer, candidate, question

READS_ONLY = '@id("a") permit (principal, action, resource) when { context has sql && context.sql.kinds == ["read"] };'


def effect(rule: str, *statements: SqlStatement) -> Effect:
    return answer(rule, to=question(candidate(statements=statements))).effect


def statement(kind: StatementKind, *tables: str) -> SqlStatement:
    return SqlStatement(kind=kind, tables=tables)


def test_a_rule_may_let_reads_pass_and_nothing_else() -> None:
    read = statement(StatementKind.READ, "orders")
    assert effect(READS_ONLY, read, read) is Effect.ALLOW
    for other in StatementKind:
        if other is not StatementKind.READ:
            assert effect(READS_ONLY, read, statement(other)) is Effect.DENY


def test_a_call_without_sql_has_none() -> None:
    assert effect(READS_ONLY) is Effect.DENY


@pytest.mark.parametrize(("table", "expected"), [("public.users", Effect.DENY), ("public.orders", Effect.ALLOW)])
def test_a_rule_may_name_a_table(table: Any, expected: Any) -> None:
    rule = (
        '@id("a") permit (principal, action, resource); '
        '@id("b") forbid (principal, action, resource) when { context has sql && context.sql.tables.contains("public.users") };'
    )
    assert effect(rule, statement(StatementKind.READ, "public.items", table)) is expected


def test_a_rule_may_count_statements() -> None:
    rule = '@id("a") permit (principal, action, resource) when { context has sql && context.sql.count == 1 };'
    one = statement(StatementKind.READ)
    assert effect(rule, one) is Effect.ALLOW
    assert effect(rule, one, one) is Effect.DENY


def test_a_rule_may_stop_what_takes_whole_tables() -> None:
    rule = '@id("a") permit (principal, action, resource) unless { context has sql && context.sql.destroys };'
    write = statement(StatementKind.WRITE, "orders")
    assert effect(rule, write) is Effect.ALLOW
    assert effect(rule, write, SqlStatement(kind=StatementKind.DDL, destroys=True)) is Effect.DENY
