"""Upstream addresses come from AWS's endpoint rules, the parsed service and the region, and from nothing else."""

from __future__ import annotations

import botocore.session
import pytest

from gateway.connections.endpoints import check_region, is_global, known_regions, upstream_of
from gateway.connections.problems import EndpointUnknown, RegionNotAllowed

CASES = [
    ("s3", "eu-west-1", "s3.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
    ("s3", "us-east-1", "s3.us-east-1.amazonaws.com", "s3", "us-east-1"),
    ("s3control", "eu-west-1", "s3-control.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
    ("dynamodb", "eu-west-1", "dynamodb.eu-west-1.amazonaws.com", "dynamodb", "eu-west-1"),
    ("dynamodbstreams", "eu-west-1", "streams.dynamodb.eu-west-1.amazonaws.com", "dynamodb", "eu-west-1"),
    ("sts", "eu-west-1", "sts.eu-west-1.amazonaws.com", "sts", "eu-west-1"),
    ("ec2", "us-west-2", "ec2.us-west-2.amazonaws.com", "ec2", "us-west-2"),
    ("lambda", "eu-west-1", "lambda.eu-west-1.amazonaws.com", "lambda", "eu-west-1"),
    ("secretsmanager", "eu-west-1", "secretsmanager.eu-west-1.amazonaws.com", "secretsmanager", "eu-west-1"),
    ("ssm", "eu-west-1", "ssm.eu-west-1.amazonaws.com", "ssm", "eu-west-1"),
    ("sqs", "eu-west-1", "sqs.eu-west-1.amazonaws.com", "sqs", "eu-west-1"),
    ("kms", "eu-west-1", "kms.eu-west-1.amazonaws.com", "kms", "eu-west-1"),
    ("rds-data", "eu-west-1", "rds-data.eu-west-1.amazonaws.com", "rds-data", "eu-west-1"),
    ("cloudwatch", "eu-west-1", "monitoring.eu-west-1.amazonaws.com", "monitoring", "eu-west-1"),
    ("bedrock-runtime", "eu-west-1", "bedrock-runtime.eu-west-1.amazonaws.com", "bedrock", "eu-west-1"),
    ("iam", "eu-west-1", "iam.amazonaws.com", "iam", "us-east-1"),
    ("organizations", "eu-west-1", "organizations.us-east-1.amazonaws.com", "organizations", "us-east-1"),
    ("route53", "eu-west-1", "route53.amazonaws.com", "route53", "us-east-1"),
]


@pytest.mark.parametrize(("service", "region", "host", "signing_name", "signing_region"), CASES)
def test_a_service_is_where_aws_says(
    service: str, region: str, host: str, signing_name: str, signing_region: str
) -> None:
    found = upstream_of(service, region)
    assert (found.host, found.port, found.is_tls) == (host, 443, True)
    assert (found.dial_host, found.dial_port) == (host, 443)
    assert (found.signing_name, found.signing_region) == (signing_name, signing_region)


@pytest.mark.parametrize("service", [case[0] for case in CASES if case[0] != "s3control"])
def test_botocore_itself_would_call_the_same_host(service: str) -> None:
    session = botocore.session.Session()
    client = session.create_client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    assert client.meta.endpoint_url == f"https://{upstream_of(service, 'eu-west-1').host}"


@pytest.mark.parametrize(
    "region", ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "aws-global", "local", "", "evil.com#"]
)
def test_only_regions_of_the_standard_partition_have_an_address(region: str) -> None:
    with pytest.raises(EndpointUnknown):
        upstream_of("s3", region)


@pytest.mark.parametrize("service", ["no-such-service", "../s3", ""])
def test_only_services_botocore_knows_have_an_address(service: str) -> None:
    with pytest.raises(EndpointUnknown):
        upstream_of(service, "eu-west-1")


def test_regions_are_those_of_the_standard_partition() -> None:
    assert {"us-east-1", "eu-west-1", "ap-southeast-2"} <= known_regions()
    assert not {one for one in known_regions() if one.startswith(("cn-", "us-gov", "us-iso", "aws-"))}


@pytest.mark.parametrize(("service", "expected"), [("iam", True), ("route53", True), ("s3", False), ("sts", False)])
def test_a_global_service_is_one_with_one_address(service: str, *, expected: bool) -> None:
    assert is_global(service) is expected


@pytest.mark.parametrize(("service", "region"), [("s3", "eu-west-1"), ("iam", "us-east-1"), ("iam", "eu-west-1")])
def test_a_call_may_go_to_the_connections_regions_and_to_a_global_services_own(service: str, region: str) -> None:
    check_region(service=service, region=region, regions=["eu-west-1"])


@pytest.mark.parametrize(
    ("service", "region"), [("s3", "us-east-1"), ("iam", "ap-south-1"), ("iam", "cn-north-1"), ("sts", "us-east-1")]
)
def test_a_call_to_any_other_region_is_refused(service: str, region: str) -> None:
    with pytest.raises(RegionNotAllowed):
        check_region(service=service, region=region, regions=["eu-west-1"])


def test_a_stand_in_changes_where_we_dial_and_not_what_we_sign() -> None:
    real = upstream_of("s3", "eu-west-1")
    moved = real.dialled_at("http://127.0.0.1:8444")
    assert (moved.dial_host, moved.dial_port, moved.is_tls) == ("127.0.0.1", 8444, False)
    assert (moved.host, moved.signing_name, moved.signing_region) == (real.host, "s3", "eu-west-1")
    assert moved.url == "http://127.0.0.1:8444"


@pytest.mark.parametrize("url", ["127.0.0.1:8444", "ftp://127.0.0.1", "http://", "http://127.0.0.1/base"])
def test_a_stand_in_is_named_by_scheme_host_and_port(url: str) -> None:
    with pytest.raises(ValueError, match="stand-in"):
        upstream_of("s3", "eu-west-1").dialled_at(url)
