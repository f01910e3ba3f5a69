"""Every member that carries a secret is on its operation's mask plan, by its name on the wire."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from gateway.terms import AccessClass, Operation, Protocol
from gateway.wire import tables
from gateway.wire.aws.masking_paths import body_paths, input_header_paths, input_paths, mask_plan
from gateway.wire.aws.reading import Reading, model
from gateway.wire.contract import BodyForm, MaskPath, SensitivityClass
from gateway.wire.tables_sensitive import REVIEW, SensitivityReview
from tests.wire.making import reading_of

BEARER, SECRET, PRIVATE = SensitivityClass.BEARER, SensitivityClass.SECRET, SensitivityClass.PRIVATE


def plan(service: str, operation: str, clear: tuple[str, ...] = (), **parameters: Any) -> Any:
    return mask_plan([bare(service, operation, parameters)], clear=clear, request_id="req-1")


def bare(service: str, operation: str, parameters: dict | None = None) -> Reading:
    table = tables.service(service)
    named = Operation(service=service, name=operation, protocol=table.protocols[0], signing_name=table.signing_name)
    return Reading(operation=named, region="r", parameters=parameters or {})


def paths(service: str, operation: str) -> dict[str, SensitivityClass]:
    return {".".join(path.path): path.sensitivity for path in plan(service, operation).paths}


EXPECTED = [
    (
        "sts",
        "AssumeRole",
        {"Credentials.AccessKeyId": BEARER, "Credentials.SecretAccessKey": BEARER, "Credentials.SessionToken": BEARER},
    ),
    ("sts", "GetCallerIdentity", {}),
    ("secretsmanager", "GetSecretValue", {"SecretString": SECRET, "SecretBinary": SECRET}),
    (
        "secretsmanager",
        "BatchGetSecretValue",
        {"SecretValues.*.SecretString": SECRET, "SecretValues.*.SecretBinary": SECRET},
    ),
    ("secretsmanager", "GetRandomPassword", {"RandomPassword": SECRET}),
    ("ssm", "GetParameter", {"Parameter.Value": SECRET}),
    ("ssm", "GetParameters", {"Parameters.*.Value": SECRET}),
    ("ssm", "StartSession", {"TokenValue": BEARER, "StreamUrl": BEARER}),
    ("ecr", "GetAuthorizationToken", {"authorizationData.*.authorizationToken": BEARER}),
    ("ecr", "GetDownloadUrlForLayer", {"downloadUrl": BEARER}),
    ("kms", "Decrypt", {"Plaintext": SECRET}),
    ("kms", "GenerateDataKey", {"Plaintext": SECRET}),
    ("iam", "CreateAccessKey", {"AccessKey.AccessKeyId": BEARER, "AccessKey.SecretAccessKey": BEARER}),
    (
        "s3",
        "CreateSession",
        {"Credentials.AccessKeyId": BEARER, "Credentials.SecretAccessKey": BEARER, "Credentials.SessionToken": BEARER},
    ),
    ("ec2", "GetPasswordData", {"passwordData": SECRET}),
    ("ec2", "CreateKeyPair", {"keyMaterial": SECRET}),
    ("dynamodb", "GetItem", {}),
    ("sqs", "ReceiveMessage", {}),
    (
        "sso",
        "GetRoleCredentials",
        {
            "roleCredentials.accessKeyId": BEARER,
            "roleCredentials.secretAccessKey": BEARER,
            "roleCredentials.sessionToken": BEARER,
        },
    ),
]


@pytest.mark.parametrize(("service", "operation", "expected"), EXPECTED)
def test_a_plan_names_what_an_answer_hides(service: Any, operation: Any, expected: Any) -> None:
    assert paths(service, operation) == expected


@pytest.mark.parametrize(
    ("service", "operation", "path"),
    [
        ("lambda", "GetFunctionConfiguration", "Environment.Variables"),
        ("lambda", "GetFunction", "Code.Location"),
        ("lambda", "ListFunctions", "Functions.*.Environment.Variables"),
        ("ec2", "DescribeInstanceAttribute", "userData"),
        ("ec2", "DescribeLaunchTemplateVersions", "launchTemplateVersionSet.*.launchTemplateData.userData"),
        ("cognito-identity", "GetCredentialsForIdentity", "Credentials.SecretKey"),
        ("cognito-idp", "InitiateAuth", "AuthenticationResult.AccessToken"),
        ("ecs", "DescribeTaskDefinition", "taskDefinition.containerDefinitions.*.environment"),
        ("rds", "ModifyDBInstance", "DBInstance.PendingModifiedValues.MasterUserPassword"),
        ("codebuild", "BatchGetProjects", "projects.*.environment.environmentVariables.*.value"),
        ("apigateway", "GetApiKeys", "item.*.value"),
        ("autoscaling", "DescribeLaunchConfigurations", "LaunchConfigurations.*.UserData"),
        ("glue", "GetConnection", "Connection.ConnectionProperties"),
        ("codeartifact", "GetAuthorizationToken", "authorizationToken"),
        ("sagemaker", "CreatePresignedDomainUrl", "AuthorizedUrl"),
        ("appsync", "ListApiKeys", "apiKeys.*.id"),
        ("batch", "DescribeJobDefinitions", "jobDefinitions.*.containerProperties.environment.*.value"),
    ],
)
def test_what_the_trait_forgot_is_on_the_plan_too(service: Any, operation: Any, path: Any) -> None:
    found = paths(service, operation)
    assert path in found
    assert found[path] in (BEARER, SECRET)


# --- the form of an answer


@pytest.mark.parametrize(
    ("service", "operation", "form"),
    [
        ("s3", "GetObject", BodyForm.BLOB),
        ("s3", "ListObjectsV2", BodyForm.STRUCTURE),
        ("s3", "SelectObjectContent", BodyForm.EVENT_STREAM),
        ("lambda", "Invoke", BodyForm.BLOB),
        ("lambda", "InvokeWithResponseStream", BodyForm.EVENT_STREAM),
        ("bedrock-runtime", "InvokeModel", BodyForm.BLOB),
        ("bedrock-runtime", "ConverseStream", BodyForm.EVENT_STREAM),
        ("logs", "StartLiveTail", BodyForm.EVENT_STREAM),
        ("s3", "GetBucketPolicy", BodyForm.BLOB),
        ("dynamodb", "GetItem", BodyForm.STRUCTURE),
        ("s3", "DeleteBucket", BodyForm.STRUCTURE),
    ],
)
def test_a_plan_says_what_the_body_is(service: Any, operation: Any, form: Any) -> None:
    assert plan(service, operation).body is form


def test_headers_that_hide_something_are_on_the_plan() -> None:
    assert MaskPath(path=("x-amz-log-result",), sensitivity=SECRET) in plan("lambda", "Invoke").header_paths


def test_errors_are_masked_too() -> None:
    found = plan("stepfunctions", "GetActivityTask")
    assert found.error_paths == ()
    errors = [path for name in tables.index().services for path in error_paths(name)]
    assert errors


def error_paths(service: str) -> list[MaskPath]:
    known = model(service)
    return [
        path
        for operation in known.table.operations.values()
        for error in operation.errors
        for path in body_paths(known, error)
    ][:1]


@pytest.mark.parametrize(
    ("parameters", "reads_range"), [({}, False), ({"Range": "bytes=0-1"}, True), ({"PartNumber": 1}, True)]
)
def test_a_read_of_part_of_an_object_is_told(parameters: Any, reads_range: Any) -> None:
    assert plan("s3", "GetObject", **parameters).reads_range is reads_range


def test_only_s3_reads_ranges_and_has_its_own_errors() -> None:
    assert plan("s3", "GetObject").s3_errors
    assert not plan("route53", "ListHostedZones").s3_errors
    assert not plan("lambda", "Invoke", Range="x").reads_range


def test_clearing_is_handed_on() -> None:
    found = plan("s3", "GetObject", clear=("body", "email"))
    assert found.is_clear
    assert found.clear == ("body", "email")
    assert found.request_id == "req-1"


def test_several_readings_are_masked_for_all_of_them() -> None:
    both = mask_plan([bare("sts", "AssumeRole"), bare("secretsmanager", "GetSecretValue")], clear=(), request_id="r")
    assert {".".join(path.path) for path in both.paths} >= {"Credentials.SessionToken", "SecretString"}


def test_an_unmodelled_operation_has_an_empty_plan() -> None:
    operation = Operation(
        service="dynamodb", name="X", protocol=Protocol.JSON, signing_name="dynamodb", is_modelled=False
    )
    found = mask_plan([Reading(operation=operation, region="r")], clear=(), request_id="r")
    assert (found.paths, found.body) == ((), BodyForm.STRUCTURE)


def test_a_shape_inside_itself_is_masked_whole_from_where_it_repeats() -> None:
    for name in ("lexv2-models", "stepfunctions", "quicksight", "bedrock-agent"):
        known = model(name)
        for operation in known.table.operations.values():
            if operation.output:
                body_paths(known, operation.output)


# --- requests


def test_requests_have_paths_too() -> None:
    found = {
        ".".join(path.path)
        for path in input_paths(reading_of("secretsmanager", "CreateSecret", Name="n", SecretString="s"))
    }
    assert found == {"SecretString", "SecretBinary"}
    assert input_paths(bare("dynamodb", "GetItem")) == ()


def test_secrets_in_request_headers_have_theirs() -> None:
    found = {path.path[0] for path in input_header_paths(bare("s3", "PutObject"))}
    assert "x-amz-server-side-encryption-customer-key" in found
    assert "x-amz-acl" not in found


# --- names that say secret

SLICE = [
    "s3",
    "dynamodb",
    "sts",
    "ec2",
    "lambda",
    "secretsmanager",
    "ssm",
    "sqs",
    "kms",
    "rds-data",
    "iam",
    "ecr",
    "rds",
]
SAYS_SECRET = re.compile(r"secret|token|passw|credential|private_?key|auth_?key|pre_?signed|signed_?url", re.IGNORECASE)
# Reviewed: these only speak of secrets, or name pages, calls and public things.
NOT_SECRET = frozenset(
    [
        "AuthSecretArn",
        "DomainAuthSecretArn",
        "SecretArn",
        "secretArn",
        "awsSecretStoreArn",
        "PrimarySecretARN",
        "ReplicaSecretARN",
        "credentialArn",
        "TdeCredentialArn",
        "ExternalSecretRotationRoleArn",
        "MasterUserSecretKmsKeyId",
        "SqlServerCredentials",
        "SecretId",
        "SecretStatus",
        "ServiceSpecificCredentialId",
        "ServiceCredentialAlias",
        "IpamExternalResourceVerificationTokenArn",
        "IpamExternalResourceVerificationTokenId",
        "TokenName",
        "TokenEndpoint",
        "GlobalEndpointTokenVersion",
        "HttpTokens",
        "HttpTokensEnforced",
        "ClientPasswordAuthType",
        "SubjectFromWebIdentityToken",
        "EventSourceToken",
        "CheckpointToken",
        "ClientRequestToken",
        "ClientToken",
        "PurchaseToken",
        "NextToken",
        "nextToken",
        "ContinuationToken",
        "NextContinuationToken",
        "PrivateKeyCiphertextBlob",
        "SharedSecretCiphertextBlob",
    ]
)


def named_like_secrets(service: str) -> set[tuple[str, str, bool]]:
    known = model(service)
    return {
        (name, member.name, bool(shape.sensitivity or member.sensitivity or known.shape(member.shape).sensitivity))
        for name, shape in known.table.shapes.items()
        for member in shape.members
        if SAYS_SECRET.search(member.name) and known.shape(member.shape).kind in ("string", "blob")
    }


@pytest.mark.parametrize("service", SLICE)
def test_a_member_whose_name_says_secret_is_masked_or_was_reviewed(service: Any) -> None:
    missed = {
        (shape, name)
        for shape, name, is_marked in named_like_secrets(service)
        if not is_marked and name not in NOT_SECRET
    }
    assert missed == set()


def test_the_reviewed_list_has_no_stale_entry() -> None:
    met = {name for service in SLICE for _, name, is_marked in named_like_secrets(service) if not is_marked}
    assert met >= NOT_SECRET


def test_every_member_and_shape_the_review_names_exists() -> None:
    data = tomllib.loads(REVIEW.read_text())
    services = {name: tables.service(name) for name in tables.index().services}
    missing = [name for name in data["shapes"] if name.partition(".")[2] not in services[name.partition(".")[0]].shapes]
    for name in data["members"]:
        service, shape, member = name.split(".")
        found = services[service].shapes.get(shape)
        if found is None or found.member(member) is None:
            missing.append(name)
    assert missing == []
    assert set(data["private"]["services"]) <= services.keys()


def test_numbers_under_the_trait_are_private_not_secret() -> None:
    review = SensitivityReview.load()
    assert review.of_shape("x", "Age", {"type": "integer", "sensitive": True}) is PRIVATE
    assert review.of_shape("x", "Blob", {"type": "blob", "sensitive": True}) is SECRET
    assert review.of_shape("x", "Plain", {"type": "string"}) is None


# --- answers that work as credentials

# Reviewed: their bearer members are by-products (links, tokens of a workflow) that the mask hides; the rest of the
# answer is what they are called for, so they keep the class IAM gives them.
HIDDEN_ONLY = frozenset(
    [
        "apigateway.GetApiKey",
        "apigateway.GetApiKeys",
        "apigateway.UpdateApiKey",
        "appsync.ListApiKeys",
        "appsync.UpdateApiKey",
        "artifact.ExportComplianceInquiry",
        "artifact.GetReport",
        "artifact.GetTermForReport",
        "bedrock-agent-runtime.GetDocumentContent",
        "chime.CreateBot",
        "chime.GetBot",
        "chime.ListBots",
        "chime.UpdateBot",
        "cognito-idp.AssociateSoftwareToken",
        "cognito-idp.ConfirmSignUp",
        "cognito-idp.CreateUserImportJob",
        "cognito-idp.DescribeUserImportJob",
        "cognito-idp.ListUserImportJobs",
        "cognito-idp.SignUp",
        "cognito-idp.StartUserImportJob",
        "cognito-idp.StopUserImportJob",
        "cognito-idp.VerifySoftwareToken",
        "connect.GetPromptFile",
        "dataexchange.CreateJob",
        "dataexchange.GetJob",
        "dataexchange.ListJobs",
        "datazone.CreateConnection",
        "datazone.ListConnections",
        "datazone.UpdateConnection",
        "ec2.DescribeConversionTasks",
        "ec2.ImportInstance",
        "ec2.ImportVolume",
        "ecr.GetDownloadUrlForLayer",
        "gamelift.GetGameSessionLogUrl",
        "glue.BatchGetJobs",
        "glue.GetJob",
        "glue.GetJobs",
        "greengrassv2.GetComponentVersionArtifact",
        "kms.CreateGrant",
        "kms.GetParametersForImport",
        "lambda.GetFunction",
        "lambda.GetLayerVersion",
        "lambda.GetLayerVersionByArn",
        "lambda.PublishLayerVersion",
        "mailmanager.CreateAddressListImportJob",
        "mailmanager.GetAddressListImportJob",
        "mailmanager.ListAddressListImportJobs",
        "marketplace-reporting.GetBuyerDashboard",
        "qbusiness.GetDocumentContent",
        "security-ir.GetCaseAttachmentDownloadUrl",
        "security-ir.GetCaseAttachmentUploadUrl",
        "ssm.ResumeSession",
        "ssm.StartSession",
        "stepfunctions.GetActivityTask",
        "swf.PollForActivityTask",
        "swf.PollForDecisionTask",
    ]
)


def answers_with_bearers() -> dict[str, bool]:
    """Operations whose answer holds a bearer member, and whether they have the class Credential."""
    found = {}
    for name in tables.index().services:
        table = tables.service(name)
        for operation in table.operations.values():
            if any(
                path.sensitivity is BEARER
                for path in mask_plan([bare(name, operation.name)], clear=(), request_id="r").paths
            ):
                found[f"{name}.{operation.name}"] = any(
                    access is AccessClass.CREDENTIAL for _, access in operation.actions
                )
    return found


def test_an_answer_that_works_as_a_credential_is_minting_or_was_reviewed() -> None:
    found = answers_with_bearers()
    assert {name for name, mints in found.items() if not mints} == HIDDEN_ONLY
