"""The deny a tenant pastes into the role when a session that got out must end at AWS, not only here. Pure.

Stopping calls through the gateway is the kill switch (`gateway.identity.standing`, `services.switch_connection`).
"""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import Any

POLICY_NAME = "HoopwebRevokeOlderSessions"


def session_deny(*, issued_before: datetime, source_identity: str | None) -> dict[str, Any]:
    """Return the policy that ends the role's sessions from before this moment: one person's or workload's, or all.

    New sessions are not touched, so it may stay in place after people are let back.
    """
    # The session's own issue: refreshing credentials does not get around it.
    moment = issued_before.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition: dict[str, Any] = {"DateLessThan": {"aws:TokenIssueTime": moment}}
    if source_identity is not None:
        condition["StringEquals"] = {"aws:SourceIdentity": source_identity}
    statement = {
        "Sid": "HoopwebRevokesOlderSessions",
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def command(*, role_arn: str, policy: dict[str, Any]) -> str:
    """The AWS CLI's command that puts the policy into the role; run with the tenant's own rights, not ours."""
    role_name = role_arn.rpartition("/")[2]
    document = json.dumps(policy, separators=(",", ":"))
    return (
        f"aws iam put-role-policy --role-name {shlex.quote(role_name)} --policy-name {POLICY_NAME} "
        f"--policy-document {shlex.quote(document)}"
    )
