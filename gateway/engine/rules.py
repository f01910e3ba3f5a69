"""One statement -> one rule: its kind, what its annotations say, what it is about, and its Cedar JSON.

Splitting the text is `gateway.engine.statements`; types are checked by `gateway.engine.schema`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cedarpy

from gateway.engine import annotations as notes_table
from gateway.engine import catalogue
from gateway.engine.annotations import RuleKind
from gateway.engine.problems import Fault, FaultCode, PolicyRejected
from gateway.engine.statements import Statement, statements
from gateway.terms import Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a revision. `scope` holds the action ids its head names, `reads` the context attributes its conditions
    can see; None means any.
    """

    id: str
    kind: RuleKind
    source: str
    line: int
    scope: tuple[str, ...] | None
    reads: tuple[str, ...] | None
    ask: Ask | None = None
    masks: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    advice: str = ""

    @property
    def opens_unmodelled(self) -> bool:
        """Whether this permit names the class of operations of which only the name is known."""
        return self.kind is RuleKind.PERMIT and catalogue.UNMODELLED in (self.scope or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRule:
    """A rule with what only the compiler needs: its statement, its Cedar JSON and every action id in it."""

    rule: Rule
    statement: Statement
    cedar: dict[str, Any]
    actions: frozenset[str]


def parse(text: str) -> tuple[ParsedRule, ...]:
    """Parse a policy text rule by rule; raises PolicyRejected with the faults of all of them."""
    parsed: list[ParsedRule] = []
    faults: list[Fault] = []
    for statement in statements(text):
        try:
            parsed.append(_parse_one(statement))
        except PolicyRejected as rejected:
            faults.extend(rejected.faults)
    faults.extend(duplicates(parsed))
    if not parsed and not faults:
        # An empty text would deny everything; whoever wants that writes no permit, and does not lose a file.
        faults.append(Fault(code=FaultCode.EMPTY, message="the policy has no rule"))
    if faults:
        raise PolicyRejected(faults)
    return tuple(parsed)


def duplicates(parsed: list[ParsedRule]) -> Iterator[Fault]:
    """One fault per rule whose @id an earlier rule has."""
    first: dict[str, Rule] = {}
    for each in parsed:
        earlier = first.setdefault(each.rule.id, each.rule)
        if earlier is not each.rule:
            message = f"@id is taken by the rule at {earlier.source or 'policy'}:{earlier.line}"
            yield each.statement.fault(FaultCode.DUPLICATE_ID, message, rule_id=each.rule.id)


def _parse_one(statement: Statement) -> ParsedRule:
    cedar = _cedar(statement)
    notes_in: dict[str, str | None] = cedar.pop("annotations", {})
    kind = notes_table.kind_of(cedar["effect"], notes_in)
    notes, complaints = notes_table.read(notes_in, kind)
    actions = frozenset(_actions_in(cedar))
    faults = [statement.fault(FaultCode.ANNOTATION, text, rule_id=notes_in.get("id") or "") for text in complaints]
    faults += _action_faults(statement, cedar, actions, notes_in.get("id") or "")
    if notes is None or faults:
        raise PolicyRejected(faults)
    reads = _reads(cedar["conditions"])
    rule = Rule(
        id=notes.id,
        kind=kind,
        source=statement.source,
        line=statement.line,
        scope=_scope(cedar["action"]),
        reads=None if reads is None else tuple(sorted(reads)),
        ask=notes.ask,
        masks=notes.masks,
        clear=notes.clear,
        advice=notes.advice,
    )
    return ParsedRule(rule=rule, statement=statement, cedar=cedar, actions=actions)


def _cedar(statement: Statement) -> dict[str, Any]:
    """The statement as Cedar JSON; raises PolicyRejected when it is not exactly one plain rule."""
    try:
        found = json.loads(cedarpy.policies_to_json_str(statement.text))
    except ValueError as error:
        raise PolicyRejected([statement.fault(FaultCode.SYNTAX, str(error))]) from error
    if found["templates"]:
        message = "templates are not used here: write the principal or resource out"
        raise PolicyRejected([statement.fault(FaultCode.TEMPLATE, message)])
    policies: list[dict[str, Any]] = list(found["staticPolicies"].values())
    if len(policies) != 1:
        raise PolicyRejected([statement.fault(FaultCode.SYNTAX, "a rule is missing before `;`")])
    return policies[0]


def _action_faults(
    statement: Statement, cedar: dict[str, Any], actions: frozenset[str], rule_id: str
) -> Iterator[Fault]:
    for action in sorted(actions):
        if complaint := catalogue.complaint_about(action):
            yield statement.fault(FaultCode.ACTION, complaint, rule_id=rule_id)
    named = cedar["action"].get("entity", {}).get("id", "") if cedar["action"]["op"] == "==" else ""
    if catalogue.is_group(named):
        # `==` on a group is never true: the rule would be silently dead.
        yield statement.fault(FaultCode.ACTION, f"{named!r} is a group: write `action in`", rule_id=rule_id)


def _scope(action: dict[str, Any]) -> tuple[str, ...] | None:
    match action:
        case {"op": "All"}:
            return None
        case {"entity": entity}:
            return (entity["id"],)
        case _:
            return tuple(entity["id"] for entity in action["entities"])


def _actions_in(node: Any) -> Iterator[str]:
    """Every action id anywhere in a rule's Cedar JSON; a record literal has another form and cannot pass for one."""
    match node:
        case {"type": "Action", "id": str(found)}:
            yield found
        case dict():
            for child in node.values():
                yield from _actions_in(child)
        case list():
            for child in node:
                yield from _actions_in(child)


def _reads(node: Any) -> set[str] | None:
    """Which attributes of `context` a condition can see; None when it uses `context` as a whole."""
    match node:
        case {".": {"left": {"Var": "context"}, "attr": attr}} | {"has": {"left": {"Var": "context"}, "attr": attr}}:
            return {attr}
        case {"Var": "context"}:
            return None
        case dict():
            return _union(_reads(child) for child in node.values())
        case list():
            return _union(_reads(child) for child in node)
        case _:
            return set()


def _union(found: Iterable[set[str] | None]) -> set[str] | None:
    every: set[str] = set()
    for names in found:
        if names is None:
            return None
        every |= names
    return every
