"""Policy documents inside a call's parameters: whom their statements let in.

They stand in many members, as text or as a structure, and are found by their form. How far one principal reaches is
`gateway.engine.reach`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.engine.reach import Reach, is_account, is_wide, reach_of

# JSON inside JSON inside a template: deeper than this nobody writes by hand.
_DEEPEST_TEXT = 4
_OPERATORS = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"})
_ACCOUNTS = frozenset(
    {"aws:sourceaccount", "aws:sourceowner", "aws:principalaccount", "kms:calleraccount", "s3:dataaccesspointaccount"}
)
_ARNS = frozenset({"aws:sourcearn", "aws:principalarn", "s3:dataaccesspointarn"})
_ORGANIZATIONS = frozenset({"aws:principalorgid", "aws:principalorgpaths", "aws:sourceorgid", "aws:sourceorgpaths"})
# Whose networks and users these are cannot be told from here.
_OTHERS = frozenset({"aws:sourcevpc", "aws:sourcevpce", "aws:userid"})


class _Unclear(ValueError):
    """A text that may be a policy and cannot be read in one way only."""


def reach_of_documents(parameters: Mapping[str, Any], account: str) -> Reach:
    """How far all policy documents in a call's parameters reach together; OWN where there is none."""
    try:
        statements = list(_statements(parameters, 0))
    except (_Unclear, RecursionError):
        return Reach.PUBLIC
    return max((reach_of_statement(each, account) for each in statements), default=Reach.OWN)


def _statements(value: Any, texts: int) -> Iterator[Mapping[str, Any]]:
    match value:
        case Mapping():
            names = _folded(value) if _is_document(value) else {}
            yield from _listed(names.get("statement", ()))
            for child in value.values():
                yield from _statements(child, texts)
        case list() | tuple():
            for child in value:
                yield from _statements(child, texts)
        case str():
            yield from _statements(_decoded(value, texts), texts + 1)


def _is_document(value: Mapping[str, Any]) -> bool:
    return any(key.casefold() == "statement" for key in value)


def _listed(statements: Any) -> Iterator[Mapping[str, Any]]:
    for each in statements if isinstance(statements, list | tuple) else [statements]:
        if not isinstance(each, Mapping):
            raise _Unclear
        yield each


def _decoded(text: str, texts: int) -> Any:
    """What a text holds, if it is JSON that can hold a policy; None for any other text."""
    begins = text.lstrip("\ufeff \t\r\n")[:1]
    # A backslash can hide the word: JSON may escape every letter of a key.
    may_hold = begins in ("{", "[") and ("statement" in text.casefold() or "\\" in text)
    if not may_hold:
        return None
    if texts >= _DEEPEST_TEXT:
        raise _Unclear
    try:
        return json.loads(text.lstrip("\ufeff"), object_pairs_hook=_once)
    except ValueError:
        if "statement" in text.casefold():
            raise _Unclear from None
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # AWS may read the other one of two.
    if len({key.casefold() for key, _ in pairs}) != len(pairs) and any(
        key.casefold() in ("statement", "principal", "effect", "condition") for key, _ in pairs
    ):
        raise _Unclear
    return dict(pairs)


def _folded(value: Mapping[str, Any]) -> dict[str, Any]:
    # IAM reads its elements' names without regard to case.
    return {key.casefold(): item for key, item in value.items()}


def reach_of_statement(statement: Mapping[str, Any], account: str) -> Reach:
    """How far one statement reaches: its principals, narrowed by its condition. One without principals reaches nobody."""
    names = _folded(statement)
    if str(names.get("effect", "allow")).casefold() == "deny":
        return Reach.OWN
    if "notprincipal" in names:
        return Reach.PUBLIC
    condition = names.get("condition") or {}
    who = max(_principals(names.get("principal"), condition, account), default=Reach.OWN)
    return min(who, _scope(condition, account)) if who is not Reach.OWN else who


def _principals(principal: Any, condition: Any, account: str) -> Iterator[Reach]:
    if not isinstance(principal, Mapping):
        yield from (reach_of(each, account) for each in _texts(principal))
        return
    for kind, value in principal.items():
        for each in _texts(value):
            yield _of_kind(kind.casefold(), each, condition, account)


def _of_kind(kind: str, value: str, condition: Any, account: str) -> Reach:
    match kind:
        case "service":
            return Reach.PUBLIC if value.strip() == "*" else Reach.OWN
        case "federated":
            # An identity provider of ours still vouches for strangers: without any condition for all of them.
            return Reach.FOREIGN if condition else Reach.PUBLIC
        case "aws":
            return reach_of(value, account)
        case _:
            return max(Reach.FOREIGN, reach_of(value, account))


def _texts(value: Any) -> Iterator[str]:
    match value:
        case None:
            return
        case str():
            yield value
        case list() | tuple():
            for each in value:
                yield from _texts(each)
        case _:
            # No principal looks like this: taken for everybody.
            yield "*"


def _scope(condition: Any, account: str) -> Reach:
    """How far a condition lets a statement reach at most. Conditions hold together, so the narrowest counts."""
    if not isinstance(condition, Mapping):
        return Reach.PUBLIC
    found = [Reach.PUBLIC]
    for operator, keys in condition.items():
        # `...IfExists` and `ForAllValues:` hold where the key is absent: they let strangers pass.
        plain = operator.casefold().removeprefix("foranyvalue:")
        if plain in _OPERATORS and isinstance(keys, Mapping):
            found += [_scope_of_key(key.casefold(), list(_texts(value)), account) for key, value in keys.items()]
    return min(found)


def _scope_of_key(key: str, values: Iterable[str], account: str) -> Reach:
    return max((_scope_of_value(key, value, account) for value in values), default=Reach.PUBLIC)


def _scope_of_value(key: str, value: str, account: str) -> Reach:
    if key in _ACCOUNTS:
        return reach_of(value, account) if is_account(value) else Reach.PUBLIC
    if key in _ARNS:
        return reach_of(value, account) if value.startswith("arn:") else Reach.PUBLIC
    if key in _ORGANIZATIONS:
        return Reach.FOREIGN if value.startswith("o-") and "*" not in value.partition("/")[0] else Reach.PUBLIC
    if key == "aws:sourceip":
        return Reach.PUBLIC if is_wide(value) else Reach.FOREIGN
    if key in _OTHERS:
        return Reach.PUBLIC if value.startswith(("*", "?")) else Reach.FOREIGN
    return Reach.PUBLIC
