"""SQL inside AWS parameters is told by kind and tables, each statement of it, and in doubt it is unknown."""

from __future__ import annotations

import logging
import logging.config
from typing import Any

import pytest

from gateway.terms import StatementKind
from gateway.wire import tables
from gateway.wire.aws import statements as aws_statements
from gateway.wire.sql import LARGEST_SQL, MOST_STATEMENTS, statements
from tests.wire.making import candidate

READ, WRITE, DDL, DCL, UNKNOWN = StatementKind

POSTGRES = ("postgres",)
AURORA = ("postgres", "mysql")

KINDS = [
    ("SELECT 1", READ, ()),
    (
        "select a, count(*) from Orders o join public.items i on o.id = i.id group by a",
        READ,
        ("orders", "public.items"),
    ),
    ("SELECT * FROM t UNION ALL SELECT * FROM u", READ, ("t", "u")),
    ("VALUES (1)", READ, ()),
    ("WITH x AS (SELECT * FROM t) SELECT * FROM x", READ, ("t",)),
    ("EXPLAIN SELECT * FROM t", READ, ("t",)),
    ("BEGIN", READ, ()),
    ("ROLLBACK", READ, ()),
    ("/* hi */ -- there\n SELECT 1", READ, ()),
    ("SELECT pg_size_pretty(pg_table_size('t'))", READ, ()),
    ("INSERT INTO t VALUES (1)", WRITE, ("t",)),
    ("INSERT INTO t SELECT * FROM u", WRITE, ("t", "u")),
    ("UPDATE t SET a = 1", WRITE, ("t",)),
    ("DELETE FROM s.t WHERE a = 1", WRITE, ("s.t",)),
    ("TRUNCATE t", WRITE, ("t",)),
    ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", WRITE, ("s", "t")),
    ("COPY t FROM PROGRAM 'x'", WRITE, ("t",)),
    ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", WRITE, ("t",)),
    ("SELECT * INTO copy_of FROM t", WRITE, ("copy_of", "t")),
    ("EXPLAIN ANALYZE DELETE FROM t", WRITE, ("t",)),
    ("LOCK TABLE t", WRITE, ()),
    ("CREATE TABLE t (a int)", DDL, ("t",)),
    ("CREATE TABLE x AS SELECT * FROM t", DDL, ("t", "x")),
    ("DROP TABLE IF EXISTS t CASCADE", DDL, ("t",)),
    ("ALTER TABLE t ADD COLUMN b int", DDL, ("t",)),
    ("CREATE INDEX i ON t (a)", DDL, ("t",)),
    ("VACUUM t", DDL, ()),
    ("GRANT SELECT ON t TO bob", DCL, ("t",)),
    ("REVOKE ALL ON t FROM bob", DCL, ("t",)),
    ("CREATE ROLE x SUPERUSER", DCL, ()),
    ("CREATE USER x", DCL, ()),
    ("ALTER ROLE x SUPERUSER", DCL, ()),
    ("DROP USER x", DCL, ()),
    ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO x", DCL, ()),
    ("ALTER TABLE t OWNER TO x", DCL, ()),
    ("SET SESSION AUTHORIZATION x", DCL, ()),
    ("SET ROLE x", DCL, ()),
    ("CREATE POLICY p ON t", DCL, ()),
    ("CALL p(1)", UNKNOWN, ()),
    ("DO $$ BEGIN DELETE FROM t; END $$", UNKNOWN, ()),
    ("EXECUTE p", UNKNOWN, ()),
    ("PREPARE p AS DELETE FROM t", UNKNOWN, ()),
    ("SELECT pg_terminate_backend(1)", UNKNOWN, ()),
    ("SELECT * FROM t WHERE dblink_exec('x', 'DROP TABLE t') = 'x'", UNKNOWN, ("t",)),
    ("SELECT my_function(a) FROM t", UNKNOWN, ("t",)),
    ("EXPLAIN (ANALYZE) DELETE FROM t", UNKNOWN, ()),
    ("SELEC 1 FRM", UNKNOWN, ()),
    ("", UNKNOWN, ()),
    (";", UNKNOWN, ()),
    ("'unterminated", UNKNOWN, ()),
    ("SELECT " + "(" * 5000 + "1" + ")" * 5000, UNKNOWN, ()),
]


TAKES_ALL = [
    "DROP TABLE users",
    "drop schema s cascade",
    "DROP DATABASE d",
    "TRUNCATE a, b",
    "DELETE FROM t",
    "DELETE FROM t WHERE 1 = 1",
    "DELETE FROM t USING u",
    "UPDATE t SET a = 1",
    "UPDATE t SET a = 1 WHERE TRUE",
    "ALTER TABLE t DROP COLUMN c",
    "SELECT 1; DROP TABLE t",
    "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM t",
    "DROP OWNED BY bob",
    "CREATE OR REPLACE TABLE t (a int)",
]
TAKES_SOME = [
    "DELETE FROM t WHERE id = 1",
    "DELETE FROM t USING u WHERE t.id = u.id",
    "UPDATE t SET a = 1 WHERE id = 2",
    "DROP INDEX i",
    "DROP VIEW v",
    "DROP USER bob",
    "ALTER TABLE t OWNER TO x",
    "ALTER TABLE t DROP CONSTRAINT c",
    "ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
    "CREATE OR REPLACE VIEW v AS SELECT 1",
    "CREATE TABLE t (a int)",
    "INSERT INTO t SELECT * FROM u",
    "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
    "SELECT 'DROP TABLE t'",
]


@pytest.mark.parametrize("text", TAKES_ALL)
def test_a_statement_that_no_condition_holds_back_destroys(text: str) -> None:
    assert any(each.destroys for each in statements(text, POSTGRES))


@pytest.mark.parametrize("text", TAKES_SOME)
def test_a_statement_that_picks_its_rows_or_loses_none_does_not(text: str) -> None:
    assert not any(each.destroys for each in statements(text, POSTGRES))


def test_where_dialects_disagree_the_doubt_keeps_what_either_saw() -> None:
    (doubt,) = statements("DROP TABLE `x`", AURORA)
    assert (doubt.kind, doubt.destroys) == (UNKNOWN, True)


@pytest.mark.parametrize(("text", "kind", "tables_"), KINDS)
def test_a_statement_is_its_kind_and_its_tables(text: Any, kind: Any, tables_: Any) -> None:
    (found,) = statements(text, POSTGRES)
    assert (found.kind, found.tables) == (kind, tables_)


def test_every_statement_of_a_text_counts() -> None:
    found = statements("SELECT * FROM a; DROP TABLE b; GRANT ALL ON c TO d;", POSTGRES)
    assert [(each.kind, each.tables) for each in found] == [(READ, ("a",)), (DDL, ("b",)), (DCL, ("c",))]


def test_a_semicolon_in_a_string_or_comment_ends_nothing() -> None:
    assert len(statements("SELECT 'a; DROP TABLE t' -- ; DROP TABLE u", POSTGRES)) == 1


def test_tables_fold_to_lower_case_so_that_no_spelling_slips_by_a_rule() -> None:
    (found,) = statements('SELECT * FROM "Users", PUBLIC.ORDERS', POSTGRES)
    assert found.tables == ("public.orders", "users")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WITH users AS (SELECT * FROM users) SELECT * FROM users", ("users",)),
        ("WITH a AS (SELECT * FROM t), b AS (SELECT * FROM a) SELECT * FROM b", ("t",)),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", ("b",)),
        ("SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) q, x", ("x",)),
        ("WITH RECURSIVE r AS (SELECT 1 UNION SELECT * FROM r) SELECT * FROM r", ()),
        ("WITH a AS (SELECT 1) SELECT * FROM s.a", ("s.a",)),
    ],
)
def test_a_name_that_hides_behind_a_with_clause_is_still_seen(text: Any, expected: Any) -> None:
    (found,) = statements(text, POSTGRES)
    assert found.tables == expected


# --- where the engine is not known


def test_two_dialects_that_read_alike_agree() -> None:
    (found,) = statements("SELECT * FROM orders WHERE id = 1", AURORA)
    assert (found.kind, found.tables) == (READ, ("orders",))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 # ; DROP TABLE t",
        "SELECT 'a\\'; DROP TABLE t; -- '",
        "SELECT /*! 1; DROP TABLE t */ 1",
        "SELECT * FROM t INTO OUTFILE '/x'",
    ],
)
def test_what_two_dialects_read_differently_is_unknown(text: Any) -> None:
    assert {each.kind for each in statements(text, AURORA)} == {UNKNOWN}


def test_tables_of_either_reading_count() -> None:
    found = statements("SELECT 'a\\'; DROP TABLE t; -- '", AURORA)
    assert "t" in {table for each in found for table in each.tables}


# --- bounds


def test_a_text_past_the_bound_is_unknown_and_not_parsed() -> None:
    assert statements("SELECT 1 -- " + "x" * LARGEST_SQL, POSTGRES)[0].kind is UNKNOWN


def test_more_statements_than_anybody_sends_are_unknown() -> None:
    assert statements("SELECT 1;" * (MOST_STATEMENTS + 1), POSTGRES)[0].kind is UNKNOWN


def test_no_statement_reaches_a_log(caplog: Any) -> None:
    # As Django and Celery do when they start.
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    with caplog.at_level(logging.DEBUG):
        statements("CALL steal('hunter2')", POSTGRES)
        statements("SELEC 'hunter2' FRM", POSTGRES)
    assert "hunter2" not in caplog.text


# --- the operations that carry SQL

ARNS = {
    "resourceArn": "arn:aws:rds:r:111122223333:cluster:c",
    "secretArn": "arn:aws:secretsmanager:r:111122223333:secret:s",
}
SELECT_PARTS = {
    "ExpressionType": "SQL",
    "InputSerialization": {"CSV": {}},
    "OutputSerialization": {"CSV": {}},
    "Bucket": "b",
    "Key": "k",
}
CALLS = [
    ("rds-data", "ExecuteStatement", {**ARNS, "sql": "DELETE FROM t"}, [(WRITE, ("t",))]),
    ("rds-data", "BatchExecuteStatement", {**ARNS, "sql": "SELECT 1"}, [(READ, ())]),
    ("athena", "StartQueryExecution", {"QueryString": "SELECT * FROM db.t"}, [(READ, ("db.t",))]),
    ("athena", "StartQueryExecution", {"QueryString": "MSCK REPAIR TABLE t"}, [(DDL, ())]),
    ("athena", "StartQueryExecution", {"QueryString": "UNLOAD (SELECT 1) TO 's3://b/'"}, [(WRITE, ())]),
    ("athena", "StartQueryExecution", {"QueryString": "DROP TABLE t"}, [(DDL, ("t",))]),
    (
        "redshift-data",
        "BatchExecuteStatement",
        {"Sqls": ["SELECT * FROM a", "GRANT ALL ON b TO c"], "Database": "d"},
        [(READ, ("a",)), (DCL, ("b",))],
    ),
    (
        "redshift-data",
        "ExecuteStatement",
        {"Sql": "COPY t FROM 's3://b/k' IAM_ROLE default", "Database": "d"},
        [(WRITE, ("t",))],
    ),
    ("dynamodb", "ExecuteStatement", {"Statement": 'SELECT * FROM "Music" WHERE a=1'}, [(READ, ("music",))]),
    ("dynamodb", "ExecuteStatement", {"Statement": "INSERT INTO \"t\" VALUE {'a': 1}"}, [(WRITE, ("t",))]),
    ("dynamodb", "ExecuteStatement", {"Statement": "UPDATE t SET a=1 WHERE id='x'"}, [(WRITE, ("t",))]),
    (
        "dynamodb",
        "ExecuteTransaction",
        {"TransactStatements": [{"Statement": "DELETE FROM t WHERE a='1'"}, {"Statement": "SELECT * FROM u"}]},
        [(WRITE, ("t",)), (READ, ("u",))],
    ),
    (
        "s3",
        "SelectObjectContent",
        {"Expression": "SELECT s.a FROM S3Object s", **SELECT_PARTS},
        [(READ, ("s3object",))],
    ),
    ("timestream-query", "Query", {"QueryString": "SELECT * FROM d.t"}, [(READ, ("d.t",))]),
]


@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), CALLS)
def test_sql_in_a_call_is_part_of_its_facts(service: Any, operation: Any, parameters: Any, expected: Any) -> None:
    found = candidate(service, operation, **parameters)
    assert [(each.kind, each.tables) for each in found.statements] == expected


def test_a_call_without_sql_has_no_statements() -> None:
    assert candidate("dynamodb", "GetItem", TableName="t", Key={}).statements == ()


def test_every_place_that_holds_sql_is_a_member_of_its_operation() -> None:
    for (service, operation), places in aws_statements._SQL.items():
        table = tables.service(service)
        shape = table.shape(table.operations[operation].input)
        assert shape is not None
        for place, _ in places:
            assert shape.member(place.partition(".")[0]) is not None, (service, operation)
