"""IAM's evaluation of one policy document, as far as our session policies use it: the oracle of these tests.

Rules by AWS's reference: an explicit deny wins, silence is a deny, and a negated operator holds where its key is
absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Context = Mapping[str, str]


def _matches(pattern: str, value: str, *, ignore_case: bool) -> bool:
    # `${$}` is IAM's literal dollar.
    literal = re.escape(pattern.replace("${$}", "$")).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(literal, value, re.IGNORECASE if ignore_case else 0) is not None


def _any(patterns: str | list[str], value: str, *, ignore_case: bool = False) -> bool:
    return any(_matches(one, value, ignore_case=ignore_case) for one in _listed(patterns))


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


_OPERATORS: dict[str, Callable[[str | None, list[str]], bool]] = {
    "StringEquals": lambda given, wanted: given in wanted,
    "StringNotEquals": lambda given, wanted: given not in wanted,
    "StringLike": lambda given, wanted: given is not None and _any(wanted, given),
    "Bool": lambda given, wanted: given in wanted,
    "Null": lambda given, wanted: str(given is None).lower() in wanted,
}


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    return all(
        _OPERATORS[operator](context.get(key), _listed(wanted))
        for operator, keys in condition.items()
        for key, wanted in keys.items()
    )


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    if "Action" in statement:
        covers_action = _any(statement["Action"], action, ignore_case=True)
    else:
        covers_action = not _any(statement["NotAction"], action, ignore_case=True)
    if "Resource" in statement:
        covers_resource = _any(statement["Resource"], resource)
    else:
        covers_resource = not _any(statement["NotResource"], resource)
    return covers_action and covers_resource and _holds(statement.get("Condition", {}), context)


def allows(policy_json: str, action: str, resource: str = "*", **context: str) -> bool:
    """Say whether the document lets one action pass. Context keys are written with `_` for `:` (`aws_RequestedRegion`)."""
    given = {key.replace("_", ":", 1): value for key, value in context.items()}
    statements = json.loads(policy_json)["Statement"]
    effects = {one["Effect"] for one in statements if _applies(one, action, resource, given)}
    return effects == {"Allow"}
