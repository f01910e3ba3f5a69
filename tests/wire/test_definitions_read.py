"""Templates and automation documents are read as what they will make AWS do, or stay delegated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.terms import Candidate
from gateway.wire.aws.definitions import LARGEST_YAML, MOST_NODES, document, template, template_type
from tests.wire.making import candidate
from tests.wire.test_carried_operations import ROLE, effective

# --- templates


def stack(body: Any, operation_: str = "CreateStack", **parameters: Any) -> Candidate:
    text = body if isinstance(body, str) else json.dumps(body)
    return candidate("cloudformation", operation_, StackName="s", TemplateBody=text, **parameters)


YAML = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Name: {Type: String}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${Name}-data"
      VersioningConfiguration: {Status: Enabled}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Statement: []}
      ManagedPolicyArns: [!Ref Name]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "x"}
"""


def test_a_template_is_what_its_resources_take() -> None:
    found = stack(YAML)
    assert effective(found) == {
        "s3:CreateBucket",
        "s3:PutBucketVersioning",
        "iam:CreateRole",
        "iam:AttachRolePolicy",
        "lambda:CreateFunction",
        "iam:PassRole",
    }
    assert not found.is_delegated


@pytest.mark.parametrize(
    ("kind", "properties", "actions"),
    [
        ("AWS::DynamoDB::Table", {}, {"dynamodb:CreateTable"}),
        ("AWS::SQS::Queue", {}, {"sqs:CreateQueue"}),
        ("AWS::IAM::AccessKey", {}, {"iam:CreateAccessKey"}),
        ("AWS::S3::BucketPolicy", {}, {"s3:PutBucketPolicy"}),
        ("AWS::EC2::Instance", {"IamInstanceProfile": "p"}, {"ec2:RunInstances", "iam:PassRole"}),
        ("AWS::Lambda::Permission", {}, {"lambda:AddPermission"}),
        ("AWS::Cognito::UserPool", {}, {"cognito-idp:CreateUserPool"}),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", {}, {"elasticloadbalancing:CreateLoadBalancer"}),
    ],
)
def test_each_kind_of_resource_is_its_actions(kind: Any, properties: Any, actions: Any) -> None:
    found = stack({"Resources": {"R": {"Type": kind, "Properties": properties}}})
    assert effective(found) == actions
    assert not found.is_delegated


@pytest.mark.parametrize(
    "body",
    [
        {"Resources": {"R": {"Type": "Custom::Thing"}}},
        {"Resources": {"R": {"Type": "AWS::CloudFormation::Stack"}}},
        {"Resources": {"R": {"Type": "AWS::New::Unheard"}}},
        {"Resources": {"R": {"Type": "AWS::S3::Bucket"}}, "Transform": "AWS::Serverless-2016-10-31"},
        {"Resources": {"R": {"Type": "AWS::S3::Bucket", "Properties": {"Fn::Transform": {}}}}},
        {"Resources": {"R": {"Type": 3}}},
        {"Resources": []},
        "{}}",
        "a: [",
        "Resources: {R: {Type: AWS::S3::Bucket}, R: {Type: AWS::IAM::AccessKey}}",
        "!!python/object/apply:os.system ['true']",
    ],
)
def test_a_template_that_cannot_be_read_whole_is_delegated(body: Any) -> None:
    assert stack(body).is_delegated


def test_a_custom_resource_invokes_and_stays_delegated() -> None:
    assert effective(stack({"Resources": {"R": {"Type": "Custom::Thing"}}})) == {"lambda:InvokeFunction"}


def test_a_template_elsewhere_is_delegated() -> None:
    found = candidate("cloudformation", "CreateStack", StackName="s", TemplateURL="https://b.s3.amazonaws.com/t")
    assert found.is_delegated


def test_an_update_may_delete_what_the_template_no_longer_names() -> None:
    body = {"Resources": {"R": {"Type": "AWS::SQS::Queue"}}}
    for operation_ in ("UpdateStack", "CreateChangeSet"):
        extra = {"ChangeSetName": "c"} if operation_ == "CreateChangeSet" else {}
        found = stack(body, operation_, **extra)
        assert effective(found) == {"sqs:CreateQueue"}
        assert found.is_delegated
    assert not stack(body, "CreateChangeSet", ChangeSetName="c", ChangeSetType="CREATE").is_delegated


def test_cloud_control_makes_what_its_type_says() -> None:
    found = candidate("cloudcontrol", "CreateResource", TypeName="AWS::S3::BucketPolicy", DesiredState="{}")
    assert effective(found) == {"s3:PutBucketPolicy"}
    assert candidate("cloudcontrol", "DeleteResource", TypeName="AWS::S3::Bucket", Identifier="b").is_delegated


# --- documents of Systems Manager


def automation(*steps: dict[str, Any]) -> Candidate:
    content = json.dumps({"schemaVersion": "0.3", "mainSteps": list(steps)})
    return candidate("ssm", "CreateDocument", Name="d", Content=content, DocumentType="Automation")


def test_a_document_is_what_its_steps_do() -> None:
    api = {"name": "a", "action": "aws:executeAwsApi", "inputs": {"Service": "ec2", "Api": "DeleteVolume"}}
    found = automation(
        api, {"name": "w", "action": "aws:sleep", "inputs": {}}, {"name": "i", "action": "aws:runInstances"}
    )
    assert effective(found) == {"ec2:DeleteVolume", "ec2:RunInstances"}
    assert not found.is_delegated


@pytest.mark.parametrize(
    "step",
    [
        {"name": "s", "action": "aws:executeScript", "inputs": {}},
        {"name": "s", "action": "aws:runCommand", "inputs": {"DocumentName": "AWS-RunShellScript"}},
        {"name": "s", "action": "aws:executeAwsApi", "inputs": {"Service": "nosuch", "Api": "Thing"}},
        {"name": "s", "action": "aws:executeAwsApi"},
        {"name": "s"},
    ],
)
def test_a_document_with_a_step_nobody_can_see_into_is_delegated(step: Any) -> None:
    assert automation(step).is_delegated


def test_running_a_document_of_awss_own_is_what_it_does() -> None:
    found = candidate("ssm", "StartAutomationExecution", DocumentName="AWS-TerminateEC2Instance")
    assert effective(found) == {"ec2:TerminateInstances"}
    assert not found.is_delegated
    assert candidate("ssm", "StartAutomationExecution", DocumentName="mine").is_delegated
    assert candidate("ssm", "SendCommand", DocumentName="AWS-RunShellScript").is_delegated


# --- hostile documents


def test_a_bomb_of_aliases_is_read_in_no_time() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for name, before in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    bomb += "Resources: {R: {Type: 'AWS::Lambda::Function', Properties: {Deep: *i}}}\n"
    assert template(bomb).actions >= {"lambda:CreateFunction"}


def test_a_document_that_holds_itself_ends() -> None:
    assert template("Resources: &r {R: {Type: 'AWS::SQS::Queue', Properties: *r}}") is not None


def test_documents_past_any_services_limit_are_not_read() -> None:
    assert document("a: " + "x" * LARGEST_YAML) is None
    assert document("{" + " " * (1024 * 1024) + "}") is None
    assert document(None) is None
    assert document("- just\n- a list") is None


def test_the_bound_on_nodes_makes_a_machine_delegated() -> None:
    wide = json.dumps({"States": {"A": {"Type": "Pass", "Result": [{}] * MOST_NODES}}})
    found = candidate("stepfunctions", "CreateStateMachine", name="m", roleArn=ROLE, definition=wide)
    assert found.is_delegated


@pytest.mark.parametrize("kind", ["", "AWS::S3", "AWS::::", "Alexa::ASK::Skill", "AWS::S3::Bucket::MODULE"])
def test_a_type_of_another_form_is_folded(kind: Any) -> None:
    assert not template_type(kind).is_whole


# --- what CloudFormation looks up in the caller's name


def looking_up(value: Any, **more: Any) -> Candidate:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"Tags": [{"Key": "k", "Value": value}]}}
    return stack({"Resources": {"Q": queue}, **more})


@pytest.mark.parametrize(
    ("value", "action"),
    [
        ("{{resolve:secretsmanager:prod/db:SecretString:password}}", "secretsmanager:GetSecretValue"),
        ({"Fn::Sub": "x-{{resolve:secretsmanager:${Name}}}-y"}, "secretsmanager:GetSecretValue"),
        ("{{resolve:ssm-secure:/prod/token:1}}", "ssm:GetParameters"),
        ("{{resolve:ssm:/prod/token}}", "ssm:GetParameters"),
        ({"Fn::Join": ["", ["{", "{resolve:secretsmanager:prod/db}}"]]}, "secretsmanager:GetSecretValue"),
    ],
)
def test_a_secret_that_a_template_has_filled_in_is_read(value: Any, action: str) -> None:
    assert action in effective(looking_up(value))


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Join": ["", ["{{resolve:secrets", "manager:prod/db}}"]]},
        {"Fn::Join": ["", ["{{", "resolve:", "secretsmanager:prod/db}}"]]},
        {"Fn::Sub": "{{resolve:${Service}:prod/db}}"},
        "{{resolve:something-new:x}}",
    ],
)
def test_a_look_up_that_is_put_together_from_parts_stays_delegated(value: Any) -> None:
    assert looking_up(value).is_delegated


def test_a_parameter_of_the_template_may_be_one_of_parameter_stores() -> None:
    found = looking_up("x", Parameters={"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/prod/token"}})
    assert "ssm:GetParameters" in effective(found)


@pytest.mark.parametrize("value", ["{{mustache}} of somebody", "resolve: later", "a {{ b"])
def test_braces_of_another_kind_look_nothing_up(value: str) -> None:
    found = looking_up(value)
    assert not found.is_delegated
    assert effective(found) == {"sqs:CreateQueue"}
