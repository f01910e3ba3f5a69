"""The Cedar schema a revision is checked against: our entities and the closed list that is `context`.

Built for the actions a revision names. The values of these types are made by `gateway.engine.entities`.
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

PRINCIPALS = ("Hoopweb::Person", "Hoopweb::ServiceAccount", "Hoopweb::System")
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
    unknown_members=_STRINGS,
    link=_record(level=_STRING, rank=_LONG),
    agent={**_record(id=_STRING, label=_STRING), "required": False},
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
    """Cedar schema JSON that declares the given actions and every group they may stand in.

    All actions share one shape, so declaring the ones a revision names types its rules as the whole list would,
    in a thousandth of the time.
    """
    named = set(actions)
    groups = set(catalogue.CLASSES) | {name for name in named if catalogue.is_group(name)}
    groups |= {catalogue.service_group(name.partition(":")[0]) for name in named if not catalogue.is_group(name)}
    declared: dict[str, Any] = {name: {"appliesTo": _APPLIES_TO} for name in groups}
    for name in named - groups:
        declared[name] = {"appliesTo": _APPLIES_TO, "memberOf": [{"id": group} for group in _groups_of(name)]}
    return json.dumps({"Hoopweb": _HOOPWEB, "": {"entityTypes": {}, "actions": declared}})


def _groups_of(action: str) -> list[str]:
    # Which class an action has comes with each question; for typing, membership in any of them must be possible.
    return sorted(catalogue.CLASSES | {catalogue.service_group(action.partition(":")[0])})


def faults_of(parsed: Iterable[ParsedRule]) -> list[Fault]:
    """What strict validation says against the rules; empty when they are well typed."""
    each = tuple(parsed)
    schema = schema_for(name for rule in each for name in rule.actions)
    result = cedarpy.validate_policies("\n".join(rule.statement.text for rule in each), schema)
    # One slip is reported once per action and principal type; the author made it once.
    faults = sorted({_fault(each, error.policy_id, error.error) for error in result.errors}, key=_place)
    if not result.validation_passed and not faults:
        faults.append(Fault(code=FaultCode.SCHEMA, message="the rules do not fit the schema"))
    return faults


def _place(fault: Fault) -> tuple[str, int, str]:
    return fault.source, fault.line, fault.message


def _fault(parsed: tuple[ParsedRule, ...], policy_id: str, message: str) -> Fault:
    # The validator numbers statements in text order: policy0, policy1, ...
    number = policy_id.removeprefix("policy")
    if not number.isdecimal() or int(number) >= len(parsed):
        return Fault(code=FaultCode.SCHEMA, message=message)
    found = parsed[int(number)]
    return found.statement.fault(FaultCode.SCHEMA, _NOISE.sub("", message), rule_id=found.rule.id)
