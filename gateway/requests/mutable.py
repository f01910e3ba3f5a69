"""Which parts of a call name something that may change between asking and running. Pure.

They are named on the request and in its event, so that whoever approves knows what the approval does not pin. Not
looked for: what an S3 key without a version holds, what a DNS name or a tag points to, what a role may do by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.terms import Candidate

_MOVING = frozenset({"$latest", "$default"})
# Operations whose target moves where nothing else is said: the member that would pin it.
_PINNED_BY = {
    ("lambda", "Invoke"): "Qualifier",
    ("lambda", "InvokeWithResponseStream"): "Qualifier",
    ("lambda", "InvokeAsync"): "Qualifier",
    ("ssm", "StartAutomationExecution"): "DocumentVersion",
    ("ssm", "SendCommand"): "DocumentVersion",
}
# Members that name a document elsewhere: what stands there is read when the call runs.
_FETCHED = frozenset({"TemplateURL", "StackPolicyURL", "SourceArn", "definitionUri"})
# A version in the ARN pins it: arn:aws:lambda:region:account:function:name:7.
_QUALIFIED_ARN_PARTS = 8


def not_pinned(candidate: Candidate) -> tuple[str, ...]:
    """Name each member that may mean something else when the call runs, sorted."""
    found = {f"{path}={value}" for path, value in _strings(candidate.parameters, "") if _moves(path, value)}
    pin = _PINNED_BY.get((candidate.operation.service, candidate.operation.name))
    if pin and not candidate.parameters.get(pin) and not _is_qualified(candidate.parameters):
        found.add(f"{pin} is not given")
    return tuple(sorted(found))


def _is_qualified(parameters: Mapping[str, Any]) -> bool:
    name = str(parameters.get("FunctionName", ""))
    # `name:alias` and `arn:...:function:name:alias` say which one, though an alias may be moved.
    return len(name.split(":")) >= _QUALIFIED_ARN_PARTS or (":" in name and not name.startswith("arn:"))


def _moves(path: str, value: str) -> bool:
    return value.lower() in _MOVING or path.rpartition(".")[2] in _FETCHED


def _strings(value: Any, path: str) -> list[tuple[str, str]]:
    match value:
        case Mapping():
            return [
                pair for key, item in value.items() for pair in _strings(item, f"{path}.{key}" if path else str(key))
            ]
        case list() | tuple():
            return [pair for item in value for pair in _strings(item, path)]
        case str():
            return [(path, value)]
        case _:
            return []
