"""SQL text to facts: how many statements, what kind each is, which tables it names. In doubt a kind is unknown.

For SQL that travels inside AWS parameters, in whichever dialect its service speaks. Loading the parser takes a second
and 20 MB, so this module is imported by its first use.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from gateway.terms import SqlStatement, StatementKind

# A statement of this size takes about 0.2 s of CPU; longer ones are bulk loads and count as unknown.
LARGEST_SQL = 20_000
MOST_STATEMENTS = 100
UNKNOWN = SqlStatement(kind=StatementKind.UNKNOWN)
# MySQL runs what stands in these comments, and every other reader skips it.
_EXECUTABLE_COMMENTS = ("/*!", "/*M!", "/*m!")

_DDL = (exp.Create, exp.Drop, exp.Alter, exp.Comment, exp.Analyze, exp.Refresh)
_DCL = (exp.Grant, exp.Revoke)
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.TruncateTable, exp.LoadData, exp.Into)
_READS = (exp.Query, exp.Values, exp.Exists, exp.Show, exp.Describe)
_NEUTRAL = (exp.Transaction, exp.Commit, exp.Rollback, exp.Use)
# Statements the parser knows by their first word only.
_COMMANDS = {
    "analyze": StatementKind.DDL,
    "cluster": StatementKind.DDL,
    "lock": StatementKind.WRITE,
    "msck": StatementKind.DDL,
    "optimize": StatementKind.WRITE,
    "reassign": StatementKind.DCL,
    "refresh": StatementKind.DDL,
    "reindex": StatementKind.DDL,
    "replace": StatementKind.WRITE,
    "show": StatementKind.READ,
    "unload": StatementKind.WRITE,
    "vacuum": StatementKind.DDL,
}
# What a DROP may take away without any row being lost.
_NO_DATA = re.compile(
    "aggregate|cast|collation|domain|event|extension|function|index|operator|policy|procedure|role|rule|sequence"
    "|trigger|type|user|view"
)
_ABOUT_USERS = ("role", "user", "group", "policy", "default", "permissions")
# Functions the parser has no name for and that only look.
_HARMLESS = re.compile(
    r"age|cardinality|current_(database|setting)|format_type|has_\w+_privilege|inet_(client|server)_(addr|port)"
    r"|jsonb?_\w+|obj_description|pg_backend_pid|pg_\w+_size|pg_size_pretty|pg_get_\w+def|quote_\w+|regexp_\w+"
    r"|row_to_json|to_(json|jsonb|tsquery|tsvector)|uuid_generate_v\d|version|width_bucket"
)
# The parser's own messages quote the statement. A filter, as configuring logging anew would enable the logger again.
logging.getLogger("sqlglot").addFilter(lambda _record: False)


def statements(text: str, dialects: Collection[str]) -> tuple[SqlStatement, ...]:
    """The facts of each statement, in order, never empty.

    Where several dialects are possible all must read the text alike; else every statement of it is unknown, with the
    tables any of them saw.
    """
    if len(text) > LARGEST_SQL or any(mark in text for mark in _EXECUTABLE_COMMENTS):
        return (UNKNOWN,)
    readings = [_read(text, dialect) for dialect in dialects]
    if len(set(readings)) == 1:
        return readings[0]
    seen = [each for reading in readings for each in reading]
    tables = tuple(sorted({table for each in seen for table in each.tables}))
    doubt = SqlStatement(kind=StatementKind.UNKNOWN, tables=tables, destroys=any(each.destroys for each in seen))
    return (doubt,) * max(len(reading) for reading in readings)


def _read(text: str, dialect: str) -> tuple[SqlStatement, ...]:
    try:
        parsed = [one for one in sqlglot.parse(text, dialect=dialect or None) if one is not None]
        found = tuple(_facts(one, dialect) for one in parsed)
    except (SqlglotError, RecursionError, ValueError):
        return (UNKNOWN,)
    return found if 0 < len(found) <= MOST_STATEMENTS else (UNKNOWN,)


def _facts(statement: exp.Expr, dialect: str) -> SqlStatement:
    if isinstance(statement, exp.Command) and str(statement.this).lower() == "explain":
        return _explained(statement, dialect)
    tables = tuple(sorted(_tables(statement)))
    return SqlStatement(kind=_kind(statement), tables=tables, destroys=_destroys(statement))


def _explained(command: exp.Command, dialect: str) -> SqlStatement:
    """EXPLAIN shows a plan; EXPLAIN ANALYZE runs what it explains."""
    text = str(command.expression.this if command.expression else "")
    first = text.lstrip().lower()
    if not first.startswith(("analy", "(")):
        return SqlStatement(kind=StatementKind.READ, tables=_read(text, dialect)[0].tables)
    if first.startswith("("):
        return UNKNOWN
    inner = _read(text.lstrip().partition(" ")[2], dialect)
    return inner[0] if len(inner) == 1 else UNKNOWN


def _kind(statement: exp.Expr) -> StatementKind:
    match statement:
        case exp.Command():
            return _kind_of_command(statement)
        case exp.Create() | exp.Drop() if str(statement.args.get("kind")).lower() in _ABOUT_USERS:
            return StatementKind.DCL
        case _ if isinstance(statement, _DCL):
            return StatementKind.DCL
        case _ if isinstance(statement, _DDL):
            return StatementKind.DDL
        case _ if isinstance(statement, _WRITES) or statement.find(*_WRITES):
            return StatementKind.WRITE
        case _ if isinstance(statement, _NEUTRAL):
            return StatementKind.READ
        case _ if isinstance(statement, _READS):
            return StatementKind.UNKNOWN if _calls_unknown(statement) else StatementKind.READ
        case _:
            return StatementKind.UNKNOWN


def _kind_of_command(command: exp.Command) -> StatementKind:
    verb = str(command.this).lower().partition(" ")[0]
    rest = str(command.expression or "").strip("' ").lower().split()
    if verb in ("create", "alter", "drop", "set"):
        is_about_users = any(word in _ABOUT_USERS or word == "authorization" for word in rest[:2])
        if is_about_users or "owner" in rest:
            return StatementKind.DCL
        return StatementKind.DDL if verb != "set" else StatementKind.UNKNOWN
    return _COMMANDS.get(verb, StatementKind.UNKNOWN)


def _destroys(statement: exp.Expr) -> bool:
    """Whether data is gone after it that no condition picked: whole tables, columns, partitions, all rows."""
    if isinstance(statement, exp.Command):
        words = f"{statement.this} {statement.expression or ''}".lower().split()
        is_drop = words[0] == "drop" or (words[0] == "alter" and "drop" in words)
        return words[0] == "truncate" or (is_drop and not any(_NO_DATA.fullmatch(word) for word in words[1:4]))
    if isinstance(statement, exp.Create) and statement.args.get("replace"):
        return _NO_DATA.fullmatch(str(statement.args.get("kind")).lower()) is None
    parts = statement.find_all(exp.Drop, exp.DropPartition, exp.TruncateTable, exp.Delete, exp.Update)
    return any(_takes_all(part) for part in parts)


def _takes_all(part: exp.Expr) -> bool:
    match part:
        case exp.Drop():
            kind = str(part.args.get("kind") or "").lower()
            return kind not in ("constraint", "default") and _NO_DATA.fullmatch(kind) is None
        case exp.Delete() | exp.Update():
            # A condition without a column (`1=1`) picks nothing. A merge says in its own ON which rows it means.
            conditions = [part.args.get("where"), *(join.args.get("on") for join in part.find_all(exp.Join))]
            is_picked = any(each is not None and each.find(exp.Column) for each in conditions)
            return not is_picked and part.find_ancestor(exp.Merge) is None
        case _:
            return True


def _calls_unknown(statement: exp.Expr) -> bool:
    """A function nobody knows may write, send or end other people's sessions."""
    return any(not _HARMLESS.fullmatch(call.name.lower()) for call in statement.find_all(exp.Anonymous))


# --- tables


def _tables(statement: exp.Expr) -> Iterator[str]:
    seen = set()
    for table in statement.find_all(exp.Table):
        name = ".".join(part.name for part in table.parts).lower()
        if name and name not in seen and not _is_common(table):
            seen.add(name)
            yield name


def _is_common(table: exp.Table) -> bool:
    """Whether the name is that of a WITH clause that holds here, rather than a table's.

    Inside its own definition, and before it, the same name still means the table.
    """
    if len(table.parts) > 1:
        return False
    below: exp.Expr = table
    above: exp.Expr | None = table.parent
    while above is not None:
        clause = above.args.get("with_")
        if clause is not None and clause is not below and _is_defined(clause, table.name, passed=None):
            return True
        if isinstance(above, exp.With) and _is_defined(above, table.name, passed=below):
            return True
        below, above = above, above.parent
    return False


def _is_defined(clause: exp.With, name: str, *, passed: exp.Expr | None) -> bool:
    """Whether `clause` defines the name for a reference in its body, or in the definition `passed`."""
    for definition in clause.expressions:
        is_same = definition.alias.lower() == name.lower()
        if definition is passed:
            return is_same and bool(clause.args.get("recursive"))
        if is_same:
            return True
    return False
