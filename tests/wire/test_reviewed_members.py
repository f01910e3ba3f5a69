"""Members whose name says secret, and answers that work as credentials: each is masked, minting, or was reviewed."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from gateway.terms import AccessClass
from gateway.wire import tables
from gateway.wire.aws.masking_paths import mask_plan
from gateway.wire.aws.reading import model
from gateway.wire.contract import SensitivityClass
from gateway.wire.tables_sensitive import REVIEW, SensitivityReview
from tests.wire.making import bare

BEARER, SECRET, PRIVATE = SensitivityClass.BEARER, SensitivityClass.SECRET, SensitivityClass.PRIVATE


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
