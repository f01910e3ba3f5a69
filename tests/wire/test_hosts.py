"""What stands before the gateway's own name in Host: buckets, host prefixes, names of services."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from gateway.wire import problems, tables
from gateway.wire.aws.parsing import parse
from gateway.wire.aws.placing import placed, upstream_prefix
from gateway.wire.hosts import below_bucket, bucket_of, path_style, prefix_of
from gateway.wire.request import WireRequest
from tests.wire import corpus
from tests.wire.making import bare, names

NAMES = ("gw.test", "localhost")


def at(host: str, target: str = "/", method: str = "GET", *headers: tuple[str, str]) -> WireRequest:
    return WireRequest(method=method, target=target, headers=(("Host", host), *headers))


@pytest.mark.parametrize(
    ("host", "prefix"),
    [
        ("gw.test", ""),
        ("gw.test:8443", ""),
        ("GW.test", ""),
        ("data.gw.test", "data."),
        ("Data.GW.Test:443", "data."),
        ("workflows-gw.test", "workflows-"),
        ("my.bucket.gw.test", "my.bucket."),
        ("xgw.test", ""),
        ("127.0.0.1:8443", ""),
        ("[::1]:8443", ""),
        ("a.localhost", "a."),
        ("gw.test.evil.example", ""),
    ],
)
def test_the_prefix_is_what_stands_before_a_name_of_ours(host: Any, prefix: Any) -> None:
    assert prefix_of(host, NAMES) == prefix


def test_the_longest_name_of_ours_counts() -> None:
    assert prefix_of("b.s3.gw.test", (*NAMES, "s3.gw.test")) == "b."


# --- virtual-hosted S3


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("reports.gw.test", "reports"),
        ("reports.gw.test:8443", "reports"),
        ("REPORTS.gw.test", "reports"),
        ("my.dotted.bucket.gw.test", "my.dotted.bucket"),
        ("reports.s3.gw.test", "reports"),
        ("reports.s3.eu-west-1.gw.test", "reports"),
        ("s3.gw.test", ""),
        ("s3.eu-west-1.gw.test", ""),
        ("gw.test", ""),
        ("127.0.0.1:8443", ""),
        ("reports.s3.amazonaws.com", "reports"),
        ("my.dots.s3.eu-west-1.amazonaws.com", "my.dots"),
        ("reports.s3-eu-west-1.amazonaws.com", "reports"),
        ("reports.s3.dualstack.eu-west-1.amazonaws.com", "reports"),
        ("reports.s3-accelerate.amazonaws.com", "reports"),
        ("reports.s3.cn-north-1.amazonaws.com.cn", "reports"),
        ("s3.eu-west-1.amazonaws.com", ""),
        ("sqs.eu-west-1.amazonaws.com", ""),
    ],
)
def test_a_bucket_before_the_name_is_a_bucket(host: Any, bucket: Any) -> None:
    assert bucket_of(at(host), "s3", NAMES) == bucket


def test_other_services_have_no_buckets() -> None:
    assert bucket_of(at("reports.gw.test"), "dynamodb", NAMES) == ""


@pytest.mark.parametrize("host", ["-x.gw.test", "a_b%2f.gw.test", "x.gw.test"])
def test_what_can_be_no_bucket_is_refused(host: Any) -> None:
    with pytest.raises(problems.MisplacedHost):
        bucket_of(at(host), "s3", NAMES)


# Keys as clients put them on the wire, and as they are.
KEYS = [
    ("plain.txt", "plain.txt"),
    ("a%20b", "a b"),
    ("a+b", "a+b"),
    ("a%2Bb", "a+b"),
    ("a%2Fb", "a/b"),
    ("a//b", "a//b"),
    ("/leading", "/leading"),
    ("a/../b", "a/../b"),
    ("a/./b/", "a/./b/"),
    ("..", ".."),
    ("caf%C3%A9/%E2%82%AC", "café/€"),
    ("what%3Fnot%23", "what?not#"),
    ("a%25b", "a%b"),
    ("100%25/~x(1)!*'", "100%/~x(1)!*'"),
    ("%F0%9F%92%A9", "\U0001f4a9"),
    ("v20180820/jobs", "v20180820/jobs"),
    ("x=1&y=2", "x=1&y=2"),
]
DATA_CALLS = [
    ("GET", "", "GetObject"),
    ("HEAD", "", "HeadObject"),
    ("PUT", "", "PutObject"),
    ("DELETE", "", "DeleteObject"),
    ("GET", "?acl", "GetObjectAcl"),
    ("GET", "?tagging", "GetObjectTagging"),
    ("POST", "?uploads", "CreateMultipartUpload"),
    ("PUT", "?partNumber=1&uploadId=u", "UploadPart"),
    ("GET", "?uploadId=u", "ListParts"),
    ("POST", "?uploadId=u", "CompleteMultipartUpload"),
    ("DELETE", "?uploadId=u", "AbortMultipartUpload"),
    ("POST", "?select&select-type=2", "SelectObjectContent"),
    ("POST", "?restore", "RestoreObject"),
]


@pytest.mark.parametrize(("raw", "key"), KEYS)
@pytest.mark.parametrize(("method", "query", "operation"), DATA_CALLS)
def test_a_call_is_the_same_by_path_and_by_host(raw: Any, key: Any, method: Any, query: Any, operation: Any) -> None:
    by_path = at("gw.test", f"/reports/{raw}{query}", method)
    by_host = path_style(at("reports.gw.test", f"/{raw}{query}", method), "s3", NAMES)
    assert by_host.target == by_path.target
    for request in (by_path, by_host):
        (reading,) = parse(request, "s3", "r")
        assert reading.operation.name == operation
        assert (reading.parameters["Bucket"], reading.parameters["Key"]) == ("reports", key)


@pytest.mark.parametrize(
    ("method", "query", "operation"),
    [
        ("GET", "", "ListObjects"),
        ("GET", "?list-type=2&prefix=a%2Fb", "ListObjectsV2"),
        ("GET", "?versions", "ListObjectVersions"),
        ("GET", "?uploads", "ListMultipartUploads"),
        ("HEAD", "", "HeadBucket"),
        ("PUT", "", "CreateBucket"),
        ("DELETE", "", "DeleteBucket"),
        ("POST", "?delete", "DeleteObjects"),
        ("PUT", "?policy", "PutBucketPolicy"),
        ("GET", "?session", "CreateSession"),
    ],
)
def test_a_buckets_own_calls_are_the_same_too(method: Any, query: Any, operation: Any) -> None:
    body = b"<Delete><Object><Key>k</Key></Object></Delete>" if operation == "DeleteObjects" else b""
    body = b"{}" if operation == "PutBucketPolicy" else body
    for request in (at("gw.test", f"/reports{query}", method), at("reports.gw.test", f"/{query}", method)):
        moved = path_style(request, "s3", NAMES)
        readings = parse(corpus.changed(moved, body=body), "s3", "r")
        assert operation in [reading.operation.name for reading in readings]
        assert {reading.parameters["Bucket"] for reading in readings} == {"reports"}


def test_every_operation_of_s3_is_the_same_by_host() -> None:
    """botocore itself addresses the bucket by host; what it signs there is read as what was called."""
    names_ = ("gateway.test",)
    seen = 0
    for sample in corpus.samples("s3", s3={"addressing_style": "virtual"}):
        if sample.operation == "WriteGetObjectResponse":
            continue
        moved = path_style(sample.request, "s3", names_)
        found = {reading.operation.name: reading for reading in parse(moved, "s3", "us-east-1")}
        assert sample.operation in found
        assert found[sample.operation].parameters.get("Bucket") == sample.parameters.get("Bucket")
        seen += moved is not sample.request
    assert seen > 90


# --- host prefixes


@cache
def prefixed() -> list[tuple[str, str]]:
    services = [tables.service(name) for name in tables.index().services]
    return [(t.name, name) for t in services for name, operation in t.operations.items() if operation.host_prefix]


def test_the_operations_with_a_host_prefix_are_known() -> None:
    assert len(prefixed()) > 700
    assert len({service for service, _ in prefixed()}) > 15


@pytest.mark.parametrize("service", sorted({service for service, _ in prefixed()}))
def test_each_is_found_under_the_host_botocore_gives_it(service: Any) -> None:
    wanted = {name for found, name in prefixed() if found == service}
    for sample in corpus.samples(service, inject_host_prefix=True):
        if sample.operation not in wanted:
            continue
        host = sample.request.header("host") or ""
        signing = tables.service(service).signing_name
        request = path_style(sample.request, signing, ("gateway.test",))
        assert request.target == sample.request.target
        readings = placed(parse(request, signing, "us-east-1"), request, ("gateway.test",))
        own = [reading for reading in readings if reading.operation.name == sample.operation]
        assert own, sample.operation
        assert f"{upstream_prefix(own[0])}gateway.test:8443" == host


def test_a_prefix_under_a_name_of_the_services_own() -> None:
    request = at("api.iotsitewise.gw.test", "/assets")
    (reading,) = placed(parse(request, "iotsitewise", "r"), request, NAMES)
    assert upstream_prefix(reading) == "api."


def test_a_name_of_its_own_tells_a_service_from_those_that_share_its_wire_form() -> None:
    target = "/?Action=DescribeDBClusters&Version=2014-10-31"
    everybody = parse(at("gw.test", target), "rds", "r")
    assert len(everybody) == 3
    for service in ("rds", "neptune", "docdb"):
        request = at(f"{service}.gw.test", target)
        assert names(placed(everybody, request, NAMES)) == [(service, "DescribeDBClusters")]
    assert placed(everybody, at("anything.gw.test", target), NAMES) == everybody


def test_a_control_call_names_one_account() -> None:
    account = ("x-amz-account-id", "111122223333")
    good = at("111122223333.gw.test", "/v20180820/jobs", "GET", account)
    assert path_style(good, "s3", NAMES) is good
    with pytest.raises(problems.MisplacedHost):
        path_style(at("999988887777.gw.test", "/v20180820/jobs", "GET", account), "s3", NAMES)


def test_an_object_with_a_control_calls_path_stays_an_object() -> None:
    request = path_style(at("reports.gw.test", "/v20180820/jobs"), "s3", NAMES)
    assert request.target == "/reports/v20180820/jobs"


@pytest.mark.parametrize("account", ["", "a.b", "evil.example/", "x" * 64])
def test_a_label_that_could_break_the_host_apart_is_refused(account: Any) -> None:
    with pytest.raises(problems.MisplacedHost):
        upstream_prefix(bare("s3control", "ListJobs", {"AccountId": account}))


def test_most_operations_have_no_prefix() -> None:
    assert upstream_prefix(bare("dynamodb", "GetItem", {})) == ""


@pytest.mark.parametrize(
    ("target", "below"),
    [
        ("/b/k", "/k"),
        ("/b", "/"),
        ("/b/", "/"),
        ("/b?list-type=2", "/?list-type=2"),
        ("/b//k//", "//k//"),
        ("/b/b/k?x=/b/", "/b/k?x=/b/"),
        ("/%62/%2F%20?q=%2F", "/%2F%20?q=%2F"),
    ],
)
def test_below_its_bucket_a_target_stays_as_it_is(target: str, below: str) -> None:
    assert below_bucket(at("gw.test", target)) == below
