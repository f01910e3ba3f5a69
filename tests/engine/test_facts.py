"""What calls amount to, call by call: who is let in, what becomes reachable. In doubt a call exposes."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.engine.facts import ALWAYS_ACCESS, GRANTEES, INGRESS, MUST_SAY, Facts, facts_of
from gateway.engine.parameters import TooManyParameters
from gateway.terms import AccessClass, Action, Effect, SqlStatement, StatementKind
from gateway.wire.aws.reading import model
from tests.engine.questions import ANYTHING, answer, candidate, question

OWN, OTHER = "111122223333", "999988887777"
OPEN_BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True}
SHUT_BLOCK = OPEN_BLOCK | {"RestrictPublicBuckets": True}
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


def facts(operation: str, parameters: dict[str, Any], access: AccessClass = AccessClass.WRITE, **rest: Any) -> Facts:
    return facts_of(candidate(operation, access, parameters=parameters, **rest), account=OWN)


def expected(words: str) -> Facts:
    """`public` says foreign too: everybody is also everybody else."""
    said = words.split()
    is_public = "public" in said
    return Facts(
        public_access=is_public, public_network="network" in said, foreign_access=is_public or "foreign" in said
    )


SHARED = [
    ("ec2:ModifySnapshotAttribute", {"CreateVolumePermission": {"Add": [{"Group": "all"}]}}, "public"),
    ("ec2:ModifySnapshotAttribute", {"GroupNames": ["all"], "OperationType": "add"}, "public"),
    ("ec2:ModifySnapshotAttribute", {"GroupNames": ["all"]}, "public"),
    ("ec2:ModifySnapshotAttribute", {"GroupNames": ["all"], "OperationType": "remove"}, ""),
    ("ec2:ModifySnapshotAttribute", {"CreateVolumePermission": {"Remove": [{"Group": "all"}]}}, ""),
    ("ec2:ModifySnapshotAttribute", {"CreateVolumePermission": {"Add": [{"UserId": OTHER}]}}, "foreign"),
    ("ec2:ModifySnapshotAttribute", {"UserIds": [OTHER], "OperationType": "add"}, "foreign"),
    ("ec2:ModifySnapshotAttribute", {"UserIds": [OWN], "OperationType": "add"}, ""),
    ("ec2:ModifyImageAttribute", {"LaunchPermission": {"Add": [{"Group": "all"}]}}, "public"),
    ("ec2:ModifyImageAttribute", {"UserGroups": ["all"], "OperationType": "add"}, "public"),
    ("ec2:ModifyImageAttribute", {"LaunchPermission": {"Add": [{"UserId": OTHER}]}}, "foreign"),
    (
        "ec2:ModifyImageAttribute",
        {"LaunchPermission": {"Add": [{"OrganizationArn": f"arn:aws:organizations::{OWN}:organization/o-a"}]}},
        "foreign",
    ),
    ("ec2:ModifyImageAttribute", {"Description": {"Value": "all"}}, ""),
    ("rds:ModifyDBSnapshotAttribute", {"AttributeName": "restore", "ValuesToAdd": ["all"]}, "public"),
    ("rds:ModifyDBSnapshotAttribute", {"AttributeName": "restore", "ValuesToAdd": [OTHER]}, "foreign"),
    ("rds:ModifyDBSnapshotAttribute", {"AttributeName": "restore", "ValuesToRemove": ["all"]}, ""),
    ("rds:ModifyDBClusterSnapshotAttribute", {"ValuesToAdd": ["all"]}, "public"),
    ("ssm:ModifyDocumentPermission", {"AccountIdsToAdd": ["All"]}, "public"),
    ("ssm:ModifyDocumentPermission", {"AccountIdsToAdd": [OWN]}, ""),
    ("redshift:AuthorizeSnapshotAccess", {"AccountWithRestoreAccess": OTHER}, "foreign"),
    ("ram:CreateResourceShare", {"principals": [OTHER]}, "foreign"),
    ("ram:CreateResourceShare", {"principals": [f"arn:aws:iam::{OWN}:role/reader"]}, ""),
    ("kms:CreateGrant", {"GranteePrincipal": f"arn:aws:iam::{OTHER}:role/copier"}, "foreign"),
    ("kms:CreateGrant", {"GranteePrincipal": f"arn:aws:iam::{OWN}:role/copier"}, ""),
    ("ec2:ModifyVpcEndpointServicePermissions", {"AddAllowedPrincipals": ["*"]}, "public"),
    ("ec2:CreateVpcPeeringConnection", {"PeerOwnerId": OTHER}, "foreign"),
    ("sns:AddPermission", {"AWSAccountId": [OTHER]}, "foreign"),
    ("sqs:AddPermission", {"AWSAccountIds": ["*"]}, "public"),
    ("lakeformation:GrantPermissions", {"Principal": {"DataLakePrincipalIdentifier": OTHER}}, "foreign"),
    ("lakeformation:GrantPermissions", {"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}}, ""),
    ("s3:PutBucketReplication", {"ReplicationConfiguration": {"Rules": [{"Destination": {"Account": OTHER}}]}}, "foreign"),
    ("s3:PutBucketReplication", {"ReplicationConfiguration": {"Rules": [{"Destination": {"Account": OWN}}]}}, ""),
]  # fmt: skip

LISTED = [
    ("s3:PutBucketAcl", {"ACL": "public-read"}, "public"),
    ("s3:PutObject", {"ACL": "public-read-write"}, "public"),
    ("s3:PutObjectAcl", {"ACL": "authenticated-read"}, "public"),
    ("s3:PutObject", {"ACL": "bucket-owner-full-control"}, ""),
    ("s3:CreateBucket", {"ACL": "private"}, ""),
    ("s3:PutObject", {"GrantRead": f'uri="{ALL_USERS}"'}, "public"),
    ("s3:PutBucketAcl", {"AccessControlPolicy": {"Grants": [{"Grantee": {"URI": ALL_USERS}}]}}, "public"),
    ("s3:PutBucketAcl", {"AccessControlPolicy": {"Owner": {"ID": "me"}, "Grants": [{"Grantee": {"ID": "me"}}]}}, ""),
    (
        "s3:PutBucketAcl",
        {"AccessControlPolicy": {"Owner": {"ID": "me"}, "Grants": [{"Grantee": {"ID": "you"}}]}},
        "foreign",
    ),
    ("s3:PutObject", {"GrantFullControl": 'id="somebody"'}, "foreign"),
    ("s3:PutPublicAccessBlock", {"PublicAccessBlockConfiguration": OPEN_BLOCK}, "public"),
    ("s3:PutPublicAccessBlock", {"PublicAccessBlockConfiguration": SHUT_BLOCK}, ""),
    ("s3control:PutPublicAccessBlock", {}, "public"),
    ("s3control:CreateAccessPoint", {"PublicAccessBlockConfiguration": {"BlockPublicPolicy": False}}, "public"),
    ("s3:DeletePublicAccessBlock", {"Bucket": "reports"}, "public"),
    ("lightsail:UpdateBucket", {"accessRules": {"getObject": "public"}}, "public"),
    ("codebuild:UpdateProjectVisibility", {"projectVisibility": "PUBLIC_READ"}, "public"),
]

LAMBDA = [
    ("lambda:CreateFunctionUrlConfig", {"AuthType": "NONE"}, "public"),
    ("lambda:CreateFunctionUrlConfig", {"AuthType": "AWS_IAM"}, ""),
    ("lambda:UpdateFunctionUrlConfig", {"AuthType": "NONE"}, "public"),
    ("lambda:UpdateFunctionUrlConfig", {"InvokeMode": "BUFFERED"}, ""),
    ("lambda:AddPermission", {"Principal": "*"}, "public"),
    ("lambda:AddPermission", {"Principal": "*", "FunctionUrlAuthType": "NONE"}, "public"),
    ("lambda:AddPermission", {"Principal": "*", "PrincipalOrgID": "o-abc123"}, "foreign"),
    ("lambda:AddPermission", {"Principal": OTHER}, "foreign"),
    ("lambda:AddPermission", {"Principal": OWN}, ""),
    ("lambda:AddPermission", {"Principal": "s3.amazonaws.com"}, "public"),
    ("lambda:AddPermission", {"Principal": "s3.amazonaws.com", "SourceAccount": OWN}, ""),
    ("lambda:AddPermission", {"Principal": "s3.amazonaws.com", "SourceAccount": OTHER}, "foreign"),
    (
        "lambda:AddPermission",
        {"Principal": "events.amazonaws.com", "SourceArn": f"arn:aws:events:eu-west-1:{OWN}:rule/nightly"},
        "",
    ),
    ("lambda:AddPermission", {"Principal": "alexa-appkit.amazon.com", "EventSourceToken": "amzn1.ask.skill.1"}, ""),
    ("lambda:AddLayerVersionPermission", {"Principal": "*"}, "public"),
    ("lambda:AddLayerVersionPermission", {"Principal": "*", "OrganizationId": "o-abc123"}, "foreign"),
    ("events:PutPermission", {"Principal": "*"}, "public"),
    ("events:PutPermission", {"Principal": "*", "Condition": {"Key": "aws:PrincipalOrgID", "Value": "o-abc123"}}, "foreign"),
    ("events:PutPermission", {"Principal": OTHER}, "foreign"),
]  # fmt: skip

NETWORK = [
    ("ec2:AuthorizeSecurityGroupIngress", {"CidrIp": "0.0.0.0/0"}, "network"),
    ("ec2:AuthorizeSecurityGroupIngress", {"IpPermissions": [{"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}, "network"),
    ("ec2:AuthorizeSecurityGroupIngress", {"IpPermissions": [{"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]}, "network"),
    ("ec2:AuthorizeSecurityGroupIngress", {"IpPermissions": [{"IpRanges": [{"CidrIp": "128.0.0.0/1"}]}]}, "network"),
    ("ec2:AuthorizeSecurityGroupIngress", {"CidrIp": "any"}, "network"),
    ("ec2:AuthorizeSecurityGroupIngress", {"IpPermissions": [{"PrefixListIds": [{"PrefixListId": "pl-1"}]}]}, "network"),
    ("ec2:AuthorizeSecurityGroupIngress", {"CidrIp": "10.0.0.0/8"}, ""),
    ("ec2:AuthorizeSecurityGroupIngress", {"CidrIp": "192.0.2.0/24"}, ""),
    ("ec2:AuthorizeSecurityGroupIngress", {"IpPermissions": [{"UserIdGroupPairs": [{"GroupId": "sg-1"}]}]}, ""),
    ("ec2:ModifySecurityGroupRules", {"SecurityGroupRules": [{"SecurityGroupRule": {"CidrIpv4": "0.0.0.0/0"}}]}, "network"),
    ("ec2:AuthorizeSecurityGroupEgress", {"CidrIp": "0.0.0.0/0"}, ""),
    ("rds:AuthorizeDBSecurityGroupIngress", {"CIDRIP": "0.0.0.0/0"}, "network"),
    ("lightsail:OpenInstancePublicPorts", {"portInfo": {"fromPort": 22, "toPort": 22}}, "network"),
    ("lightsail:OpenInstancePublicPorts", {"portInfo": {"fromPort": 22, "cidrs": ["192.0.2.7/32"]}}, ""),
    ("rds:ModifyDBInstance", {"PubliclyAccessible": True}, "network"),
    ("rds:ModifyDBInstance", {"PubliclyAccessible": False}, ""),
    ("rds:ModifyDBInstance", {"AllocatedStorage": 100}, ""),
    ("rds:CreateDBInstance", {"DBInstanceIdentifier": "orders"}, "network"),
    ("rds:CreateDBInstance", {"PubliclyAccessible": False}, ""),
    ("redshift:CreateCluster", {"PubliclyAccessible": True}, "network"),
    ("dms:CreateReplicationInstance", {}, "network"),
    ("eks:CreateCluster", {"resourcesVpcConfig": {"endpointPrivateAccess": True}}, "network"),
    ("eks:CreateCluster", {"resourcesVpcConfig": {"endpointPublicAccess": False}}, ""),
    ("eks:UpdateClusterConfig", {"resourcesVpcConfig": {"publicAccessCidrs": ["0.0.0.0/0"]}}, "network"),
    ("eks:UpdateClusterConfig", {"logging": {}}, ""),
    ("kafka:UpdateConnectivity", {"ConnectivityInfo": {"PublicAccess": {"Type": "SERVICE_PROVIDED_EIPS"}}}, "network"),
    ("elbv2:CreateLoadBalancer", {"Name": "shop"}, "network"),
    ("elbv2:CreateLoadBalancer", {"Name": "shop", "Scheme": "internal"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "parameters", "words"), [*SHARED, *LISTED, *LAMBDA, *NETWORK])
def test_a_call_is_what_it_amounts_to(operation: str, parameters: dict[str, Any], words: str) -> None:
    assert facts(operation, parameters) == expected(words)


@pytest.mark.parametrize("access", [AccessClass.LIST, AccessClass.READ])
def test_reading_exposes_nothing(access: AccessClass) -> None:
    assert facts("iam:SimulateCustomPolicy", {"PolicyInputList": ['{"Statement": 1}']}, access) == Facts()


def test_a_member_the_model_does_not_know_may_say_anything() -> None:
    parameters = {"AuthType": "AWS_IAM"}
    assert facts("lambda:CreateFunctionUrlConfig", parameters) == Facts()
    unknown = facts("lambda:CreateFunctionUrlConfig", parameters, unknown_members=("Audience",))
    assert unknown == expected("public network")


def test_an_operation_known_by_name_alone_may_do_anything() -> None:
    assert facts("s3:Novelty", {}, is_modelled=False) == expected("public network")


@pytest.mark.parametrize(
    ("carried", "access"),
    [
        ("s3:PutBucketPolicy", AccessClass.PERMISSIONS),
        ("ec2:AuthorizeSecurityGroupIngress", AccessClass.WRITE),
        ("rds:ModifyDBSnapshotAttribute", AccessClass.WRITE),
    ],
)
def test_an_exposing_action_carried_for_later_exposes(carried: str, access: AccessClass) -> None:
    effective = (Action(name=carried, access=access),)
    assert facts("scheduler:CreateSchedule", {}, effective=effective) == expected("public network")


def test_an_everyday_action_carried_for_later_does_not_expose() -> None:
    effective = (Action(name="lambda:InvokeFunction", access=AccessClass.WRITE),)
    assert facts("scheduler:CreateSchedule", {"Name": "nightly"}, effective=effective) == Facts()


def test_a_call_too_large_to_look_through_is_not_looked_through_in_part() -> None:
    with pytest.raises(TooManyParameters):
        facts("s3:PutBucketPolicy", {"Policy": "x" * (1024 * 1024 + 1)})


def test_a_rule_reads_facts() -> None:
    rule = '@id("no") forbid (principal, action, resource) when { context.facts.public_access };'
    for acl, effect in (("public-read", Effect.DENY), ("private", Effect.ALLOW)):
        asked = question(candidate("s3:PutObject", AccessClass.WRITE, parameters={"ACL": acl}))
        assert answer(ANYTHING, rule, to=asked).effect is effect


OPERATIONS = sorted({*GRANTEES, *MUST_SAY, *INGRESS, *ALWAYS_ACCESS})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_tables_name_operations_and_members_that_aws_has(operation: str) -> None:
    """A misspelt line would never match, and its call would count as harmless."""
    service, _, name = operation.partition(":")
    table = model(service).operation(name)
    assert table is not None
    said = [line.partition("=")[0] for line in MUST_SAY.get(operation, ())]
    for place in (*GRANTEES.get(operation, ()), *said):
        shape = table.input
        for segment in place.split("."):
            members = {member.name: member.shape for member in model(service).shape(shape or "").members}
            shape = members[segment.removesuffix("[]")]
            if segment.endswith("[]"):
                element = model(service).shape(shape).element
                assert element is not None
                shape = element.shape


def test_a_statement_of_sql_is_no_policys_statement() -> None:
    parameters = {"Statement": "DELETE FROM customers WHERE id='z'"}
    assert facts("dynamodb:ExecuteStatement", parameters).public_access, "nobody could read it as anything"
    sql = (SqlStatement(kind=StatementKind.WRITE, tables=("customers",)),)
    assert facts("dynamodb:ExecuteStatement", parameters, statements=sql) == Facts()
