"""REST requests: method, raw path, query and headers name the operation, the most specific first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.terms import Protocol
from gateway.wire import problems
from gateway.wire.aws.parsing import parse
from gateway.wire.aws.rest import split_header_list
from gateway.wire.aws.routing import matches
from gateway.wire.tables import Route, RouteNode
from tests.wire.making import names, raw, reading_of, readings_of


def found(method: str, target: str, signing_name: str = "s3", **parts: Any) -> list[str]:
    return [name for _, name in names(parse(raw(method, target, **parts), signing_name, "r"))]


# --- S3

S3 = [
    ("GET", "/b", ["ListObjects"]),
    ("GET", "/b/", ["ListObjects"]),
    ("GET", "/b?list-type=2&prefix=a", ["ListObjectsV2"]),
    ("GET", "/b?list-type=1", ["ListObjects"]),
    ("GET", "/b?versions", ["ListObjectVersions"]),
    ("GET", "/b?location", ["GetBucketLocation"]),
    ("GET", "/b?policy", ["GetBucketPolicy"]),
    ("GET", "/b?p%6Flicy", ["GetBucketPolicy"]),
    ("HEAD", "/b", ["HeadBucket"]),
    ("PUT", "/b", ["CreateBucket"]),
    ("PUT", "/b?policy", ["PutBucketPolicy"]),
    ("DELETE", "/b", ["DeleteBucket"]),
    ("DELETE", "/b?policy", ["DeleteBucketPolicy"]),
    ("GET", "/b/k", ["GetObject"]),
    ("GET", "/b/k/", ["GetObject"]),
    ("GET", "/b//k", ["GetObject"]),
    ("GET", "/b/k?acl", ["GetObjectAcl"]),
    ("GET", "/b/k?uploadId=u", ["ListParts"]),
    ("GET", "/b/k?partNumber=1", ["GetObject"]),
    ("GET", "/b/k?versionId=v&response-content-type=x", ["GetObject"]),
    ("GET", "/b/k?x-id=GetObject", ["GetObject"]),
    ("HEAD", "/b/k", ["HeadObject"]),
    ("PUT", "/b/k", ["PutObject"]),
    ("PUT", "/b/k?partNumber=1&uploadId=u", ["UploadPart"]),
    ("PUT", "/b/k?tagging", ["PutObjectTagging"]),
    ("POST", "/b/k?uploads", ["CreateMultipartUpload"]),
    ("POST", "/b/k?uploadId=u", ["CompleteMultipartUpload"]),
    ("POST", "/b/k?select&select-type=2", ["SelectObjectContent"]),
    ("POST", "/b/k?restore", ["RestoreObject"]),
    ("DELETE", "/b/k", ["DeleteObject"]),
    ("DELETE", "/b/k?uploadId=u", ["AbortMultipartUpload"]),
    ("DELETE", "/b/k?tagging", ["DeleteObjectTagging"]),
    ("GET", "/", ["ListBuckets", "ListDirectoryBuckets"]),
]


@pytest.mark.parametrize(("method", "target", "expected"), S3)
def test_s3_is_told_by_method_path_and_subresource(method: Any, target: Any, expected: Any) -> None:
    assert found(method, target) == expected


def test_a_copy_is_told_from_a_put_by_its_header() -> None:
    source = (("x-amz-copy-source", "/src/k"),)
    assert found("PUT", "/b/k", headers=source) == ["CopyObject"]
    assert found("PUT", "/b/k?partNumber=1&uploadId=u", headers=source) == ["UploadPartCopy"]


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/b?acl&policy"), ("PUT", "/b/k?acl&tagging"), ("DELETE", "/b/k?uploadId=")]
)
def test_two_subresources_or_an_empty_one_leave_the_operation_open(method: Any, target: Any) -> None:
    with pytest.raises(problems.UnknownOperation):
        found(method, target)


@pytest.mark.parametrize(
    ("method", "target"), [("PUT", "/b?newfangled"), ("DELETE", "/b/k?newfangled"), ("GET", "/b?x=")]
)
def test_a_subresource_nobody_knows_is_not_the_operation_beneath_it(method: Any, target: Any) -> None:
    with pytest.raises(problems.UnknownOperation):
        found(method, target)


def test_an_unknown_parameter_with_a_value_is_flagged() -> None:
    (reading,) = parse(raw("GET", "/b/k?versionId=v&new=1&x-id=DeleteObject"), "s3", "r")
    assert set(reading.unknown_members) == {"query:new", "query:x-id"}


KEYS = {
    "/b/a%20b": "a b",
    "/b/a%2Fb": "a/b",
    "/b//lead": "/lead",
    "/b/x//y": "x//y",
    "/b/folder/": "folder/",
    "/b/%C3%A9%2B(1)": "é+(1)",
    "/b/a+b": "a+b",
    "/b/..": "..",
    "/b/%2E%2E/x": "../x",
    "/b/100%25": "100%",
}


@pytest.mark.parametrize(("target", "key"), KEYS.items())
def test_keys_are_decoded_once(target: Any, key: Any) -> None:
    (reading,) = parse(raw("GET", target), "s3", "r")
    assert reading.parameters == {"Bucket": "b", "Key": key}


def test_what_s3_control_shares_with_s3_is_both() -> None:
    request = raw("GET", "/v20180820/jobs", headers=(("x-amz-account-id", "111122223333"),))
    services = {service for service, _ in names(parse(request, "s3", "r"))}
    assert services == {"s3", "s3control"}


@pytest.mark.parametrize("alias", ["s3express", "s3-object-lambda", "s3-outposts"])
def test_the_other_signing_names_of_s3_are_read_by_its_rules(alias: Any) -> None:
    assert "GetObject" in found("GET", "/b/k", alias)


def test_an_uploads_body_is_never_parsed() -> None:
    (reading,) = parse(raw("PUT", "/b/k", body=b"<not><xml"), "s3", "r")
    assert set(reading.parameters) == {"Bucket", "Key"}


def test_metadata_headers_are_a_map() -> None:
    (reading,) = parse(raw("PUT", "/b/k", headers=(("X-Amz-Meta-Owner", "me"), ("x-amz-acl", "private"))), "s3", "r")
    assert reading.parameters["Metadata"] == {"owner": "me"}
    assert reading.parameters["ACL"] == "private"


def test_an_unknown_amz_header_is_flagged_and_transport_is_not() -> None:
    headers = (("x-amz-new-power", "1"), ("x-amz-checksum-crc32", "AAAA"), ("x-amz-decoded-content-length", "1"))
    (reading,) = parse(raw("GET", "/b?acl", headers=headers), "s3", "r")
    assert reading.unknown_members == ("header:x-amz-new-power",)


def test_old_and_new_spellings_of_one_operation_are_one_where_the_body_tells() -> None:
    rules = {"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "x"}, "Expiration": {"Days": 1}}]}
    clean = readings_of("s3", "PutBucketLifecycleConfiguration", Bucket="b", LifecycleConfiguration=rules)
    assert names(clean) == [("s3", "PutBucketLifecycleConfiguration")]


# --- S3's XML


def xml_put(body: bytes, target: str = "/b?tagging") -> Any:
    (reading,) = parse(raw("PUT", target, body=body), "s3", "r")
    return reading.parameters["Tagging"]


TAGS = b"<Tagging xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"


def test_xml_is_typed_by_the_model() -> None:
    assert xml_put(TAGS) == {"TagSet": [{"Key": "a", "Value": "1"}]}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<Tagging><TagSet/><TagSet/></Tagging>", problems.DuplicateKey),
        (b"<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key></Tag></TagSet></Tagging>", problems.DuplicateKey),
        (b"<Other><TagSet/></Other>", problems.MalformedBody),
        (b"<Tagging>", problems.MalformedBody),
        (b"not xml", problems.MalformedBody),
        (b"<!DOCTYPE Tagging [<!ENTITY x 'y'>]><Tagging>&x;</Tagging>", problems.MalformedBody),
        (b"<!DOCTYPE t SYSTEM 'file:///etc/passwd'><Tagging/>", problems.MalformedBody),
        (b"<?xml version='1.0' encoding='UTF-7'?><Tagging/>", problems.MalformedBody),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><Tagging/>", problems.MalformedBody),
        ("<Tagging/>".encode("utf-16"), problems.MalformedBody),
        (b"<Tagging>\xff</Tagging>", problems.MalformedBody),
        (b"<Tagging><TagSet><Tag><Key><b/></Key></Tag></TagSet></Tagging>", problems.UnreadableParameter),
        (b"<Tagging>" + b" " * (8 * 1024 * 1024) + b"</Tagging>", problems.BodyTooLarge),
    ],
)
def test_xml_that_could_be_read_two_ways_is_refused(body: Any, problem: Any) -> None:
    with pytest.raises(problem):
        xml_put(body)


def test_unknown_elements_are_flagged() -> None:
    (reading,) = parse(raw("PUT", "/b?tagging", body=TAGS.replace(b"</TagSet>", b"</TagSet><New>1</New>")), "s3", "r")
    assert reading.unknown_members == ("New",)


def test_flattened_lists_and_attributes_are_read() -> None:
    grants = {"Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": "x"}, "Permission": "READ"}], "Owner": {"ID": "o"}}
    assert (
        reading_of("s3", "PutBucketAcl", Bucket="b", AccessControlPolicy=grants).parameters["AccessControlPolicy"]
        == grants
    )
    delete = {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "v"}], "Quiet": True}
    assert reading_of("s3", "DeleteObjects", Bucket="b", Delete=delete).parameters["Delete"] == delete


# --- other REST services


def test_labels_are_decoded_and_typed() -> None:
    arn = "arn:aws:lambda:eu-west-1:111122223333:function:f"
    reading = reading_of("lambda", "Invoke", FunctionName=arn, Qualifier="live", Payload=b'{"a": 1}')
    assert reading.operation.protocol is Protocol.REST_JSON
    assert reading.parameters == {"FunctionName": arn, "Qualifier": "live", "Payload": b'{"a": 1}'}


def test_a_trailing_slash_is_forgiven() -> None:
    assert "ListFunctions" in found("GET", "/2015-03-31/functions/", "lambda")
    assert "ListFunctions" in found("GET", "/2015-03-31/functions", "lambda")


def test_json_bodies_are_read_strictly_here_too() -> None:
    with pytest.raises(problems.DuplicateKey):
        found("POST", "/2015-03-31/functions", "lambda", body=b'{"FunctionName": "a", "FunctionName": "b"}')


def test_unknown_body_members_are_flagged() -> None:
    body = json.dumps({"FunctionName": "f", "NewPower": True}).encode()
    readings = parse(raw("POST", "/2015-03-31/functions", body=body), "lambda", "r")
    assert any("NewPower" in reading.unknown_members for reading in readings)


@pytest.mark.parametrize(
    "target",
    [
        "/2015-03-31/%66unctions",
        "/2015-03-31/functions/a%2Eb",
        "/2015-03-31/functions/%41",
        "/2015-03-31/../2015-03-31/functions",
        "/2015-03-31/./functions",
        "/2015-03-31/functions?x=a+b",
        "/2015-03-31/functions?x=%zz",
        "/2015-03-31/functions?x=%ff",
    ],
)
def test_a_path_that_a_server_could_read_otherwise_is_refused(target: Any) -> None:
    with pytest.raises(problems.OddEncoding):
        found("GET", target, "lambda")


def test_a_parameter_given_twice_is_refused_and_a_list_is_not() -> None:
    with pytest.raises(problems.RepeatedParameter):
        found("GET", "/2015-03-31/functions?MaxItems=1&MaxItems=2", "lambda")
    readings = parse(raw("DELETE", "/2017-03-31/tags/arn?tagKeys=a&tagKeys=b"), "lambda", "r")
    assert readings[0].parameters["TagKeys"] == ["a", "b"]


@pytest.mark.parametrize(
    ("method", "target"), [("PATCH", "/2015-03-31/functions"), ("GET", "/nowhere"), ("GET", "/2015-03-31")]
)
def test_what_no_operation_matches_is_refused(method: Any, target: Any) -> None:
    with pytest.raises(problems.UnknownOperation):
        found(method, target, "lambda")


def test_services_that_share_a_path_are_all_candidates() -> None:
    found_names = names(readings_of("qconnect", "ListAssistants"))
    assert {service for service, _ in found_names} == {"qconnect", "wisdom"}


@pytest.mark.parametrize(
    ("value", "is_date", "expected"),
    [
        ("a,b", False, ["a", "b"]),
        ("a , b", False, ["a", "b"]),
        ('"a,b",c', False, ["a,b", "c"]),
        ('"say \\"hi\\"",x', False, ['say "hi"', "x"]),
        ("", False, []),
        (
            "Mon, 01 Jan 2026 00:00:00 GMT,Tue, 02 Jan 2026 00:00:00 GMT",
            True,
            ["Mon, 01 Jan 2026 00:00:00 GMT", "Tue, 02 Jan 2026 00:00:00 GMT"],
        ),
    ],
)
def test_header_lists_are_split_as_botocore_joins_them(value: Any, is_date: Any, expected: Any) -> None:
    assert split_header_list(value, is_date=is_date) == expected


# --- the order of the trie


def leaf(name: str) -> RouteNode:
    return RouteNode(routes=(Route(operation=name, method="GET"),))


TRIE = RouteNode(
    literal={"fixed": leaf("literal")},
    mixed=(("v", "version", ":run", leaf("mixed")),),
    label=(("id", leaf("label")),),
    greedy=(
        (
            "path",
            RouteNode(literal={"end": leaf("greedy then end")}, routes=(Route(operation="greedy", method="GET"),)),
        ),
    ),
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("fixed", "literal"),
        ("v1:run", "mixed"),
        ("v:run", "label"),
        ("other", "label"),
        ("a/b", "greedy"),
        ("a/end", "greedy then end"),
        ("a/b/end", "greedy then end"),
        ("a/end/end", "greedy then end"),
    ],
)
def test_literal_wins_over_mixed_over_label_over_greedy(path: Any, expected: Any) -> None:
    (match,) = matches(TRIE, "GET", tuple(path.split("/")), {}, frozenset())
    assert match.route.operation == expected


def test_the_shortest_greedy_label_that_fits_is_taken() -> None:
    (match,) = matches(TRIE, "GET", ("a", "end"), {}, frozenset())
    assert match.labels == {"path": "a"}


def test_differently_named_labels_at_one_place_are_equals() -> None:
    root = RouteNode(label=(("one", leaf("first")), ("two", leaf("second"))))
    assert {match.route.operation for match in matches(root, "GET", ("x",), {}, frozenset())} == {"first", "second"}


def test_an_empty_segment_is_no_label() -> None:
    assert matches(RouteNode(label=(("id", leaf("label")),)), "GET", ("",), {}, frozenset()) == ()


@pytest.mark.parametrize(
    "target",
    ["/bucket%2Fkey", "/bucket%2Fkey/more", "/b%3Fpolicy", "/%2E%2E/k", "/../k", "/b%00/k", "/b%20c/k", "/b%C3%A9/k"],
)
def test_what_stands_for_a_bucket_and_is_none_is_refused(target: str) -> None:
    with pytest.raises(problems.OddEncoding):
        parse(raw(target=target), "s3", "us-east-1")


@pytest.mark.parametrize("bucket", ["b", "my.bucket", "Old_Bucket", "1-2-3", "b--use1-az4--x-s3"])
def test_a_bucket_of_any_age_is_one(bucket: str) -> None:
    [reading] = parse(raw(target=f"/{bucket}/a%2Fb"), "s3", "us-east-1")
    assert (reading.parameters["Bucket"], reading.parameters["Key"]) == (bucket, "a/b")
