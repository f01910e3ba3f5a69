"""The Cedar schema a revision is checked against: our entities and the closed list that is `context`.

Built for the actions each rule names. The values of these types are made by `gateway.engine.entities`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import cedarpy

from gateway.engine import catalogue
from gateway.engine.problems import Fault, FaultCode
from gateway.engine.rules import ParsedRule
from gateway.terms import AccessClass

PRINCIPALS = ("Hoopweb::Person", "Hoopweb::ServiceAccount", "Hoopweb::System")
_SOME_ACTION = catalogue.class_group(AccessClass.READ)
_STRING = {"type": "String"}
_LONG = {"type": "Long"}
_BOOL = {"type": "Boolean"}
_STRINGS = {"type": "Set", "element": _STRING}


_NOISE = re.compile(r'^for policy `policy\d+`, | for Action::"[^"]*"')


def _record(**attributes: Any) -> dict[str, Any]:
    return {"type": "Record", "attributes": attributes}


CONTEXT = _record(
    access=_STRING,
    operation=_STRING,
    service=_STRING,
    modelled=_BOOL,
    delegated=_BOOL,
    effective=_STRINGS,
    parameters=_STRINGS,
    input={"type": "Entity", "name": "Input"},
    facts=_record(public_access=_BOOL, public_network=_BOOL, foreign_access=_BOOL),
    sql={**_record(kinds=_STRINGS, tables=_STRINGS, count=_LONG, destroys=_BOOL), "required": False},
    unknown_members=_STRINGS,
    link=_record(level=_STRING, rank=_LONG),
    agent={**_record(id=_STRING, label=_STRING), "required": False},
    on_behalf_of={**_record(id=_STRING, label=_STRING), "required": False},
    person=_record(id=_STRING, label=_STRING),
    groups=_STRINGS,
    turn=_STRING,
    connection=_record(id=_STRING, label=_STRING, account=_STRING, region=_STRING),
    source=_STRING,
    source_ip={"type": "Extension", "name": "ipaddr", "required": False},
    hour=_LONG,
    session=_record(
        calls=_LONG,
        distinct_resources=_LONG,
        bytes_out=_LONG,
        deletes=_LONG,
        secrets_masked=_LONG,
        taint=_STRINGS,
    ),
)
_PRINCIPAL = {"memberOfTypes": ["Group"], "shape": _record(label=_STRING)}
_HOOPWEB = {
    "commonTypes": {"Context": CONTEXT},
    "entityTypes": {
        "Group": {},
        "Person": _PRINCIPAL,
        "ServiceAccount": _PRINCIPAL,
        "System": _PRINCIPAL,
        "Resource": {"shape": _record(arn=_STRING, service=_STRING, account=_STRING, region=_STRING)},
        "Input": {"tags": _STRING},
    },
    "actions": {},
}
_APPLIES_TO = {
    "principalTypes": list(PRINCIPALS),
    "resourceTypes": ["Hoopweb::Resource"],
    "context": {"type": "Hoopweb::Context"},
}


def schema_for(actions: Iterable[str]) -> str:
    """Cedar schema JSON that declares the given action and group ids, each action a possible member of each group.

    All actions share one shape, so declaring the ones a rule names types it as the whole list would, in a
    thousandth of the time. Which class an action has comes with each question; here any must be possible.
    """
    # A rule that names no action is about any: one stands for all.
    named = set(actions) or {_SOME_ACTION}
    groups = [{"id": name} for name in sorted(named) if catalogue.is_group(name)]
    declared: dict[str, Any] = {
        name: {"appliesTo": _APPLIES_TO, "memberOf": [] if catalogue.is_group(name) else groups} for name in named
    }
    return json.dumps({"Hoopweb": _HOOPWEB, "": {"entityTypes": {}, "actions": declared}})


def faults_of(parsed: Iterable[ParsedRule]) -> list[Fault]:
    """What strict validation says against the rules; empty when they are well typed."""
    return [fault for each in parsed for fault in _faults_of_one(each)]


def _faults_of_one(parsed: ParsedRule) -> list[Fault]:
    # Rule by rule, each against its own actions: all at once, every rule would be typed under every action named.
    result = cedarpy.validate_policies(parsed.statement.text, schema_for(parsed.actions))
    # One slip is reported once per action and principal type; the author made it once.
    messages = sorted({_NOISE.sub("", error.error) for error in result.errors})
    if not result.validation_passed and not messages:
        messages.append("the rule does not fit the schema")
    return [parsed.statement.fault(FaultCode.SCHEMA, message, rule_id=parsed.rule.id) for message in messages]
