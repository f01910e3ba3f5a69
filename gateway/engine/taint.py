"""What a call leaves on its session: text strangers may have written was read, or a secret was. Pure.

Rules read it back as `context.session.taint`; keeping it is `gateway.requests`'.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from gateway.terms import AccessClass, Candidate


class Taint(StrEnum):
    """What later calls of a session answer for."""

    UNTRUSTED = "untrusted"
    SECRET = "secret"  # noqa: S105  # a word of policy


# What these answer with, people outside may have written: messages, log lines, tickets, comments, web pages. Objects
# and items are left out: whose words they hold cannot be told, and every session reads them.
UNTRUSTED_ACTIONS = frozenset(
    {
        "bedrock-agentcore:ConnectBrowserAutomationStream",
        "bedrock-agentcore:InvokeWebSearch",
        "chime:GetChannelMessage",
        "chime:ListChannelMessages",
        "codecommit:GetComment",
        "codecommit:GetCommentsForComparedCommit",
        "codecommit:GetCommentsForPullRequest",
        "connect:GetContactAttributes",
        "dynamodb:GetRecords",
        "kinesis:GetRecords",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "logs:GetLogRecord",
        "logs:GetQueryResults",
        "logs:StartLiveTail",
        "rds:DownloadCompleteDBLogFile",
        "rds:DownloadDBLogFilePortion",
        "sqs:ReceiveMessage",
        "support:DescribeAttachment",
        "support:DescribeCases",
        "support:DescribeCommunications",
        "wafv2:GetSampledRequests",
    }
)
SECRET_ACTIONS = frozenset(
    {
        "acm:ExportCertificate",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyPair",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
    }
)
# Answered with keys of hoopweb's own: nothing secret of the account's reaches the agent.
_OWN_KEYS = frozenset(
    {"s3express:CreateSession", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:GetSessionToken"}
)
# Parameters are secrets only where they are asked for in clear.
_PARAMETER_ACTIONS = frozenset(
    {"ssm:GetParameter", "ssm:GetParameterHistory", "ssm:GetParameters", "ssm:GetParametersByPath"}
)


def taints_of(candidates: Iterable[Candidate]) -> tuple[Taint, ...]:
    """What an admitted call leaves on its session, by any of its readings; in the order of their names."""
    found = {taint for candidate in candidates for taint in _of_reading(candidate)}
    return tuple(sorted(found))


def _of_reading(candidate: Candidate) -> Iterable[Taint]:
    names = {action.name for action in (*candidate.actions, *candidate.effective)}
    is_decrypted = candidate.parameters.get("WithDecryption") is True and not names.isdisjoint(_PARAMETER_ACTIONS)
    is_minting = candidate.access is AccessClass.CREDENTIAL and not names <= _OWN_KEYS
    if is_decrypted or is_minting or not names.isdisjoint(SECRET_ACTIONS):
        yield Taint.SECRET
    if not names.isdisjoint(UNTRUSTED_ACTIONS):
        yield Taint.UNTRUSTED
