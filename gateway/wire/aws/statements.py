"""Which parameters of which operations hold SQL, and in whose dialect.

What a statement does is told by `gateway.wire.sql`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.terms import SqlStatement
from gateway.wire.aws.actions import values_at
from gateway.wire.aws.reading import Reading

# The Data API does not say whether its cluster is PostgreSQL or MySQL: both must read a statement alike.
_AURORA = ("postgres", "mysql")
_ATHENA = ("athena",)
_PARTIQL = ("",)
_TRINO = ("trino",)
_REDSHIFT = ("redshift",)
_PRESTO = ("presto",)

Places = tuple[tuple[str, tuple[str, ...]], ...]

_SQL: Mapping[tuple[str, str], Places] = {
    ("athena", "CreateNamedQuery"): (("QueryString", _ATHENA),),
    ("athena", "CreatePreparedStatement"): (("QueryStatement", _ATHENA),),
    ("athena", "StartQueryExecution"): (("QueryString", _ATHENA),),
    ("athena", "UpdateNamedQuery"): (("QueryString", _ATHENA),),
    ("athena", "UpdatePreparedStatement"): (("QueryStatement", _ATHENA),),
    ("cleanrooms", "StartProtectedQuery"): (("sqlParameters.queryString", _TRINO),),
    ("cloudtrail", "StartQuery"): (("QueryStatement", _PRESTO),),
    ("config", "SelectAggregateResourceConfig"): (("Expression", _TRINO),),
    ("config", "SelectResourceConfig"): (("Expression", _TRINO),),
    ("dynamodb", "BatchExecuteStatement"): (("Statements.Statement", _PARTIQL),),
    ("dynamodb", "ExecuteStatement"): (("Statement", _PARTIQL),),
    ("dynamodb", "ExecuteTransaction"): (("TransactStatements.Statement", _PARTIQL),),
    ("rds-data", "BatchExecuteStatement"): (("sql", _AURORA),),
    ("rds-data", "ExecuteSql"): (("sqlStatements", _AURORA),),
    ("rds-data", "ExecuteStatement"): (("sql", _AURORA),),
    ("redshift-data", "BatchExecuteStatement"): (("Sqls", _REDSHIFT),),
    ("redshift-data", "ExecuteStatement"): (("Sql", _REDSHIFT),),
    ("s3", "SelectObjectContent"): (("Expression", _TRINO),),
    ("timestream-query", "CreateScheduledQuery"): (("QueryString", _TRINO),),
    ("timestream-query", "PrepareQuery"): (("QueryString", _TRINO),),
    ("timestream-query", "Query"): (("QueryString", _TRINO),),
}


def statements_of(reading: Reading) -> tuple[SqlStatement, ...]:
    """Every SQL statement in the parameters, in order; empty for an operation that carries none."""
    places = _SQL.get((reading.operation.service, reading.operation.name))
    return tuple(_statements(reading, places)) if places else ()


def _statements(reading: Reading, places: Places) -> Iterator[SqlStatement]:
    # The parser is loaded by the first call that carries SQL; most processes never see one.
    from gateway.wire import sql

    for place, dialects in places:
        for text in values_at(reading.parameters, place.split(".")):
            if isinstance(text, str):
                yield from sql.statements(text, dialects)
