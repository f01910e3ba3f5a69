"""Typed parameters made fit to be kept, shown and asked about: JSON values with secrets replaced, blobs summed up.

Masking what comes back from AWS belongs to `gateway.masking`, by the paths of `masking_paths`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import rfc8785

from gateway.wire.aws.actions import table_of
from gateway.wire.aws.reading import Model, Reading, model
from gateway.wire.contract import SensitivityClass
from gateway.wire.tables import Member, Shape

# What is always replaced. Private values stay: whoever approves a message must see what it says.
ALWAYS = frozenset((SensitivityClass.BEARER, SensitivityClass.SECRET))
# JSON numbers past this are read differently by different readers (RFC 8785 refuses them).
_LARGEST_EXACT = 2**53 - 1


def redacted(sensitivity: SensitivityClass) -> str:
    """What stands in a sensitive value's place."""
    return f"[REDACTED:{sensitivity.value}]"


def redacted_parameters(reading: Reading, *, classes: frozenset[SensitivityClass] = ALWAYS) -> dict[str, Any]:
    """The reading's parameters as JSON values, those of the given classes replaced.

    Times become ISO 8601, bytes {"bytes": size, "sha256": digest}. Of an operation that is only known by name
    every value is taken for a secret.
    """
    table = table_of(reading)
    if table is None:
        return {name: _redact_all(value) for name, value in reading.parameters.items()}
    redactor = _Redactor(model(reading.operation.service), classes)
    return redactor.structure(table.input, reading.parameters, None) if table.input else {}


def _redact_all(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _redact_all(item) for key, item in value.items()}
        case list():
            return [_redact_all(item) for item in value]
        case None | bool():
            return value
        case _:
            return redacted(SensitivityClass.SECRET)


class _Redactor:
    """Walks values beside their shapes; a mark on a shape or member holds for everything below it."""

    def __init__(self, model: Model, classes: frozenset[SensitivityClass]) -> None:
        self.model = model
        self.classes = classes

    def structure(self, shape: str, value: Mapping[str, Any], inherited: SensitivityClass | None) -> dict[str, Any]:
        members = {member.name: member for member in self.model.shape(shape).members}
        return {name: self.member(members[name], item, inherited) for name, item in value.items()}

    def member(self, member: Member, value: Any, inherited: SensitivityClass | None) -> Any:
        shape = self.model.shape(member.shape)
        mark = inherited or member.sensitivity or shape.sensitivity
        if mark in self.classes and mark is not None:
            return None if value is None else redacted(mark)
        return self.value(shape, member.shape, value, mark)

    def value(self, shape: Shape, name: str, value: Any, mark: SensitivityClass | None) -> Any:
        # A private mark does not travel down here: a secret below it must still be found by its own.
        if shape.is_document or value is None:
            return value
        match shape.kind:
            case "structure":
                return self.structure(name, value, None)
            case "list" if shape.element is not None:
                element = shape.element
                return [self.member(element, item, None) for item in value]
            case "map" if shape.element is not None:
                element = shape.element
                return {key: self.member(element, item, None) for key, item in value.items()}
            case _:
                return plain(value)


def plain(value: Any) -> Any:
    """A scalar as JSON has it: bytes as their size and digest, times as ISO 8601, no NaN."""
    match value:
        case bytes():
            return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return value


# --- the form approvals are bound to


def digest_parameters(reading: Reading) -> bytes:
    """The parameters in clear as canonical JSON (RFC 8785), without the tokens SDKs make anew for every call.

    Two readings have the same bytes only when they ask the same: bytes, times and numbers JSON cannot hold are
    tagged, and keys that look like a tag are escaped. For digests only: it holds secrets.
    """
    table = table_of(reading)
    parameters: Any = dict(reading.parameters)
    if table is not None and table.input:
        parameters = _without_tokens(model(reading.operation.service), table.input, reading.parameters)
    whole = {"parameters": _tagged(parameters), "unknown": _tagged(dict(reading.unknown))}
    return bytes(rfc8785.dumps(whole))


def _without_tokens(model: Model, name: str, value: Any) -> Any:
    shape = model.shape(name)
    if value is None or shape.is_document:
        return value
    match shape.kind:
        case "structure":
            members = {member.name: member for member in shape.members}
            return {
                key: _without_tokens(model, members[key].shape, item)
                for key, item in value.items()
                if not members[key].is_token
            }
        case "list" if shape.element is not None:
            return [_without_tokens(model, shape.element.shape, item) for item in value]
        case "map" if shape.element is not None:
            return {key: _without_tokens(model, shape.element.shape, item) for key, item in value.items()}
        case _:
            return value


def _tagged(value: Any) -> Any:
    match value:
        case Mapping():
            return {_escaped(key): _tagged(item) for key, item in value.items()}
        case list() | tuple():
            return [_tagged(item) for item in value]
        case bytes():
            return {"$bytes": len(value), "$sha256": hashlib.sha256(value).hexdigest()}
        case datetime():
            return {"$time": value.isoformat()}
        case bool():
            return value
        case int() if abs(value) > _LARGEST_EXACT:
            return {"$integer": str(value)}
        case float() if not math.isfinite(value):
            return {"$float": str(value)}
        case _:
            return value


def _escaped(key: str) -> str:
    return f"${key}" if key.startswith("$") else key
