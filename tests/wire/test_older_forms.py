"""SQS from before it moved to JSON: SDKs and CLIs of then send forms, by names no model carries any more."""

from __future__ import annotations

import pytest

from gateway.terms import Protocol
from gateway.wire.aws.candidates import candidate_of
from gateway.wire.aws.parsing import parse
from gateway.wire.problems import RepeatedParameter, UnknownOperation
from tests.wire.making import form_call, raw

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs"
# As in the examples of its API reference, action by action.
FORMS = [
    ({"Action": "ListQueues", "QueueNamePrefix": "j"}, {"QueueNamePrefix": "j"}),
    (
        {"Action": "GetQueueAttributes", "QueueUrl": URL, "AttributeName.1": "All", "AttributeName.2": "Policy"},
        {"QueueUrl": URL, "AttributeNames": ["All", "Policy"]},
    ),
    (
        {
            "Action": "SetQueueAttributes",
            "QueueUrl": URL,
            "Attribute.1.Name": "VisibilityTimeout",
            "Attribute.1.Value": "35",
        },
        {"QueueUrl": URL, "Attributes": {"VisibilityTimeout": "35"}},
    ),
    (
        {
            "Action": "CreateQueue",
            "QueueName": "jobs",
            "Attribute.1.Name": "DelaySeconds",
            "Attribute.1.Value": "45",
            "Tag.1.Key": "Team",
            "Tag.1.Value": "billing",
        },
        {"QueueName": "jobs", "Attributes": {"DelaySeconds": "45"}, "tags": {"Team": "billing"}},
    ),
    (
        {
            "Action": "SendMessage",
            "QueueUrl": URL,
            "MessageBody": "This is a test message",
            "DelaySeconds": "45",
            "MessageAttribute.1.Name": "my_attribute",
            "MessageAttribute.1.Value.StringValue": "v",
            "MessageAttribute.1.Value.DataType": "String",
        },
        {
            "QueueUrl": URL,
            "MessageBody": "This is a test message",
            "DelaySeconds": 45,
            "MessageAttributes": {"my_attribute": {"StringValue": "v", "DataType": "String"}},
        },
    ),
    (
        {
            "Action": "SendMessageBatch",
            "QueueUrl": URL,
            "SendMessageBatchRequestEntry.1.Id": "one",
            "SendMessageBatchRequestEntry.1.MessageBody": "a",
            "SendMessageBatchRequestEntry.2.Id": "two",
            "SendMessageBatchRequestEntry.2.MessageBody": "b",
        },
        {"QueueUrl": URL, "Entries": [{"Id": "one", "MessageBody": "a"}, {"Id": "two", "MessageBody": "b"}]},
    ),
    (
        {"Action": "DeleteMessageBatch", "QueueUrl": URL, "DeleteMessageBatchRequestEntry.1.Id": "m",
         "DeleteMessageBatchRequestEntry.1.ReceiptHandle": "r"},
        {"QueueUrl": URL, "Entries": [{"Id": "m", "ReceiptHandle": "r"}]},
    ),
    (
        {"Action": "ChangeMessageVisibilityBatch", "QueueUrl": URL,
         "ChangeMessageVisibilityBatchRequestEntry.1.Id": "m",
         "ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle": "r",
         "ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout": "45"},
        {"QueueUrl": URL, "Entries": [{"Id": "m", "ReceiptHandle": "r", "VisibilityTimeout": 45}]},
    ),
    (
        {"Action": "ReceiveMessage", "QueueUrl": URL, "MaxNumberOfMessages": "5", "AttributeName.1": "All",
         "MessageAttributeName.1": "a"},
        {"QueueUrl": URL, "MaxNumberOfMessages": 5, "AttributeNames": ["All"], "MessageAttributeNames": ["a"]},
    ),
    (
        {"Action": "AddPermission", "QueueUrl": URL, "Label": "l", "AWSAccountId.1": "999988887777",
         "ActionName.1": "SendMessage"},
        {"QueueUrl": URL, "Label": "l", "AWSAccountIds": ["999988887777"], "Actions": ["SendMessage"]},
    ),
    ({"Action": "TagQueue", "QueueUrl": URL, "Tag.1.Key": "k", "Tag.1.Value": "v"}, {"QueueUrl": URL, "Tags": {"k": "v"}}),
    ({"Action": "UntagQueue", "QueueUrl": URL, "TagKey.1": "k"}, {"QueueUrl": URL, "TagKeys": ["k"]}),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "parameters"), FORMS, ids=[fields["Action"] for fields, _ in FORMS])
def test_a_form_is_read_as_the_same_call_in_json(fields: dict[str, str], parameters: dict[str, object]) -> None:
    [reading] = parse(form_call(fields | {"Version": "2012-11-05"}), "sqs", "us-east-1")
    assert (reading.operation.service, reading.operation.name) == ("sqs", fields["Action"])
    assert (reading.operation.protocol, reading.operation.is_modelled) == (Protocol.QUERY, True)
    assert reading.parameters == parameters
    assert reading.unknown == {}


def test_an_attribute_by_its_name_in_json_is_no_parameter_of_a_form() -> None:
    call = form_call(
        {"Action": "SetQueueAttributes", "Version": "2012-11-05", "QueueUrl": URL, "Attributes.1.Name": "x"}
    )
    [reading] = parse(call, "sqs", "us-east-1")
    assert list(reading.unknown) == ["Attributes.1.Name"]


@pytest.mark.parametrize("path", ["/123456789012/jobs", "/123456789012/jobs/"])
def test_a_queue_may_be_called_by_its_own_address(path: str) -> None:
    target = f"{path}?Action=SendMessage&Version=2012-11-05&MessageBody=hi"
    [reading] = parse(raw(target=target), "sqs", "us-east-1")
    assert reading.parameters == {"QueueUrl": URL, "MessageBody": "hi"}
    candidate = candidate_of(reading, account="123456789012", region="us-east-1")
    assert [one.arn for one in candidate.resources] == ["arn:aws:sqs:us-east-1:123456789012:jobs"]


def test_a_queue_named_twice_is_refused() -> None:
    with pytest.raises(RepeatedParameter):
        parse(raw(target=f"/123456789012/jobs?Action=PurgeQueue&Version=2012-11-05&QueueUrl={URL}x"), "sqs", "r")


@pytest.mark.parametrize("path", ["/jobs", "/1234/jobs", "/123456789012/a/b", "/123456789012/../jobs"])
def test_what_is_no_queues_address_is_refused(path: str) -> None:
    with pytest.raises(UnknownOperation):
        parse(raw(target=f"{path}?Action=PurgeQueue&Version=2012-11-05"), "sqs", "us-east-1")


def test_no_other_service_is_called_by_such_an_address() -> None:
    with pytest.raises(UnknownOperation):
        parse(raw(target="/123456789012/jobs?Action=Publish&Version=2010-03-31"), "sns", "us-east-1")
