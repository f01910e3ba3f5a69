"""Members whose name says secret, and answers that work as credentials: each is masked, minting, or was reviewed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

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

# What a member of any service may be called that holds a secret, a credential or a signed link, or speaks of one.
SAYS_SECRET = re.compile(r"secret|token|key|credential|passw|passphrase|pre_?signed|ur[li]", re.IGNORECASE)
# Sorted out as holding none: `*.Name` where the name alone says so (ids, ARNs, pages, tag keys, public
# addresses), `service.Shape.Name` where another member of that name might.
REVIEWED = Path(__file__).parent / "reviewed_members.txt"


def reviewed() -> set[str]:
    return {line for line in REVIEWED.read_text().splitlines() if line and not line.startswith("#")}


def unmarked_members_that_say_secret() -> set[tuple[str, str]]:
    """Full name and `*.Name` of each text or blob member of any operation whose name says secret and that no mark hides."""
    found = set()
    for service in tables.index().services:
        table = tables.service(service)
        for name, shape in table.shapes.items():
            for member in shape.members:
                target = table.shapes[member.shape]
                is_marked = shape.sensitivity or member.sensitivity or target.sensitivity
                if not is_marked and target.kind in ("string", "blob") and SAYS_SECRET.search(member.name):
                    found.add((f"{service}.{name}.{member.name}", f"*.{member.name}"))
    return found


def test_a_member_of_any_service_whose_name_says_secret_is_masked_or_was_reviewed() -> None:
    known = reviewed()
    assert {full for full, name in unmarked_members_that_say_secret() if not known & {full, name}} == set()


def test_the_reviewed_list_has_no_stale_entry() -> None:
    met = {entry for pair in unmarked_members_that_say_secret() for entry in pair}
    assert reviewed() - met == set()


@pytest.mark.parametrize(
    ("service", "shape", "member"),
    [
        ("firehose", "SplunkDestinationDescription", "HECToken"),
        ("iotwireless", "OtaaV1_1", "AppKey"),
        ("codebuild", "Webhook", "secret"),
        ("ecs", "Session", "streamUrl"),
        ("kinesis-video-archived-media", "GetHLSStreamingSessionURLOutput", "HLSStreamingSessionURL"),
        ("license-manager", "CreateTokenResponse", "Token"),
        ("pinpoint", "GCMChannelRequest", "ApiKey"),
        ("snowball", "GetJobManifestResult", "ManifestURI"),
    ],
)
def test_what_the_trait_forgets_in_rarer_services_is_marked(service: str, shape: str, member: str) -> None:
    found = model(service).shape(shape).member(member)
    assert found is not None
    assert found.sensitivity in (BEARER, SECRET)


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
        "amplify.CreateDeployment",
        "amplify.CreateWebhook",
        "amplify.DeleteWebhook",
        "amplify.GenerateAccessLogs",
        "amplify.GetArtifactUrl",
        "amplify.GetWebhook",
        "amplify.ListWebhooks",
        "amplify.UpdateWebhook",
        "amplifyuibuilder.GetCodegenJob",
        "amplifyuibuilder.StartCodegenJob",
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
        "codebuild.StartSandboxConnection",
        "cognito-idp.AssociateSoftwareToken",
        "cognito-idp.ConfirmSignUp",
        "cognito-idp.CreateUserImportJob",
        "cognito-idp.DescribeUserImportJob",
        "cognito-idp.ListUserImportJobs",
        "cognito-idp.SignUp",
        "cognito-idp.StartUserImportJob",
        "cognito-idp.StopUserImportJob",
        "cognito-idp.VerifySoftwareToken",
        "connect.GetAttachedFile",
        "connect.GetPromptFile",
        "connect.StartAttachedFileUpload",
        "connectparticipant.GetAttachment",
        "connectparticipant.GetAuthenticationUrl",
        "connectparticipant.StartAttachmentUpload",
        "customer-profiles.GetUploadJobPath",
        "dataexchange.CreateJob",
        "dataexchange.GetAsset",
        "dataexchange.GetJob",
        "dataexchange.ListJobs",
        "dataexchange.ListRevisionAssets",
        "dataexchange.UpdateAsset",
        "datazone.CreateConnection",
        "datazone.ListConnections",
        "datazone.UpdateConnection",
        "devicefarm.ListArtifacts",
        "devicefarm.ListSamples",
        "discovery.DescribeExportConfigurations",
        "discovery.DescribeExportTasks",
        "drs.ExportSourceNetworkCfnTemplate",
        "ec2.DescribeConversionTasks",
        "ec2.ImportInstance",
        "ec2.ImportVolume",
        "ecr.GetDownloadUrlForLayer",
        "ecs.ExecuteCommand",
        "eks.CreateEksAnywhereSubscription",
        "eks.DeleteEksAnywhereSubscription",
        "eks.DescribeEksAnywhereSubscription",
        "eks.ListEksAnywhereSubscriptions",
        "eks.UpdateEksAnywhereSubscription",
        "elasticbeanstalk.RetrieveEnvironmentInfo",
        "evs.GetDepotUrl",
        "gamelift.GetGameSessionLogUrl",
        "gamelift.GetPlayerConnectionDetails",
        "gameliftstreams.CreateStreamSessionAdminShell",
        "glue.BatchGetJobs",
        "glue.GetJob",
        "glue.GetJobUpgradeAnalysis",
        "glue.GetJobs",
        "glue.GetSystemLogsForJobRun",
        "glue.GetSystemLogsForSession",
        "greengrassv2.GetComponentVersionArtifact",
        "groundstation.GetAgentTaskResponseUrl",
        "imagebuilder.GetMarketplaceResource",
        "importexport.GetShippingLabel",
        "invoicing.GetInvoicePDF",
        "iotdeviceadvisor.GetSuiteRunReport",
        "iotsitewise.DescribePortal",
        "kinesis-video-archived-media.GetDASHStreamingSessionURL",
        "kinesis-video-archived-media.GetHLSStreamingSessionURL",
        "kms.CreateGrant",
        "kms.GetParametersForImport",
        "lambda.GetFunction",
        "lambda.GetLayerVersion",
        "lambda.GetLayerVersionByArn",
        "lambda.PublishLayerVersion",
        "lex-models.GetExport",
        "lexv2-models.CreateUploadUrl",
        "lexv2-models.DescribeBotRecommendation",
        "lexv2-models.DescribeExport",
        "lexv2-models.DescribeTestSetDiscrepancyReport",
        "lexv2-models.GetTestExecutionArtifactsUrl",
        "license-manager.CheckoutBorrowLicense",
        "license-manager.CheckoutLicense",
        "m2.GetSignedBluinsightsUrl",
        "mailmanager.CreateAddressListImportJob",
        "mailmanager.GetAddressListImportJob",
        "mailmanager.GetArchiveMessage",
        "mailmanager.ListAddressListImportJobs",
        "managedblockchain.CreateAccessor",
        "managedblockchain.GetAccessor",
        "marketplace-reporting.GetBuyerDashboard",
        "mturk.GetFileUploadURL",
        "neptunedata.ExecuteFastReset",
        "qbusiness.CreateAnonymousWebExperienceUrl",
        "qbusiness.GetDocumentContent",
        "quicksight.RegisterUser",
        "sagemaker.CreateHubContentPresignedUrls",
        "sagemaker.CreatePartnerAppPresignedUrl",
        "sagemaker.ListPipelineExecutionSteps",
        "sagemaker.StartSession",
        "security-ir.GetCaseAttachmentDownloadUrl",
        "security-ir.GetCaseAttachmentUploadUrl",
        "sesv2.GetExportJob",
        "sesv2.GetImportJob",
        "snowball.DescribeJob",
        "snowball.DescribeReturnShippingLabel",
        "snowball.GetJobManifest",
        "snowball.GetSoftwareUpdates",
        "socialmessaging.ListWhatsAppFlowAssets",
        "ssm.DescribeAutomationExecutions",
        "ssm.GetAutomationExecution",
        "ssm.GetDeployablePatchSnapshotForInstance",
        "ssm.ResumeSession",
        "ssm.StartSession",
        "stepfunctions.GetActivityTask",
        "support.GetAttachmentDownloadLink",
        "support.GetAttachmentUploadLinks",
        "swf.PollForActivityTask",
        "swf.PollForDecisionTask",
        "taxsettings.GetTaxRegistration",
        "taxsettings.GetTaxRegistrationDocument",
        "taxsettings.ListTaxRegistrations",
        "transcribe.GetCallAnalyticsJob",
        "transcribe.GetMedicalVocabulary",
        "transcribe.GetTranscriptionJob",
        "transcribe.GetVocabulary",
        "transcribe.GetVocabularyFilter",
        "transcribe.StartCallAnalyticsJob",
        "transcribe.StartTranscriptionJob",
        "translate.GetParallelData",
        "translate.GetTerminology",
        "translate.ImportTerminology",
        "wafv2.GenerateMobileSdkReleaseUrl",
        "wellarchitected.GetAgentOrganizationalReportData",
        "workmail.AssumeImpersonationRole",
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
