"""What a reading does in IAM's words: its own actions, and those its parameters add.

The compiled map is `aws/actions.toml` through the tables; what parameters carry for later is `carried`, which ARNs
are touched `resources`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.terms import AccessClass, Action
from gateway.wire import tables
from gateway.wire.aws.reading import Reading, model
from gateway.wire.tables import Actions, OperationTable

_SECRET_REFERENCE = re.compile(r"(?:\A|[/:]|parameter/)/?aws/reference/secretsmanager/(?P<secret>.+)", re.DOTALL)
_PARTIQL = re.compile(r"\s*(select|insert|update|delete|exists)\b", re.IGNORECASE)
_PARTIQL_ACTIONS = {
    "select": "dynamodb:PartiQLSelect",
    "exists": "dynamodb:PartiQLSelect",
    "insert": "dynamodb:PartiQLInsert",
    "update": "dynamodb:PartiQLUpdate",
    "delete": "dynamodb:PartiQLDelete",
}
_WRITE_ITEMS = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "PutRequest": "dynamodb:PutItem",
    "DeleteRequest": "dynamodb:DeleteItem",
}


def table_of(reading: Reading) -> OperationTable | None:
    """The compiled operation of a reading; None for one of which only the name is known."""
    if not reading.operation.is_modelled:
        return None
    return model(reading.operation.service).operation(reading.operation.name)


def actions_of(reading: Reading) -> tuple[Action, ...]:
    """Every IAM action the call performs, never empty. What nobody has mapped is Write and Permissions management."""
    table = table_of(reading)
    if table is None:
        name = f"{_prefix_of(reading)}:{reading.operation.name}"
        return tuple(Action(name=name, access=access) for access in (AccessClass.WRITE, AccessClass.PERMISSIONS))
    given = [pair for place, actions in table.given if is_given(reading.parameters, place) for pair in actions]
    narrowed = _narrowed(reading, table.actions)
    return _unique((*narrowed, *given, *_said_by_values(reading)))


def _unique(pairs: Actions) -> tuple[Action, ...]:
    return tuple(Action(name=name, access=access) for name, access in dict.fromkeys(pairs))


def _prefix_of(reading: Reading) -> str:
    service = reading.operation.service
    return model(service).table.iam_prefix if service in tables.index().services else service


def is_given(parameters: Mapping[str, Any], place: str) -> bool:
    """Whether a parameter at a dotted place is there and says something; lists on the way mean any element."""
    return any(value not in (None, False, "", [], {}) for value in values_at(parameters, place.split(".")))


def values_at(value: Any, segments: list[str]) -> Iterator[Any]:
    """All values at a place, stepping through lists."""
    if isinstance(value, list):
        for item in value:
            yield from values_at(item, segments)
    elif not segments:
        yield value
    elif isinstance(value, Mapping) and segments[0] in value:
        yield from values_at(value[segments[0]], segments[1:])


# --- operations whose actions depend on what is inside

_TAGS, _UNTAGS = (
    ("TagResource", "AddTagsToResource", "AddTags", "CreateTags", "TagQueue", "PutBucketTagging"),
    ("UntagResource", "RemoveTagsFromResource", "RemoveTags", "DeleteTags", "UntagQueue", "PutBucketTagging"),
)


def _said_by_values(reading: Reading) -> Actions:
    """Actions that a value adds rather than a member's presence."""
    match reading.operation.service, reading.operation.name:
        case "s3", "CopyObject" | "UploadPartCopy" if "versionId=" in str(reading.parameters.get("CopySource")):
            return _classed(("s3:GetObjectVersion",))
        case "ssm", "GetParameter" | "GetParameters" if any(secrets_by_reference(reading)):
            return _classed(("secretsmanager:GetSecretValue",))
        case "resourcegroupstaggingapi", "TagResources" | "UntagResources" as name:
            arns = values_at(reading.parameters, ["ResourceARNList"])
            services = sorted({str(arn).split(":")[2] for arn in arns if str(arn).count(":") >= 5})
            return _classed(_tag_action(service, _TAGS if name == "TagResources" else _UNTAGS) for service in services)
        case _:
            return ()


def secrets_by_reference(reading: Reading) -> Iterator[str]:
    """The names of secrets that Parameter Store fetches for the caller, who asks for parameters of theirs."""
    for place in (["Name"], ["Names"]):
        for name in values_at(reading.parameters, place):
            match = _SECRET_REFERENCE.search(name) if isinstance(name, str) else None
            if match is not None:
                yield match["secret"]


def _tag_action(service: str, names: Iterable[str]) -> str:
    known = tables.iam().actions.get(service, {})
    preferred = "PutBucketTagging" if service == "s3" else ""
    return f"{service}:{preferred or next((name for name in names if name in known), 'TagResource')}"


def _classed(names: Iterable[str]) -> Actions:
    return tuple((name, tables.iam().access_of(name)) for name in names)


def _narrowed(reading: Reading, actions: Actions) -> Actions:
    """DynamoDB's carriers name only what they carry; anything not understood leaves the whole set."""
    if reading.operation.service != "dynamodb" or reading.unknown:
        return actions
    match reading.operation.name:
        case "TransactWriteItems":
            carried = {kind for item in values_at(reading.parameters, ["TransactItems"]) for kind in item}
            wanted = _known(carried, _WRITE_ITEMS)
        case "BatchWriteItem":
            tables_items = reading.parameters.get("RequestItems", {})
            carried = {kind for items in tables_items.values() for item in items for kind in item}
            wanted = _known(carried, _WRITE_ITEMS)
            wanted = wanted and wanted | {"dynamodb:BatchWriteItem"}
        case "ExecuteStatement" | "BatchExecuteStatement" | "ExecuteTransaction":
            wanted = _statement_actions(statements_of(reading))
        case _:
            return actions
    return tuple(pair for pair in actions if pair[0] in wanted) or actions


def _known(carried: set[str], names: Mapping[str, str]) -> set[str]:
    return {names[kind] for kind in carried} if carried <= names.keys() else set()


def statements_of(reading: Reading) -> tuple[str, ...]:
    """The PartiQL statements of a DynamoDB reading."""
    places = (["Statement"], ["Statements", "Statement"], ["TransactStatements", "Statement"])
    return tuple(value for place in places for value in values_at(reading.parameters, place))


def _statement_actions(statements: tuple[str, ...]) -> set[str]:
    found = [_PARTIQL.match(statement) for statement in statements]
    if not found or any(match is None for match in found):
        return set()
    return {_PARTIQL_ACTIONS[match[1].lower()] for match in found if match is not None}
