"""Build time only: the query protocol of services that still answer it and whose models no longer say so.

SQS moved to JSON late in 2023; every SDK and CLI from before goes on with forms (Signature and Action as ever). The
names are those of its API reference (`Attribute.1.Name`); the JSON names stay beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Model = Mapping[str, Any]

# Shape -> how its elements are numbered: `AttributeName.1`. Flattened all of them, as the model still says.
_LISTS: Mapping[str, Mapping[str, str]] = {
    "sqs": {
        "AWSAccountIdList": "AWSAccountId",
        "ActionNameList": "ActionName",
        "AttributeNameList": "AttributeName",
        "BinaryList": "BinaryListValue",
        "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
        "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
        "MessageAttributeNameList": "MessageAttributeName",
        "MessageSystemAttributeList": "MessageSystemAttributeName",
        "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
        "StringList": "StringListValue",
        "TagKeyList": "TagKey",
    }
}
# Shape -> the name of its entries, of a key and of a value in them: `Tag.1.Key`, `Tag.1.Value`.
_MAPS: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "sqs": {
        "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
        "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
        "QueueAttributeMap": ("Attribute", "Name", "Value"),
        "TagMap": ("Tag", "Key", "Value"),
    }
}


def with_query(service: str, model: Model) -> Model:
    """The model as it was while it named both protocols; every other service's as it is."""
    if service not in _LISTS:
        return model
    facts = model["metadata"]
    protocols = [*dict.fromkeys((facts["protocol"], *facts.get("protocols", ()), "query"))]
    shapes = {name: _named(service, shape, name) for name, shape in model["shapes"].items()}
    return {**model, "metadata": {**facts, "protocols": protocols}, "shapes": shapes}


def _named(service: str, shape: Model, name: str) -> Model:
    if name in _LISTS[service]:
        return {**shape, "member": {**shape["member"], "locationName": _LISTS[service][name]}}
    if name in _MAPS[service]:
        _, key, value = _MAPS[service][name]
        return {
            **shape,
            "key": {**shape["key"], "locationName": key},
            "value": {**shape["value"], "locationName": value},
        }
    members = shape.get("members", {})
    if not any(member["shape"] in _MAPS[service] for member in members.values()):
        return shape
    entries = {at: _member(service, member) for at, member in members.items()}
    return {**shape, "members": entries}


def _member(service: str, member: Model) -> Model:
    entry = _MAPS[service].get(member["shape"])
    return {**member, "queryName": entry[0]} if entry else member
