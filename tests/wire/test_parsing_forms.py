"""Query and EC2 requests: Action and Version name the operation, fields are read strictly or refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.terms import Protocol
from gateway.wire import problems
from gateway.wire.aws.parsing import parse
from tests.wire.making import FORM, form_call, names, raw, readings_of

STS, EC2, IAM, ASG = "2011-06-15", "2016-11-15", "2010-05-08", "2011-01-01"


def sts(**fields: str) -> dict[str, str]:
    return {"Action": "AssumeRole", "Version": STS, **fields}


def test_action_and_version_name_the_operation() -> None:
    (reading,) = parse(form_call(sts(RoleArn="r", RoleSessionName="s", DurationSeconds="900")), "sts", "r")
    assert (reading.operation.service, reading.operation.name) == ("sts", "AssumeRole")
    assert reading.operation.protocol is Protocol.QUERY
    assert reading.parameters == {"RoleArn": "r", "RoleSessionName": "s", "DurationSeconds": 900}


def test_a_get_carries_its_parameters_in_the_query_string() -> None:
    (reading,) = parse(raw(target=f"/?Action=GetCallerIdentity&Version={STS}"), "sts", "r")
    assert reading.operation.name == "GetCallerIdentity"
    assert reading.unknown == {}


def test_presign_parameters_are_no_parameters() -> None:
    target = f"/?Action=GetCallerIdentity&Version={STS}&X-Amz-Signature=0&X-Amz-Date=x&X-Amz-Expires=1"
    (reading,) = parse(raw(target=target), "sts", "r")
    assert reading.unknown == {}


def test_lists_and_maps_and_structures() -> None:
    fields = sts(
        **{
            "PolicyArns.member.1.arn": "p1",
            "PolicyArns.member.2.arn": "p2",
            "Tags.member.1.Key": "k",
            "Tags.member.1.Value": "v v+v",
            "TransitiveTagKeys.member.1": "k",
        }
    )
    (reading,) = parse(form_call(fields), "sts", "r")
    assert reading.parameters["PolicyArns"] == [{"arn": "p1"}, {"arn": "p2"}]
    assert reading.parameters["Tags"] == [{"Key": "k", "Value": "v v+v"}]
    assert reading.parameters["TransitiveTagKeys"] == ["k"]


def test_elements_are_ordered_by_number_not_by_text() -> None:
    fields = {f"InstanceId.{at}": f"i-{at}" for at in (10, 9, 1, 2)}
    (reading,) = parse(form_call({"Action": "DescribeInstances", "Version": EC2, **fields}), "ec2", "r")
    assert reading.parameters["InstanceIds"] == ["i-1", "i-2", "i-9", "i-10"]


def test_ec2_spells_its_names_its_own_way() -> None:
    fields = {"Filter.1.Name": "state", "Filter.1.Value.1": "a", "Filter.1.Value.2": "b", "MaxResults": "5"}
    (reading,) = parse(form_call({"Action": "DescribeInstances", "Version": EC2, **fields}), "ec2", "r")
    assert reading.operation.protocol is Protocol.EC2
    assert reading.parameters == {"Filters": [{"Name": "state", "Values": ["a", "b"]}], "MaxResults": 5}


def test_a_flattened_map_of_a_query_service() -> None:
    reading = readings_of("sns", "CreateTopic", Name="t", Attributes={"DisplayName": "d", "Policy": "{}"})[0]
    assert reading.parameters == {"Name": "t", "Attributes": {"DisplayName": "d", "Policy": "{}"}}


def test_an_empty_list_stays_a_list() -> None:
    (reading,) = parse(form_call(sts(PolicyArns="")), "sts", "r")
    assert reading.parameters["PolicyArns"] == []


def test_services_of_one_version_are_all_candidates() -> None:
    found = parse(form_call({"Action": "DescribeDBClusters", "Version": "2014-10-31"}), "rds", "r")
    assert set(names(found)) == {(name, "DescribeDBClusters") for name in ("rds", "neptune", "docdb")}
    assert found[0].operation.service == "rds"


def test_a_reading_that_knows_every_member_is_preferred_to_one_that_does_not() -> None:
    found = readings_of("rds", "DeleteDBInstance", DBInstanceIdentifier="d", SkipFinalSnapshot=True)
    assert "docdb" not in {reading.operation.service for reading in found}
    assert all(not reading.unknown for reading in found)


def test_unknown_fields_are_flagged() -> None:
    fields = sts(RoleArn="r", Nonsense="1", **{"Tags.member.1.Colour": "red", "PolicyArns.element.1": "x"})
    (reading,) = parse(form_call(fields), "sts", "r")
    assert set(reading.unknown_members) == {"Nonsense", "Tags.member.1.Colour", "PolicyArns.element.1"}


@pytest.mark.parametrize("fields", [sts(Action="InventRole"), sts(Version="1999-01-01"), {"Action": "AssumeRole"}])
def test_an_operation_newer_than_the_models_is_known_by_name_only(fields: Any) -> None:
    (reading,) = parse(form_call(fields), "sts", "r")
    assert not reading.operation.is_modelled
    assert reading.operation.name == fields["Action"]


# --- what two readers could read two ways


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15", problems.RepeatedParameter),
        (b"Action=AssumeRole&Version=2011-06-15&RoleArn=a&RoleArn=b", problems.RepeatedParameter),
        (b"Action=AssumeRole&Version=2011-06-15&Role%41rn=a&RoleArn=b", problems.RepeatedParameter),
        (b"Action=AssumeRole&Version=2011-06-15&RoleArn=%zz", problems.MalformedBody),
        (b"Action=AssumeRole&Version=2011-06-15&RoleArn=%ff", problems.MalformedBody),
        (b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=1e3", problems.UnreadableParameter),
        (b"Action=AssumeRole&Version=2011-06-15&DurationSeconds=", problems.UnreadableParameter),
        (b"Action=AssumeRole&Version=2011-06-15&RoleArn.Deep=1", problems.UnreadableParameter),
        (b"Action=AssumeRole&Version=2011-06-15&Tags=x", problems.UnreadableParameter),
        (b"Action=AssumeRole&Version=2011-06-15&Tags.member=x", problems.UnreadableParameter),
        (b"Action=AssumeRole&Version=2011-06-15&Tags.member.01.Key=x", problems.UnreadableParameter),
        (b"Action=AssumeRole&Version=2011-06-15&Tags.member.a.Key=x", problems.UnreadableParameter),
        (b"Action=AssumeRole&Version=2011-06-15&" + b".".join([b"A"] * 100) + b"=1", problems.MalformedBody),
        (b"Action=Assume%20Role&Version=2011-06-15", problems.UnknownOperation),
        (b"&".join(b"F%d=1" % at for at in range(50_002)), problems.BodyTooLarge),
    ],
)
def test_a_form_that_could_be_read_two_ways_is_refused(body: Any, problem: Any) -> None:
    with pytest.raises(problem):
        parse(form_call(body), "sts", "r")


def test_parameters_in_the_query_string_and_in_the_form_are_refused() -> None:
    with pytest.raises(problems.RepeatedParameter):
        parse(form_call({"RoleArn": "r"}, at=f"/?Action=AssumeRole&Version={STS}"), "sts", "r")


def test_an_action_in_the_query_string_beside_a_body_is_refused() -> None:
    request = raw("POST", f"/?Action=GetCallerIdentity&Version={STS}", body=b"Action=AssumeRole")
    with pytest.raises(problems.AmbiguousProtocol):
        parse(request, "sts", "r")


def test_a_raw_plus_in_a_query_string_is_refused() -> None:
    with pytest.raises(problems.OddEncoding):
        parse(raw(target=f"/?Action=GetCallerIdentity&Version={STS}&x=a+b"), "sts", "r")


def test_an_action_under_another_path_is_refused() -> None:
    with pytest.raises(problems.UnknownOperation):
        parse(form_call(sts(), at="/elsewhere"), "sts", "r")


def test_a_form_that_is_not_declared_as_one_names_nothing() -> None:
    request = raw("POST", headers=(("Content-Type", "text/plain"),), body=urlencode(sts()).encode())
    with pytest.raises(problems.UnknownOperation):
        parse(request, "sts", "r")


def test_a_form_without_an_action_names_nothing() -> None:
    with pytest.raises(problems.UnknownOperation):
        parse(raw("POST", headers=(FORM,), body=b"Version=2011-06-15"), "sts", "r")


def test_a_map_that_names_a_key_twice_is_refused() -> None:
    fields = {
        "Action": "CreateTopic",
        "Version": "2010-03-31",
        "Name": "t",
        "Attributes.entry.1.key": "a",
        "Attributes.entry.1.value": "1",
        "Attributes.entry.2.key": "a",
        "Attributes.entry.2.value": "2",
    }
    with pytest.raises(problems.RepeatedParameter):
        parse(form_call(fields), "sns", "r")


def test_a_map_entry_without_its_value_is_refused() -> None:
    fields = {"Action": "CreateTopic", "Version": "2010-03-31", "Name": "t", "Attributes.entry.1.key": "a"}
    with pytest.raises(problems.UnreadableParameter):
        parse(form_call(fields), "sns", "r")
