"""What a reading's parameters carry: actions AWS will perform because of this call, and whether more stays folded.

Definitions are read in `definitions`; the call's own actions are `actions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.terms import AccessClass, Action
from gateway.wire import tables
from gateway.wire.aws import carried_names as names
from gateway.wire.aws import definitions
from gateway.wire.aws.actions import is_given, table_of, values_at
from gateway.wire.aws.definitions import FOLDED, NOTHING, Unfolded, found
from gateway.wire.aws.reading import Reading

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):role/.+", re.ASCII)
# Members that hold a role without saying so: API Gateway's and the like.
_ROLE_MEMBERS = frozenset(("credentials", "credentialsarn", "iamrolearn"))
# Universal targets of EventBridge Scheduler name the operation they will make.
_SDK_TARGET = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:(?P<service>[a-z0-9]+):(?P<name>[A-Za-z0-9]+)", re.ASCII)
_ALARM_ACTION = re.compile(r"arn:aws[a-z-]*:automate:[a-z0-9-]*:ec2:(?P<name>[a-z]+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Actions AWS will perform in the caller's name, and whether some could not be unfolded."""

    effective: tuple[Action, ...] = ()
    is_delegated: bool = False


NOT_CARRYING = Carried()


def carried_by(reading: Reading, access: AccessClass) -> Carried:
    """Actions AWS will perform because of this call, as far as its parameters say; the rest is delegated."""
    table = table_of(reading)
    if table is None:
        return Carried(is_delegated=True)
    unfold = _UNFOLDERS.get((reading.operation.service, reading.operation.name))
    if access in (AccessClass.LIST, AccessClass.READ) and unfold is None and not table.effective:
        return NOT_CARRYING if not table.is_delegated else Carried(is_delegated=True)
    actions = {name for place, given in table.effective if is_given(reading.parameters, place) for name, _ in given}
    if _may_pass_role(reading, access) and any(_role_arns(reading.parameters, is_role=False)):
        actions.add("iam:PassRole")
    unfolded = unfold(reading.parameters) if unfold is not None else Unfolded(is_whole=not table.is_delegated)
    # A member nobody knows may carry anything.
    is_whole = unfolded.is_whole and not (reading.unknown and table.is_delegated)
    effective = tuple(_classed(name) for name in sorted(actions | unfolded.actions))
    return Carried(effective=effective, is_delegated=not is_whole)


def _classed(name: str) -> Action:
    return Action(name=name, access=tables.iam().access_of(name))


def _may_pass_role(reading: Reading, access: AccessClass) -> bool:
    """IAM and STS name roles to manage or take them; everybody else who is given one will use it."""
    is_reading = access in (AccessClass.LIST, AccessClass.READ)
    return not is_reading and reading.operation.service not in ("iam", "sts")


def _role_arns(value: Any, *, is_role: bool) -> Iterator[str]:
    """Role ARNs under a member that speaks of roles; what stands below one speaks of them too."""
    match value:
        case Mapping():
            for key, item in value.items():
                lowered = str(key).lower()
                yield from _role_arns(item, is_role=is_role or "role" in lowered or lowered in _ROLE_MEMBERS)
        case list():
            for item in value:
                yield from _role_arns(item, is_role=is_role)
        case str() if is_role and value.startswith("arn:") and _ROLE_ARN.fullmatch(value):
            yield value
        case _:
            return


# --- unfolding, by operation

Parameters = Mapping[str, Any]


def _schedule(parameters: Parameters) -> Unfolded:
    arn = next(values_at(parameters, ["Target", "Arn"]), "")
    universal = _SDK_TARGET.fullmatch(arn) if isinstance(arn, str) else None
    if universal is None:
        return definitions.target(str(arn))
    # What the operation itself is given stands in a JSON text; a role in it will be passed.
    given = next(values_at(parameters, ["Target", "Input"]), "")
    passed = found("iam:PassRole") if ":role/" in str(given) else NOTHING
    return passed | definitions.operation(universal["service"], universal["name"])


def _targets(*places: str) -> Callable[[Parameters], Unfolded]:
    """The targets whose ARNs stand at these places, none of them being fine."""

    def unfold(parameters: Parameters) -> Unfolded:
        arns = (str(value) for place in places for value in values_at(parameters, place.split(".")))
        return definitions.union(definitions.target(arn) for arn in arns if arn)

    return unfold


def _pipe(parameters: Parameters) -> Unfolded:
    source = str(parameters.get("Source", "")).split(":")
    read = names.SOURCE_ACTIONS.get(source[2] if len(source) > 5 else "")
    return (found(*read) if read else FOLDED) | _targets("Target", "Enrichment")(parameters)


def _at(place: str, read: Callable[[Any], Unfolded]) -> Callable[[Parameters], Unfolded]:
    return lambda parameters: read(next(values_at(parameters, place.split(".")), None))


def _new_stack(parameters: Parameters) -> Unfolded:
    return definitions.template(parameters.get("TemplateBody"))


def _changed_stack(parameters: Parameters) -> Unfolded:
    """What a new template makes is known; what it no longer has will be deleted, and is known to AWS only."""
    made = definitions.template(parameters.get("TemplateBody"))
    return made if parameters.get("ChangeSetType") == "CREATE" else made | FOLDED


def _cloud_resource(parameters: Parameters) -> Unfolded:
    return definitions.template_type(str(parameters.get("TypeName", "")))


def _alarm(parameters: Parameters) -> Unfolded:
    places = ("AlarmActions", "OKActions", "InsufficientDataActions")
    arns = [str(value) for place in places for value in values_at(parameters, [place])]
    return definitions.union(_alarm_action(arn) for arn in arns)


def _alarm_action(arn: str) -> Unfolded:
    automated = _ALARM_ACTION.match(arn)
    if automated is not None:
        actions = names.ALARM_ACTIONS.get(automated["name"])
        return found(*actions) if actions else FOLDED
    # Scaling policies and incident plans were put there by calls of their own.
    return definitions.target(arn) if arn.split(":")[2:3] in (["sns"], ["lambda"]) else NOTHING


_DEFINITION = _at("definition", definitions.state_machine)


def _machine(parameters: Parameters) -> Unfolded:
    """An update may leave the definition as it is."""
    return _DEFINITION(parameters) if parameters.get("definition") else FOLDED


_UNFOLDERS: Mapping[tuple[str, str], Callable[[Parameters], Unfolded]] = {
    ("cloudcontrol", "CreateResource"): _cloud_resource,
    ("cloudformation", "CreateChangeSet"): _changed_stack,
    ("cloudformation", "CreateStack"): _new_stack,
    ("cloudformation", "UpdateStack"): _changed_stack,
    ("cloudwatch", "PutMetricAlarm"): _alarm,
    ("cloudwatch", "PutCompositeAlarm"): _alarm,
    ("events", "PutTargets"): _targets("Targets.Arn"),
    ("logs", "PutSubscriptionFilter"): _targets("destinationArn"),
    ("pipes", "CreatePipe"): _pipe,
    ("pipes", "UpdatePipe"): _pipe,
    ("s3", "PutBucketNotificationConfiguration"): _targets(
        "NotificationConfiguration.LambdaFunctionConfigurations.LambdaFunctionArn",
        "NotificationConfiguration.QueueConfigurations.QueueArn",
        "NotificationConfiguration.TopicConfigurations.TopicArn",
    ),
    ("scheduler", "CreateSchedule"): _schedule,
    ("scheduler", "UpdateSchedule"): _schedule,
    ("secretsmanager", "RotateSecret"): _targets("RotationLambdaARN"),
    ("ssm", "CreateDocument"): _at("Content", definitions.automation),
    ("ssm", "StartAutomationExecution"): _at("DocumentName", definitions.named_document),
    ("ssm", "UpdateDocument"): _at("Content", definitions.automation),
    ("stepfunctions", "CreateStateMachine"): _machine,
    ("stepfunctions", "TestState"): _machine,
    ("stepfunctions", "UpdateStateMachine"): _machine,
}
