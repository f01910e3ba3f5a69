"""JSON requests: X-Amz-Target names the operation, the body is read strictly or refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.terms import Protocol
from gateway.wire import problems
from gateway.wire.aws.parsing import parse
from tests.wire.making import json_call, names, raw, reading_of

TARGET = "DynamoDB_20120810."


def test_the_target_names_the_operation() -> None:
    (reading,) = parse(json_call(TARGET + "GetItem", {"TableName": "t", "Key": {}}), "dynamodb", "eu-west-1")
    assert (reading.operation.service, reading.operation.name) == ("dynamodb", "GetItem")
    assert reading.operation.protocol is Protocol.JSON
    assert reading.operation.is_modelled
    assert reading.parameters == {"TableName": "t", "Key": {}}
    assert reading.region == "eu-west-1"


def test_two_services_of_one_signing_name_are_told_apart_by_their_targets() -> None:
    found = parse(json_call("DynamoDBStreams_20120810.ListStreams", {}), "dynamodb", "eu-west-1")
    assert names(found) == [("dynamodbstreams", "ListStreams")]


def test_values_take_the_types_of_the_model() -> None:
    item = {"b": {"B": "AP8="}, "n": {"N": "1"}, "l": {"L": [{"BOOL": True}, {"NULL": True}]}, "bs": {"BS": ["AA=="]}}
    (reading,) = parse(json_call(TARGET + "PutItem", {"TableName": "t", "Item": item}), "dynamodb", "r")
    assert reading.parameters["Item"]["b"] == {"B": b"\x00\xff"}
    assert reading.parameters["Item"]["bs"] == {"BS": [b"\x00"]}
    assert reading.parameters["Item"]["l"] == {"L": [{"BOOL": True}, {"NULL": True}]}


@pytest.mark.parametrize(
    "spelled", [1767323045, 1767323045.0, "1767323045", "2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00"]
)
def test_times_are_utc_whatever_their_spelling(spelled: Any) -> None:
    (reading,) = parse(json_call("Kinesis_20131202.GetShardIterator", {"Timestamp": spelled}), "kinesis", "r")
    assert reading.parameters["Timestamp"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("spelled", ["yesterday", "", "2026-13-01T00:00:00Z", 1e300, True, [], "12:00"])
def test_a_time_that_is_none_is_refused(spelled: Any) -> None:
    with pytest.raises(problems.UnreadableParameter):
        parse(json_call("Kinesis_20131202.GetShardIterator", {"Timestamp": spelled}), "kinesis", "r")


def test_null_members_are_absent() -> None:
    (reading,) = parse(json_call(TARGET + "GetItem", {"TableName": "t", "Key": None}), "dynamodb", "r")
    assert reading.parameters == {"TableName": "t"}


def test_an_empty_body_has_no_parameters() -> None:
    (reading,) = parse(json_call(TARGET + "ListTables", b""), "dynamodb", "r")
    assert reading.parameters == {}


# --- what the model does not know


def test_unknown_members_are_flagged_by_their_place_and_kept_aside() -> None:
    body = {"TableName": "t", "Key": {}, "New": 1, "ReturnValues": "x"}
    (reading,) = parse(json_call(TARGET + "GetItem", body), "dynamodb", "r")
    assert reading.unknown_members == ("New", "ReturnValues")
    assert reading.unknown == {"New": 1, "ReturnValues": "x"}
    assert "New" not in reading.parameters


def test_unknown_members_deep_down_are_flagged_too() -> None:
    body = {"TransactItems": [{"Put": {"TableName": "t", "Item": {}, "Extra": {"a": 1}}}]}
    (reading,) = parse(json_call(TARGET + "TransactWriteItems", body), "dynamodb", "r")
    assert reading.unknown_members == ("TransactItems[0].Put.Extra",)


def test_a_member_in_another_case_is_unknown() -> None:
    (reading,) = parse(json_call(TARGET + "GetItem", {"tablename": "t"}), "dynamodb", "r")
    assert reading.unknown_members == ("tablename",)


def test_the_type_hint_of_some_sdks_is_no_member() -> None:
    (reading,) = parse(json_call(TARGET + "ListTables", {"__type": "x"}), "dynamodb", "r")
    assert reading.unknown_members == ()


def test_an_operation_newer_than_the_models_is_known_by_name_only() -> None:
    (reading,) = parse(json_call(TARGET + "InventItem", {"TableName": "t"}), "dynamodb", "r")
    assert reading.operation.name == "InventItem"
    assert reading.operation.service == "dynamodb"
    assert not reading.operation.is_modelled
    assert reading.parameters == {"TableName": "t"}


def test_another_prefix_does_not_reach_a_known_operation() -> None:
    (reading,) = parse(json_call("DynamoDB_20991231.GetItem", {}), "dynamodb", "r")
    assert not reading.operation.is_modelled


# --- what two readers could read two ways

DIFFERENTIALS = [
    (b'{"TableName": "a", "TableName": "b"}', problems.DuplicateKey),
    (b'{"Key": {"id": {"S": "a", "S": "b"}}}', problems.DuplicateKey),
    (b'{"A": 1, "\\u0041": 2}', problems.DuplicateKey),
    (b'{"TableName": "a"} {"TableName": "b"}', problems.MalformedBody),
    (b'{"TableName": NaN}', problems.MalformedBody),
    (b'{"TableName": Infinity}', problems.MalformedBody),
    (b"{'TableName': 'a'}", problems.MalformedBody),
    (b'{"TableName": "a",}', problems.MalformedBody),
    (b'{"TableName": "\xff"}', problems.MalformedBody),
    (b'{"TableName": "\\ud800"}', problems.MalformedBody),
    ('{"TableName": "a"}'.encode("utf-16"), problems.MalformedBody),
    (b'\xef\xbb\xbf{"TableName": "a"}', problems.MalformedBody),
    (b'{"TableName": "a"', problems.MalformedBody),
    (b"[" * 100_000, problems.MalformedBody),
    (b"9" * 10_000, problems.MalformedBody),
    (b"[]", problems.UnreadableParameter),
    (b'"x"', problems.UnreadableParameter),
    (b'{"TableName": 1}', problems.UnreadableParameter),
    (b'{"TableName": ["a"]}', problems.UnreadableParameter),
    (b'{"Key": []}', problems.UnreadableParameter),
    (b'{"Key": {"a": {"B": "not base64!"}}}', problems.UnreadableParameter),
    (b'{"ConsistentRead": "true"}', problems.UnreadableParameter),
    (b'{"ConsistentRead": 1}', problems.UnreadableParameter),
    (b'{"AttributesToGet": "a"}', problems.UnreadableParameter),
]


@pytest.mark.parametrize(("body", "problem"), DIFFERENTIALS)
def test_a_body_that_could_be_read_two_ways_is_refused(body: Any, problem: Any) -> None:
    with pytest.raises(problem):
        parse(json_call(TARGET + "GetItem", body), "dynamodb", "r")


def test_a_refusal_never_quotes_a_value() -> None:
    with pytest.raises(problems.UnreadableParameter) as refused:
        parse(json_call(TARGET + "GetItem", {"TableName": {"secret": "hunter2"}}), "dynamodb", "r")
    assert "hunter2" not in refused.value.message
    assert "TableName" in refused.value.message


def test_numbers_are_not_flags_nor_flags_numbers() -> None:
    with pytest.raises(problems.UnreadableParameter):
        parse(json_call(TARGET + "Query", {"Limit": True}), "dynamodb", "r")
    with pytest.raises(problems.UnreadableParameter):
        parse(json_call(TARGET + "Query", {"Limit": 1.5}), "dynamodb", "r")
    (reading,) = parse(json_call(TARGET + "Query", {"Limit": 2.0}), "dynamodb", "r")
    assert reading.parameters == {"Limit": 2}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"at": "/?Action=DeleteTable"}, problems.AmbiguousProtocol),
        ({"at": "/other"}, problems.AmbiguousProtocol),
        ({"headers": (("smithy-protocol", "rpc-v2-cbor"),)}, problems.AmbiguousProtocol),
        ({"headers": (("X-Amz-Target", TARGET + "DeleteTable"),)}, problems.RepeatedHeader),
        ({"headers": (("X-HTTP-Method-Override", "DELETE"),)}, problems.AmbiguousProtocol),
        ({"headers": (("Connection", "close, X-Amz-Target"),)}, problems.AmbiguousProtocol),
    ],
)
def test_an_operation_named_in_two_places_is_refused(changes: Any, problem: Any) -> None:
    with pytest.raises(problem):
        parse(json_call(TARGET + "GetItem", {}, **changes), "dynamodb", "r")


@pytest.mark.parametrize(
    "target", ["", "GetItem", ".GetItem", "DynamoDB_20120810.", "A.Get-Item", "A.1Get", "A.B\u00e9"]
)
def test_a_target_that_names_nothing_is_refused(target: Any) -> None:
    with pytest.raises(problems.UnknownOperation):
        parse(json_call(target, {}), "dynamodb", "r")


def test_a_target_for_a_service_that_takes_none_is_refused() -> None:
    with pytest.raises(problems.AmbiguousProtocol):
        parse(json_call("DynamoDB_20120810.GetItem", {}), "s3", "r")


def test_a_target_with_another_method_is_refused() -> None:
    with pytest.raises(problems.AmbiguousProtocol):
        parse(raw("GET", headers=(("X-Amz-Target", TARGET + "GetItem"),)), "dynamodb", "r")


def test_a_service_nobody_knows_is_refused() -> None:
    with pytest.raises(problems.UnknownService):
        parse(json_call("X.Y", {}), "nosuchservice", "r")


def test_a_larger_body_than_any_operation_takes_is_refused() -> None:
    with pytest.raises(problems.BodyTooLarge):
        parse(json_call(TARGET + "GetItem", b" " * (16 * 1024 * 1024 + 1)), "dynamodb", "r")


def test_connection_may_say_what_it_is_for() -> None:
    parse(json_call(TARGET + "ListTables", {}, headers=(("Connection", "keep-alive"),)), "dynamodb", "r")


def test_documents_are_taken_as_they_are() -> None:
    reading = reading_of(
        "bedrock-runtime", "Converse", modelId="m", additionalModelRequestFields={"any": [1, {"deep": None}]}
    )
    assert reading.parameters["additionalModelRequestFields"] == {"any": [1, {"deep": None}]}
