"""Which parts of a call name something that may change between asking and running, and the one read that tells. Pure.

Reading them is `gateway.requests.pins`. Not looked for: what a DNS name or a tag points to, what a role may do by
then, and what stands behind names no single read resolves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.terms import Candidate

_MOVING = frozenset({"$latest", "$default"})
# Members that name a document elsewhere: what stands there is read when the call runs.
_FETCHED = frozenset({"TemplateURL", "StackPolicyURL", "SourceArn", "definitionUri"})
_S3_HOST = re.compile(r"(?:(?P<bucket>[a-z0-9.-]{3,63})\.)?s3(?:[.-](?P<region>[a-z0-9-]+))?\.amazonaws\.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One read: a botocore operation, its IAM action on these resources, and the members of its answer that pin."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(hash=False)
    action: str
    resources: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """One reference that may move; `look` is None where no read of ours would pin it."""

    name: str
    look: Look | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the call is made: ARNs are written with it."""

    region: str
    account: str

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


def moving(candidate: Candidate, *, region: str, account: str) -> tuple[Moving, ...]:
    """Return each reference that may mean something else when the call runs, by name, each once."""
    found = {one.name: one for one in _named(candidate.parameters, _Place(region=region, account=account))}
    read = _BY_OPERATION.get((candidate.operation.service, candidate.operation.name))
    if read is not None:
        one = read(candidate.parameters, _Place(region=region, account=account))
        found |= {one.name: one} if one else {}
    return tuple(found[name] for name in sorted(found))


def _named(parameters: Mapping[str, Any], place: _Place) -> Iterator[Moving]:
    """References that can be told wherever they stand: `$Latest`, documents fetched by URL, templates, code in S3."""
    for path, value in _members(parameters, ""):
        member = path.rpartition(".")[2]
        match value:
            case Mapping():
                yield from _of_structure(path, value)
            case str() if value.lower() in _MOVING and member == "Version" and _is_template(parameters, path):
                continue
            case str() if member in _FETCHED:
                look = _object_at(value)
                if look is not _PINNED:
                    yield Moving(name=f"{path}={value}", look=look)
            case str() if value.lower() in _MOVING:
                yield Moving(name=f"{path}={value}")


def _is_template(parameters: Mapping[str, Any], path: str) -> bool:
    holder: Any = parameters
    for part in path.split(".")[:-1]:
        holder = holder.get(part) if isinstance(holder, Mapping) else None
    return isinstance(holder, Mapping) and bool({"LaunchTemplateId", "LaunchTemplateName"} & holder.keys())


def _of_structure(path: str, value: Mapping[str, Any]) -> Iterator[Moving]:
    if {"LaunchTemplateId", "LaunchTemplateName"} & value.keys():
        version = str(value.get("Version") or "$Default")
        if version.lower() in _MOVING:
            yield Moving(name=f"{path}.Version={version}", look=_template(value, version))
    bucket, key = value.get("S3Bucket"), value.get("S3Key")
    if isinstance(bucket, str) and isinstance(key, str) and not value.get("S3ObjectVersion"):
        yield Moving(name=f"{path}.S3Key={key}" if path else f"S3Key={key}", look=_object(bucket, key))


def _members(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every structure and string below, with its path; a structure in a list has the list's path."""
    match value:
        case Mapping():
            yield path, value
            for key, item in value.items():
                yield from _members(item, f"{path}.{key}" if path else str(key))
        case list() | tuple():
            for item in value:
                yield from _members(item, path)
        case str():
            yield path, value


def _object(bucket: str, key: str, *, version: str = "") -> Look:
    parameters = {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})
    return Look(
        service="s3",
        operation="head_object",
        parameters=parameters,
        action="s3:GetObject",
        resources=(f"arn:aws:s3:::{bucket}/{key}",),
        told=("VersionId", "ETag", "LastModified"),
    )


# A URL that names a version: nothing moves behind it.
_PINNED = Look(service="", operation="", parameters={}, action="", resources=(), told=())


def _object_at(url: str) -> Look | None:
    """The S3 object behind a URL, _PINNED where it names a version, None where it is no object of S3."""
    parts = urlsplit(url)
    host = _S3_HOST.fullmatch(parts.hostname or "")
    path = unquote(parts.path).lstrip("/")
    if parts.scheme != "https" or host is None:
        return None
    if parse_qs(parts.query).get("versionId"):
        return _PINNED
    bucket, key = (host["bucket"], path) if host["bucket"] else path.partition("/")[::2]
    return _object(bucket, key) if bucket and key else None


def _template(value: Mapping[str, Any], version: str) -> Look:
    by = {"LaunchTemplateIds": value.get("LaunchTemplateId"), "LaunchTemplateNames": value.get("LaunchTemplateName")}
    member = "LatestVersionNumber" if version.lower() == "$latest" else "DefaultVersionNumber"
    return Look(
        service="ec2",
        operation="describe_launch_templates",
        parameters={name: [given] for name, given in by.items() if given},
        action="ec2:DescribeLaunchTemplates",
        resources=("*",),
        told=("LaunchTemplates.0.LaunchTemplateId", f"LaunchTemplates.0.{member}"),
    )


def _function(parameters: Mapping[str, Any], place: _Place) -> Moving | None:
    """A function by name or alias; a numbered version never changes."""
    named = str(parameters.get("FunctionName", ""))
    # `name`, `name:qualifier`, `account:function:name[:qualifier]`, or an ARN with or without one.
    parts = named.split(":")
    has_own = (len(parts) == 2) or (parts[0] == "arn" and len(parts) >= 8) or (parts[0] != "arn" and len(parts) >= 4)
    name = parts[0] if len(parts) <= 2 else (parts[6] if parts[0] == "arn" and len(parts) > 6 else parts[2])
    qualifier = str(parameters.get("Qualifier") or (parts[-1] if has_own else ""))
    if not name or qualifier.isdigit():
        return None
    arn = place.arn("lambda", f"function:{name}")
    look = Look(
        service="lambda",
        operation="get_function_configuration",
        parameters={"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {}),
        action="lambda:GetFunctionConfiguration",
        resources=(arn, f"{arn}:*"),
        told=("Version", "CodeSha256", "RevisionId"),
    )
    return Moving(name=f"Qualifier={qualifier}" if qualifier else "Qualifier is not given", look=look)


def _document(parameters: Mapping[str, Any], place: _Place) -> Moving | None:
    name, version = str(parameters.get("DocumentName", "")), str(parameters.get("DocumentVersion") or "")
    if version.isdigit():
        return None
    look = Look(
        service="ssm",
        operation="describe_document",
        parameters={"Name": name} | ({"DocumentVersion": version} if version else {}),
        action="ssm:DescribeDocument",
        resources=(place.arn("ssm", f"document/{name}"), f"arn:aws:ssm:{place.region}::document/{name}"),
        told=("Document.DocumentVersion", "Document.Hash"),
    )
    shown = f"DocumentVersion={version}" if version else "DocumentVersion is not given"
    return Moving(name=shown, look=look if name else None)


def _task_definition(parameters: Mapping[str, Any], place: _Place) -> Moving | None:
    named = str(parameters.get("taskDefinition") or "")
    if not named or named.rpartition(":")[2].isdigit():
        return None
    look = Look(
        service="ecs",
        operation="describe_task_definition",
        parameters={"taskDefinition": named},
        action="ecs:DescribeTaskDefinition",
        resources=("*",),
        told=("taskDefinition.taskDefinitionArn",),
    )
    return Moving(name=f"taskDefinition={named}", look=look)


def _copy_source(parameters: Mapping[str, Any], place: _Place) -> Moving | None:
    source = parameters.get("CopySource")
    if not isinstance(source, str):
        return None
    path, _, query = source.partition("?")
    if parse_qs(query).get("versionId"):
        return None
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    is_plain = bool(bucket and key) and not bucket.startswith("arn:")
    return Moving(name=f"CopySource={source}", look=_object(bucket, key) if is_plain else None)


def _read_object(parameters: Mapping[str, Any], place: _Place) -> Moving | None:
    bucket, key = str(parameters.get("Bucket", "")), str(parameters.get("Key", ""))
    if parameters.get("VersionId") or not bucket or not key:
        return None
    look = None if bucket.startswith("arn:") else _object(bucket, key)
    return Moving(name="VersionId is not given", look=look)


def _state_machine(parameters: Mapping[str, Any], place: _Place) -> Moving | None:
    arn = str(parameters.get("stateMachineArn", ""))
    # arn:aws:states:region:account:stateMachine:name[:version or alias]
    qualifier = arn.split(":")[7:8]
    if not arn or (qualifier and qualifier[0].isdigit()):
        return None
    look = Look(
        service="stepfunctions",
        operation="describe_state_machine",
        parameters={"stateMachineArn": arn},
        action="states:DescribeStateMachine",
        resources=(arn,),
        told=("revisionId", "updateDate", "definition"),
    )
    return Moving(name=f"stateMachineArn={arn}", look=look)


def _build_project(parameters: Mapping[str, Any], place: _Place) -> Moving | None:
    name = str(parameters.get("projectName", ""))
    look = Look(
        service="codebuild",
        operation="batch_get_projects",
        parameters={"names": [name]},
        action="codebuild:BatchGetProjects",
        resources=(place.arn("codebuild", f"project/{name}"),),
        told=("projects.0.lastModified",),
    )
    return Moving(name=f"projectName={name}", look=look if name else None)


_Read = Callable[[Mapping[str, Any], _Place], Moving | None]
_BY_OPERATION: Mapping[tuple[str, str], _Read] = {
    **{("lambda", name): _function for name in ("Invoke", "InvokeWithResponseStream", "InvokeAsync")},
    **{("ssm", name): _document for name in ("StartAutomationExecution", "SendCommand")},
    **{("ecs", name): _task_definition for name in ("RunTask", "StartTask", "CreateService", "UpdateService")},
    **{("s3", name): _copy_source for name in ("CopyObject", "UploadPartCopy")},
    **{("s3", name): _read_object for name in ("GetObject", "SelectObjectContent")},
    **{("stepfunctions", name): _state_machine for name in ("StartExecution", "StartSyncExecution")},
    ("codebuild", "StartBuild"): _build_project,
}
