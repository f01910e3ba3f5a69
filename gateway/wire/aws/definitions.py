"""Definitions inside parameters (state machines, automation documents, templates) as the actions they will perform.

Which parameters hold one is `carried`; what cannot be read whole says so, and the call stays delegated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import yaml

from gateway.wire import tables
from gateway.wire.aws import carried_names as names
from gateway.wire.aws.reading import model

# CloudFormation takes 51,200 bytes in the body, SSM 64 KiB, Step Functions 1 MiB; YAML costs 0.1 ms a KiB here.
LARGEST_JSON = 1024 * 1024
LARGEST_YAML = 128 * 1024
# Aliases can make a small document deep and wide; no real one has so many nodes.
MOST_NODES = 50_000
_TASK = re.compile(
    r"arn:aws[a-z-]*:states:::(?P<sdk>aws-sdk:)?(?P<service>[a-z0-9-]+):(?P<name>[A-Za-z0-9]+)"
    r"(?:\.(?:sync(?::2)?|waitForTaskToken))?\Z",
    re.ASCII,
)
_ARN_SERVICE = re.compile(r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):", re.ASCII)
_API_STEPS = frozenset(("aws:executeAwsApi", "aws:waitForAwsResourceProperty", "aws:assertAwsResourceProperty"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfolded:
    """Actions found, and whether they are all there are."""

    actions: frozenset[str] = frozenset()
    is_whole: bool = True

    def __or__(self, other: Self) -> Unfolded:
        return Unfolded(actions=self.actions | other.actions, is_whole=self.is_whole and other.is_whole)


NOTHING = Unfolded()
FOLDED = Unfolded(is_whole=False)


def found(*actions: str, is_whole: bool = True) -> Unfolded:
    return Unfolded(actions=frozenset(actions), is_whole=is_whole)


def union(parts: Iterator[Unfolded]) -> Unfolded:
    """All parts as one; whole only if each is."""
    whole = NOTHING
    for part in parts:
        whole |= part
    return whole


# --- operations and targets by name


def operation(service: str, name: str) -> Unfolded:
    """The actions of an operation as schedulers and state machines spell it: the Java SDK's service, camel case."""
    spelled = names.SERVICE_SPELLINGS.get(service, _services().get(service.replace("-", ""), ""))
    table = model(spelled).operation(name[:1].upper() + name[1:]) if spelled else None
    if table is None:
        return FOLDED
    return found(*(action for action, _ in table.actions), is_whole=not table.is_delegated)


def _services() -> dict[str, str]:
    return {known.replace("-", ""): known for known in tables.index().services}


def target(arn: str) -> Unfolded:
    """What AWS does to a resource that is somebody's target; folded where the ARN names no service of the list."""
    match = _ARN_SERVICE.match(arn)
    service = match["service"] if match else ""
    if service not in names.TARGET_ACTIONS:
        return FOLDED
    return found(*names.TARGET_ACTIONS[service], is_whole=service not in names.DELEGATING_TARGETS)


# --- documents


class _Duplicate(ValueError):
    """A key that stands twice: two readers could take different values."""


class _YamlLoader(yaml.CSafeLoader):
    """YAML without objects; CloudFormation's short tags (`!Ref`) are read as what they stand beside."""


def _mapping(loader: _YamlLoader, node: yaml.MappingNode) -> dict[str, Any]:
    pairs = [(str(loader.construct_object(key)), value) for key, value in node.value]
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Duplicate
    return {key: loader.construct_object(value, deep=True) for key, value in pairs}


def _tagged(loader: _YamlLoader, suffix: str, node: yaml.Node) -> Any:
    match node:
        case yaml.MappingNode():
            value: Any = _mapping(loader, node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = node.value
    return {f"!{suffix}": value}


_YamlLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
_YamlLoader.add_multi_constructor("!", _tagged)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Duplicate
    return value


def document(text: Any) -> Mapping[str, Any] | None:
    """A JSON or YAML text as a mapping; None when it is none, is too large, or says one thing twice."""
    if not isinstance(text, str) or len(text) > LARGEST_JSON:
        return None
    try:
        is_json = text.lstrip().startswith("{")
        value = json.loads(text, object_pairs_hook=_unique) if is_json else _yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
    return value if isinstance(value, Mapping) else None


def _yaml(text: str) -> Any:
    if len(text) > LARGEST_YAML:
        return None
    # No loader here makes objects: it is the safe one with plain mappings.
    return yaml.load(text, Loader=_YamlLoader)  # noqa: S506


def walk(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping under a value, itself included; stops with ValueError past MOST_NODES."""
    waiting, seen = [value], 0
    while waiting:
        node = waiting.pop()
        seen += 1
        if seen > MOST_NODES:
            raise ValueError("too many nodes")
        if isinstance(node, Mapping):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


# --- state machines


def state_machine(text: Any) -> Unfolded:
    """What the tasks of an Amazon States Language definition perform, nested ones included."""
    definition = document(text)
    if definition is None:
        return FOLDED
    try:
        tasks = [node for node in walk(definition) if node.get("Type") == "Task" or _reads_or_writes(node)]
    except ValueError:
        return FOLDED
    return union(_task(task) for task in tasks)


def _reads_or_writes(node: Mapping[str, Any]) -> bool:
    """A distributed map reads its items and writes its results by integrations of its own."""
    return str(node.get("Resource", "")).startswith("arn:")


def _task(task: Mapping[str, Any]) -> Unfolded:
    resource = task.get("Resource")
    if not isinstance(resource, str):
        return FOLDED
    # A task may take its role and parameters from its input: what it passes on cannot be seen.
    passed = found("iam:PassRole") if ":role/" in json.dumps(task, default=str) else NOTHING
    return passed | _resource(resource)


def _resource(resource: str) -> Unfolded:
    match = _TASK.match(resource)
    if match is None:
        return NOTHING if ":activity:" in resource else target(resource)
    named = f"{match['service']}:{match['name']}"
    if named in names.TASK_ACTIONS and not match["sdk"]:
        return found(*names.TASK_ACTIONS[named])
    return operation(match["service"], match["name"])


# --- automation documents


def automation(text: Any) -> Unfolded:
    """What the steps of an SSM document perform; scripts, commands and other documents stay folded."""
    content = document(text)
    steps = content.get("mainSteps") if content is not None else None
    if not isinstance(steps, list):
        return FOLDED
    return union(_step(step) for step in steps)


def _step(step: Any) -> Unfolded:
    if not isinstance(step, Mapping):
        return FOLDED
    kind, inputs = str(step.get("action")), step.get("inputs")
    if kind in _API_STEPS:
        named = inputs if isinstance(inputs, Mapping) else {}
        return operation(str(named.get("Service", "")), str(named.get("Api", "")))
    if kind not in names.DOCUMENT_STEPS:
        return FOLDED
    return found(*names.DOCUMENT_STEPS[kind], is_whole=kind not in names.DELEGATING_STEPS)


def named_document(name: Any) -> Unfolded:
    """What a document AWS owns does; anybody else's is folded."""
    actions = names.AWS_DOCUMENTS.get(name) if isinstance(name, str) else None
    return found(*actions) if actions else FOLDED


# --- templates

_LOOK_UPS = {
    "secretsmanager": "secretsmanager:GetSecretValue",
    "ssm": "ssm:GetParameters",
    "ssm-secure": "ssm:GetParameters",
}
_LOOK_UP = re.compile(r"resolve:(secretsmanager|ssm-secure|ssm):")
_PART_OF_LOOK_UP = re.compile(r"\{\{resolve:(?!(?:secretsmanager|ssm-secure|ssm):)|\{\{[a-z:]{0,9}\Z")


def template(text: Any) -> Unfolded:
    """What creating a stack from a CloudFormation template performs."""
    content = document(text)
    resources = content.get("Resources") if content is not None else None
    if content is None or not isinstance(resources, Mapping):
        return FOLDED
    # Macros rewrite the template after we have read it.
    is_plain = "Transform" not in content and not any("Fn::Transform" in str(key) for key in resources)
    made = union(_template_resource(one) for one in resources.values()) | _looked_up(content)
    return made if is_plain else made | FOLDED


def _looked_up(content: Any) -> Unfolded:
    """The secrets and parameters CloudFormation reads in the caller's name to fill in `{{resolve:...}}`.

    A reference put together from parts, by a function of the template, is not read here.
    """
    try:
        texts = list(_texts(content))
    except ValueError:
        return FOLDED
    actions = [_LOOK_UPS[match[1]] for text in texts for match in _LOOK_UP.finditer(text)]
    # A parameter of the template whose value is one of Parameter Store's.
    actions += ["ssm:GetParameters" for text in texts if text.startswith("AWS::SSM::Parameter::Value<")]
    return found(*actions, is_whole=not any(map(_PART_OF_LOOK_UP.search, texts)))


def _texts(value: Any) -> Iterator[str]:
    """Every text under a value, names included; stops with ValueError past MOST_NODES."""
    waiting, seen = [value], 0
    while waiting:
        node = waiting.pop()
        seen += 1
        if seen > MOST_NODES:
            raise ValueError("too many nodes")
        if isinstance(node, str):
            yield node
        elif isinstance(node, Mapping):
            waiting.extend(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _template_resource(resource: Any) -> Unfolded:
    if not isinstance(resource, Mapping) or not isinstance(resource.get("Type"), str):
        return FOLDED
    kind = resource["Type"]
    properties = resource.get("Properties") or {}
    if not isinstance(properties, Mapping):
        return FOLDED
    given = names.TEMPLATE_PROPERTIES.get(kind, {})
    added = [action for name, actions in given.items() if properties.get(name) for action in actions]
    if _names_role(properties) and not kind.startswith("AWS::IAM::"):
        added.append("iam:PassRole")
    made = template_type(kind)
    is_hidden = kind in names.DELEGATING_TYPES or "Fn::Transform" in properties
    return made | found(*added, is_whole=not is_hidden)


def _names_role(properties: Mapping[str, Any]) -> bool:
    try:
        return any(
            "role" in str(key).lower() or key == "IamInstanceProfile" for node in walk(properties) for key in node
        )
    except ValueError:
        return True


def template_type(kind: str) -> Unfolded:
    """What creating a resource of this type performs: reviewed, or the operation `Create<Resource>`."""
    if kind in names.TEMPLATE_TYPES:
        return found(*names.TEMPLATE_TYPES[kind])
    if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource":
        return found("lambda:InvokeFunction", is_whole=False)
    parts = kind.split("::")
    if len(parts) != 3 or parts[0] != "AWS":
        return FOLDED
    service = names.TEMPLATE_SERVICES.get(parts[1].lower(), parts[1].lower())
    return operation(service, f"Create{parts[2]}")
