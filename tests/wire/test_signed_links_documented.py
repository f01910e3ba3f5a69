"""What AWS's own documentation calls a signed link or a keytab is masked, or stands here with what it is instead."""

from __future__ import annotations

import re
from typing import Any

import botocore.session

from gateway.wire import tables

SPEAKS_OF_ONE = re.compile(r"pre-?signed|signed (?:S3 |Amazon S3 )?UR[LI]|temporary UR[LI]|keytab", re.IGNORECASE)
# Ids, names, options and times of a signed link: none is one.
NOT_ONE = frozenset(
    (
        "bedrock-agent-runtime.GetDocumentContentRequest.mediaId",
        "cloudfront.PublicKeyConfig.EncodedKey",
        "cloudfront.Signer.AwsAccountNumber",
        "connect.GetAttachedFileRequest.UrlContentDisposition",
        "connectparticipant.GetAttachmentRequest.UrlContentDisposition",
        "dataexchange.ExportAssetToSignedUrlRequestDetails.AssetId",
        "datasync.CreateLocationSmbRequest.KerberosPrincipal",
        "datasync.UpdateLocationSmbRequest.KerberosPrincipal",
        "emr.GetOnClusterAppUIPresignedURLInput.ApplicationId",
        "emr.GetOnClusterAppUIPresignedURLInput.ClusterId",
        "emr.GetOnClusterAppUIPresignedURLInput.ExecutionRoleArn",
        "emr.GetOnClusterAppUIPresignedURLInput.OnClusterAppUIType",
        "emr.GetPersistentAppUIPresignedURLInput.ApplicationId",
        "emr.GetPersistentAppUIPresignedURLInput.ExecutionRoleArn",
        "emr.GetPersistentAppUIPresignedURLInput.PersistentAppUIId",
        "emr.GetPersistentAppUIPresignedURLInput.PersistentAppUIType",
        "glue.ConnectionInput.ConnectionType",
        "greengrass.CreateSoftwareUpdateJobRequest.S3UrlSignerRole",
        "greengrassv2.GetComponentVersionArtifactRequest.iotEndpointType",
        "greengrassv2.GetComponentVersionArtifactRequest.s3EndpointType",
        "lexv2-models.CreateExportResponse.exportStatus",
        "pinpoint-sms-voice-v2.RcsFileMessage.FileUrl",
        "s3.CopyObjectRequest.AnnotationDirective",
        "sagemaker.CreateHubContentPresignedUrlsRequest.HubContentName",
        "sagemaker.CreateHubContentPresignedUrlsRequest.NextToken",
        "sagemaker.CreateHubContentPresignedUrlsResponse.NextToken",
        "sagemaker.CreatePartnerAppPresignedUrlRequest.Arn",
        "sagemaker.CreatePresignedDomainUrlRequest.LandingUri",
        "sagemaker.IamPolicyConstraints.SourceIp",
        "sagemaker.IamPolicyConstraints.VpcSourceIp",
        "sagemaker.StudioWebPortalSettings.ExecutionRoleSessionNameMode",
        "support.DownloadUrl.expiryDate",
        "support.GetAttachmentUploadLinksRequest.uploadId",
        "support.UploadUrl.expiryDate",
    )
)


def unmarked_members_documented_as_signed_links() -> set[str]:
    models = botocore.session.get_session().get_component("data_loader")
    found = set()
    for service in tables.index().services:
        table, documented = tables.service(service), models.load_service_model(service, "service-2")["shapes"]
        for name, shape in table.shapes.items():
            for member in shape.members:
                target = table.shapes[member.shape]
                if shape.sensitivity or member.sensitivity or target.sensitivity:
                    continue
                if target.kind in ("string", "blob") and SPEAKS_OF_ONE.search(_said(documented, name, member.name)):
                    found.add(f"{service}.{name}.{member.name}")
    return found


def _said(documented: dict[str, Any], shape: str, member: str) -> str:
    """The member's own words, or those of its shape where it has none."""
    told = documented.get(shape, {}).get("members", {}).get(member)
    return str(told.get("documentation") or documented[told["shape"]].get("documentation", "")) if told else ""


def test_what_is_documented_as_a_signed_link_is_masked_or_is_none() -> None:
    assert unmarked_members_documented_as_signed_links() == NOT_ONE
