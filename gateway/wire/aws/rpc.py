"""JSON, CBOR, query and EC2 requests: one path, the operation named in a header, a path tail or a field.

Bodies are typed by `structures` and `forms`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.terms import Operation, Protocol
from gateway.wire.aws import cbor
from gateway.wire.aws.forms import FormReader, load_form, unique
from gateway.wire.aws.reading import Model, Reading
from gateway.wire.aws.structures import StructureReader, load_json
from gateway.wire.contract import LARGEST_PARAMETERS
from gateway.wire.problems import (
    AmbiguousProtocol,
    BodyTooLarge,
    MalformedBody,
    RepeatedParameter,
    UnknownOperation,
)
from gateway.wire.request import WireRequest

FORM = "application/x-www-form-urlencoded"
_TARGET = re.compile(r"(?P<prefix>[A-Za-z0-9_.-]{1,128})\.(?P<name>[A-Za-z][A-Za-z0-9_]{0,127})\Z", re.ASCII)
_CBOR_PATH = re.compile(
    r"/service/(?P<service>[A-Za-z0-9_.-]{1,128})/operation/(?P<name>[A-Za-z][A-Za-z0-9_]{0,127})\Z", re.ASCII
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}\Z", re.ASCII)
_QUEUE_PATH = re.compile(r"(?P<queue>/[0-9]{12}/[A-Za-z0-9_-]{1,80}(?:\.fifo)?)/?\Z", re.ASCII)
_FORM_PROTOCOLS = (Protocol.QUERY, Protocol.EC2)


def json_readings(
    request: WireRequest, models: tuple[Model, ...], signing_name: str, region: str
) -> tuple[Reading, ...]:
    """The operation X-Amz-Target names; one that no model has is read with its raw members."""
    target = _TARGET.match(request.header("x-amz-target") or "")
    if target is None:
        raise UnknownOperation("X-Amz-Target is not Service.Operation")
    _refuse_query(request)
    if request.path != "/" or request.method != "POST":
        raise AmbiguousProtocol("X-Amz-Target goes with POST / only")
    speakers = tuple(model for model in models if model.table.target_prefix)
    if models and not speakers:
        raise AmbiguousProtocol("The service does not take X-Amz-Target")
    value = load_json(request.body)
    named = tuple(model for model in speakers if model.table.target_prefix == target["prefix"])
    return _structured(Protocol.JSON, named or speakers, signing_name, target["name"], value, region, bool(named))


def cbor_readings(
    request: WireRequest, models: tuple[Model, ...], signing_name: str, region: str
) -> tuple[Reading, ...]:
    """The operation a Smithy RPC path names; one that no model has is read with its raw members."""
    path = _CBOR_PATH.match(request.path)
    if path is None or request.method != "POST" or request.header("smithy-protocol") != "rpc-v2-cbor":
        raise UnknownOperation("The path is not /service/.../operation/... of Smithy RPC v2 CBOR")
    _refuse_query(request)
    speakers = tuple(model for model in models if Protocol.CBOR in model.table.protocols)
    if models and not speakers:
        raise AmbiguousProtocol("The service does not speak Smithy RPC")
    if len(request.body) > LARGEST_PARAMETERS:
        raise BodyTooLarge
    value = cbor.decode(request.body) if request.body else {}
    named = tuple(model for model in speakers if model.table.target_prefix == path["service"])
    return _structured(Protocol.CBOR, named or speakers, signing_name, path["name"], value, region, bool(named))


def _structured(
    protocol: Protocol,
    models: tuple[Model, ...],
    signing_name: str,
    name: str,
    value: Any,
    region: str,
    is_named: bool,
) -> tuple[Reading, ...]:
    found = []
    for model in models if is_named else ():
        operation = model.operation(name)
        if operation is not None:
            reader = StructureReader(model)
            parameters = reader.structure(operation.input, value) if operation.input else {}
            if not operation.input and value != {}:
                reader.unknown["body"] = value
            found.append(model.reading(operation, protocol, region, parameters, reader.unknown))
    return tuple(found) or (_unmodelled(protocol, models, signing_name, name, value, region),)


def _unmodelled(
    protocol: Protocol, models: tuple[Model, ...], signing_name: str, name: str, value: Any, region: str
) -> Reading:
    """Only the name is known. Its members are kept as they are, for the resources they may name."""
    if not isinstance(value, dict):
        raise MalformedBody("It is not a structure")
    service = models[0].name if models else signing_name
    operation = Operation(service=service, name=name, protocol=protocol, signing_name=signing_name, is_modelled=False)
    return Reading(operation=operation, region=region, parameters=value, unknown={})


# --- query and EC2


def is_form(request: WireRequest) -> bool:
    """Whether the request may be of the query protocols: a POSTed form, or an Action in the query string."""
    content_type = (request.header("content-type") or "").lower()
    posted = request.method == "POST" and content_type.partition(";")[0].strip() == FORM
    return posted or any(name == "Action" for name, _ in request.query)


def form_readings(
    request: WireRequest, models: tuple[Model, ...], signing_name: str, region: str
) -> tuple[Reading, ...]:
    """Every operation an Action and Version can mean: services share both. Empty when there is no Action."""
    fields = _fields(request)
    action, version = fields.pop("Action", None), fields.pop("Version", None)
    if action is None:
        return ()
    queue = _QUEUE_PATH.match(request.path) if signing_name == "sqs" else None
    if not (queue or request.path == "/") or not _NAME.match(action):
        raise UnknownOperation("An Action goes with the path / only")
    if queue:
        # Older clients call a queue by its own address instead of naming it.
        named = f"https://sqs.{region}.amazonaws.com{queue['queue']}"
        fields = unique((*fields.items(), ("QueueUrl", named)))
    found = tuple(
        _form_reading(model, action, fields, region)
        for model in models
        if model.table.api_version == version
        and model.operation(action) is not None
        and any(protocol in model.table.protocols for protocol in _FORM_PROTOCOLS)
    )
    if found:
        return found
    protocol = Protocol.EC2 if signing_name == "ec2" else Protocol.QUERY
    return (_unmodelled(protocol, models, signing_name, action, fields, region),)


def _fields(request: WireRequest) -> dict[str, str]:
    query = unique((name, value) for name, value in request.query if name.lower() not in request.presign)
    content_type = (request.header("content-type") or "").lower()
    form = load_form(request.body) if content_type.startswith(FORM) else {}
    if query and form:
        raise RepeatedParameter("Parameters stand in the query string and in the form")
    if query and request.body:
        raise AmbiguousProtocol("Parameters stand in the query string, and there is a body")
    return query or form


def _form_reading(model: Model, action: str, fields: Mapping[str, str], region: str) -> Reading:
    operation = model.table.operations[action]
    is_ec2 = Protocol.EC2 in model.table.protocols
    reader = FormReader(model, is_ec2=is_ec2)
    parameters: dict[str, Any] = {}
    if operation.input:
        parameters = reader.read(operation.input, fields)
    elif fields:
        reader.unknown.update(fields)
    protocol = Protocol.EC2 if is_ec2 else Protocol.QUERY
    return model.reading(operation, protocol, region, parameters, reader.unknown)


def _refuse_query(request: WireRequest) -> None:
    if any(name.lower() not in request.presign for name, _ in request.query):
        raise AmbiguousProtocol("There are parameters in the query string beside a named operation")
